import { expect, test } from "vitest"
import { readDefinition } from "./definition.ts"
import { invoking, machine } from "./fixture.ts"

const end = { End: true }
const only = (state: object) => machine({ Only: state })

test.each<[name: string, definition: object, why: RegExp]>([
  [
    "a machine without a query language, which is JSONPath",
    { StartAt: "A", States: { A: { Type: "Pass", ...end } } },
    /QueryLanguage is JSONPath/,
  ],
  [
    "a state that speaks JSONPath",
    only({ Type: "Pass", QueryLanguage: "JSONPath", ...end }),
    /Only: its QueryLanguage is JSONPath/,
  ],
  ["a field of JSONPath", only({ Type: "Pass", ResultPath: "$.a", ...end }), /ResultPath/],
  ["Parallel", only({ Type: "Parallel", Branches: [], ...end }), /Only: a state of type Parallel is not run here/],
  ["Map", only({ Type: "Map", ItemProcessor: {}, ...end }), /Only: a state of type Map is not run here/],
  ["another resource", only(invoking("f", { Resource: "arn:aws:states:::sqs:sendMessage", ...end })), /Resource/],
  [
    "an argument of lambda:invoke that does nothing here",
    only(invoking("f", { Arguments: { FunctionName: "f", InvocationType: "Event" }, ...end })),
    /Arguments/,
  ],
  ["a start that is no state", machine({ A: { Type: "Pass", ...end } }, { StartAt: "B" }), /StartAt names B/],
  ["a Next that is no state", only({ Type: "Pass", Next: "None" }), /Only: goes on to None/],
  [
    "a Default that is no state",
    only({ Type: "Choice", Choices: [{ Condition: "{% true %}", Next: "Only" }], Default: "None" }),
    /Only: goes on to None/,
  ],
  [
    "a Catch that leads nowhere",
    only(invoking("f", { Catch: [{ ErrorEquals: ["E"], Next: "None" }], ...end })),
    /Only: goes on to None/,
  ],
  ["neither Next nor End", only({ Type: "Pass" }), /Only: needs either Next or End/],
  ["Next and End", only({ Type: "Pass", Next: "Only", ...end }), /Only: needs either Next or End/],
  [
    "a Wait of two kinds",
    only({ Type: "Wait", Seconds: 1, Timestamp: "2030-01-01T00:00:00Z", ...end }),
    /either Seconds or Timestamp/,
  ],
  ["an expression that is no JSONata", only({ Type: "Pass", Output: { a: ["{% 1 + %}"] }, ...end }), /Only: .*is no JSONata/],
  ["an expression that is not closed", only({ Type: "Pass", Output: "{% 1", ...end }), /must end with/],
  ["$eval", only({ Type: "Pass", Output: "{% $sum([1, $eval('2')]) %}", ...end }), /uses \$eval/],
  ["an Assign to $states", only({ Type: "Pass", Assign: { states: 1 }, ...end }), /Assign cannot set \$states/],
  ["an Assign to a name with a $", only({ Type: "Pass", Assign: { $a: 1 }, ...end }), /names of variables/],
  ["a condition that is no expression", only({ Type: "Choice", Choices: [{ Condition: "true", Next: "Only" }] }), /Condition/],
  [
    "a heartbeat that is as long as the timeout",
    only(invoking("f", { TimeoutSeconds: 60, HeartbeatSeconds: 60, ...end })),
    /HeartbeatSeconds must be smaller/,
  ],
  ["a TimeoutSeconds of 0", only(invoking("f", { TimeoutSeconds: 0, ...end })), /TimeoutSeconds/],
  [
    "States.ALL before the last entry",
    only(invoking("f", { Retry: [{ ErrorEquals: ["States.ALL"] }, { ErrorEquals: ["E"] }], ...end })),
    /States.ALL must be in the last/,
  ],
  [
    "States.ALL beside another name",
    only(invoking("f", { Retry: [{ ErrorEquals: ["E", "States.ALL"] }], ...end })),
    /States.ALL must stand alone/,
  ],
  [
    "a broken interval of seconds",
    only(invoking("f", { Retry: [{ ErrorEquals: ["E"], IntervalSeconds: 0.5 }], ...end })),
    /IntervalSeconds/,
  ],
  [
    "a longest delay below the interval",
    only(invoking("f", { Retry: [{ ErrorEquals: ["E"], IntervalSeconds: 9, MaxDelaySeconds: 5 }], ...end })),
    /MaxDelaySeconds must be greater/,
  ],
])("a machine is refused when it is opened, with its name and the reason: %s", (_name, definition, why) => {
  expect(() => readDefinition("life", definition)).toThrow(why)
  expect(() => readDefinition("life", definition)).toThrow(/The state machine life cannot be run/)
})

test("what a payload's keys are called is its own business", () => {
  const Payload = { Assign: null, Next: "nowhere", Type: "Map" }
  expect(() => readDefinition("life", only(invoking("f", { Arguments: { FunctionName: "f", Payload }, ...end })))).not.toThrow()
})

test("a machine of every kind of state is taken", () => {
  const states = {
    T: invoking("f", {
      TimeoutSeconds: "{% 5 %}",
      Retry: [{ ErrorEquals: ["States.ALL"] }],
      Catch: [{ ErrorEquals: ["E"], Next: "F" }],
      Next: "C",
    }),
    C: { Type: "Choice", Choices: [{ Condition: "{% true %}", Next: "W" }], Default: "P" },
    W: { Type: "Wait", Seconds: 1, Next: "P" },
    P: { Type: "Pass", Next: "S" },
    S: { Type: "Succeed" },
    F: { Type: "Fail", Error: "E" },
  }
  expect(readDefinition("life", machine(states)).StartAt).toBe("T")
})
