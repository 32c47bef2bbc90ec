import { afterEach, beforeEach, expect, test } from "vitest"
import { invoking, machine, makeClock, type Opened, open, role } from "./fixture.ts"

let clock: ReturnType<typeof makeClock>
let opened: Opened | undefined

beforeEach(() => {
  clock = makeClock()
})
afterEach(async () => {
  await opened?.close()
  opened = undefined
  clock.remove()
})

const one = async (state: object, around?: Parameters<typeof open>[2]) => {
  opened = await open(clock.folder, { m: machine({ Only: state, Other: { Type: "Pass", Output: "other", End: true } }) }, around)
  return opened
}

test("a Pass state hands on its input, or its Output", async () => {
  const kept = machine({ A: { Type: "Pass", Next: "B" }, B: { Type: "Pass", End: true } })
  const shaped = machine({ A: { Type: "Pass", Output: { sum: "{% $states.input.a + 1 %}", list: [1, "{% 'x' %}"] }, End: true } })
  opened = await open(clock.folder, { kept, shaped })
  expect(await opened.run("kept", { a: 1 })).toMatchObject({ status: "SUCCEEDED", output: { a: 1 } })
  expect(await opened.run("shaped", { a: 1 })).toMatchObject({ status: "SUCCEEDED", output: { sum: 2, list: [1, "x"] } })
})

test("variables live until the end, and Output sees those from before the state's own Assign", async () => {
  const assigning = machine({
    A: { Type: "Pass", Assign: { n: 1, keep: "{% $states.input.k %}" }, Next: "B" },
    B: { Type: "Pass", Assign: { n: "{% $n + 1 %}" }, Output: "{% $n %}", Next: "C" },
    C: { Type: "Succeed", Output: { before: "{% $states.input %}", after: "{% $n %}", keep: "{% $keep %}" } },
  })
  opened = await open(clock.folder, { assigning })
  expect(await opened.run("assigning", { k: "v" })).toMatchObject({ output: { before: 1, after: 2, keep: "v" } })
  const exits = (await opened.history(await opened.start("assigning", { k: "v" }))).filter(
    ({ type }) => type === "PassStateExited",
  )
  for (const { stateExitedEventDetails } of exits) expect(stateExitedEventDetails?.assignedVariables).toHaveProperty("n")
})

test("a Choice takes the first condition that holds, with its own Assign and Output, else its Default", async () => {
  const choosing = machine({
    C: {
      Type: "Choice",
      Choices: [
        { Condition: "{% $states.input.n > 10 %}", Output: "large", Assign: { by: "first" }, Next: "End" },
        { Condition: "{% $states.input.n > 5 %}", Output: "medium", Assign: { by: "second" }, Next: "End" },
      ],
      Output: "small",
      Assign: { by: "default" },
      Default: "End",
    },
    End: { Type: "Pass", Output: "{% [$states.input, $by] %}", End: true },
  })
  opened = await open(clock.folder, { choosing })
  expect((await opened.run("choosing", { n: 11 })).output).toEqual(["large", "first"])
  expect((await opened.run("choosing", { n: 6 })).output).toEqual(["medium", "second"])
  expect((await opened.run("choosing", { n: 1 })).output).toEqual(["small", "default"])
})

test("a Choice without a match and without a Default fails with States.NoChoiceMatched", async () => {
  const { run } = await one({ Type: "Choice", Choices: [{ Condition: "{% false %}", Next: "Other" }] })
  expect(await run("m")).toMatchObject({ status: "FAILED", error: "States.NoChoiceMatched" })
})

test("a condition that is no boolean fails the execution", async () => {
  const { run } = await one({ Type: "Choice", Choices: [{ Condition: "{% 'yes' %}", Next: "Other" }], Default: "Other" })
  expect(await run("m")).toMatchObject({
    status: "FAILED",
    error: "States.QueryEvaluationError",
    cause: expect.stringContaining("Condition"),
  })
})

test("a Fail state ends the execution with its error and cause", async () => {
  const { start, ended, types } = await one({ Type: "Fail", Error: "{% $states.input.e %}", Cause: "because" })
  const execution = await start("m", { e: "Broken" })
  expect(await ended(execution)).toMatchObject({ status: "FAILED", error: "Broken", cause: "because" })
  expect(await types(execution)).toEqual(["ExecutionStarted", "FailStateEntered", "ExecutionFailed"])
})

test.each([
  ["Seconds as a number", { Seconds: 3_600 }],
  ["Seconds as JSONata", { Seconds: "{% $states.input.wait %}" }],
  ["Timestamp as JSONata", { Timestamp: "{% $fromMillis($millis() + 3600000) %}" }],
])("a Wait state waits for its time and no shorter: %s", async (_name, fields) => {
  const { start, ended, types, describe } = await one({ Type: "Wait", ...fields, Output: "waited", End: true })
  const execution = await start("m", { wait: 3_600 })
  await expect.poll(() => types(execution)).toContain("WaitStateEntered")
  clock.move(3_500)
  expect((await describe(execution)).status).toBe("RUNNING")
  clock.move(101)
  expect(await ended(execution)).toMatchObject({ status: "SUCCEEDED", output: "waited" })
  expect(await types(execution)).toEqual(["ExecutionStarted", "WaitStateEntered", "WaitStateExited", "ExecutionSucceeded"])
})

test.each([-1, 1.5, "soon"])("a Wait of %s seconds fails the execution", async (wait) => {
  const { run } = await one({ Type: "Wait", Seconds: "{% $states.input.wait %}", End: true })
  expect(await run("m", { wait })).toMatchObject({ status: "FAILED", error: "States.QueryEvaluationError" })
})

test("a task calls the function with its Arguments and the machine's role, and its result is Lambda's answer", async () => {
  const calls: unknown[] = []
  const { run } = await one(
    invoking("double", {
      Arguments: { FunctionName: "double", Payload: { n: "{% $states.input.n %}" } },
      Assign: { status: "{% $states.result.StatusCode %}" },
      Output: { payload: "{% $states.result.Payload %}", version: "{% $states.result.ExecutedVersion %}" },
      End: true,
    }),
    {
      invoke: async (name, payload, context) => {
        calls.push([name, payload, context])
        return { doubled: (payload as { n: number }).n * 2 }
      },
    },
  )
  expect(await run("m", { n: 4 })).toMatchObject({ status: "SUCCEEDED", output: { payload: { doubled: 8 }, version: "$LATEST" } })
  expect(calls).toEqual([["arn:aws:lambda:eu-central-1:000000000000:function:double", { n: 4 }, { role }]])
})

test("a function that answers nothing has the payload null", async () => {
  const { run } = await one(invoking("quiet", { Output: "{% $states.result.Payload %}", End: true }), {
    invoke: async () => undefined,
  })
  expect(await run("m")).toMatchObject({ status: "SUCCEEDED", output: null })
})

test("the context tells of execution, state and machine", async () => {
  const { start, ended, describe } = await one({ Type: "Pass", Output: "{% $states.context %}", End: true })
  const execution = await start("m", { a: 1 })
  const { startDate, stateMachineArn } = await describe(execution)
  const { output } = await ended(execution)
  expect(output).toEqual({
    Execution: {
      Id: execution,
      Input: { a: 1 },
      Name: execution.split(":").at(-1),
      RoleArn: role,
      StartTime: startDate!.toISOString(),
      RedriveCount: 0,
    },
    State: { Name: "Only", EnteredTime: expect.stringMatching(/^\d{4}-.*Z$/), RetryCount: 0 },
    StateMachine: { Id: stateMachineArn, Name: "m" },
  })
})

test("the functions that AWS adds to JSONata are there", async () => {
  const { run } = await one({
    Type: "Pass",
    Output: {
      uuid: "{% $match($uuid(), /^[0-9a-f-]{36}$/) ? 'ok' : 'no' %}",
      parse: "{% $parse('{\"a\":[1]}').a %}",
      hash: "{% $hash('abc', 'SHA-1') %}",
      partition: "{% $partition([1,2,3,4,5], 2) %}",
      range: "{% $range(5, 1, -2) %}",
      random: "{% $random() < 1 and $random(7) = $random(7) %}",
    },
    End: true,
  })
  expect(await run("m")).toMatchObject({
    output: {
      uuid: "ok",
      parse: [1],
      hash: "a9993e364706816aba3e25717850c26c9cd0d89d",
      partition: [[1, 2], [3, 4], [5]],
      range: [5, 3, 1],
      random: true,
    },
  })
})

test("JSONata's clock is the one that everything else goes by", async () => {
  const { run } = await one({ Type: "Pass", Output: "{% [$millis(), $toMillis($now())] %}", End: true })
  clock.move(86_400)
  const [millis, now] = (await run("m")).output as number[]
  expect(millis! - Date.now()).toBeGreaterThan(86_300_000)
  expect(Math.abs(millis! - now!)).toBeLessThan(60_000)
})

test("an expression that gives nothing fails with States.QueryEvaluationError, and the history says where", async () => {
  const { start, ended, history } = await one({ Type: "Pass", Output: { a: "{% $states.input.missing %}" }, End: true })
  const execution = await start("m")
  expect(await ended(execution)).toMatchObject({ status: "FAILED", error: "States.QueryEvaluationError" })
  const failed = (await history(execution)).find(({ type }) => type === "EvaluationFailed")
  expect(failed?.evaluationFailedEventDetails).toMatchObject({
    state: "Only",
    location: "Output/a",
    error: "States.QueryEvaluationError",
  })
})

test("an expression that does not end is ended", async () => {
  const { run } = await one({ Type: "Pass", Output: "{% ($f := function($n) { 1 + $f($n) }; $f(1)) %}", End: true })
  expect(await run("m")).toMatchObject({ status: "FAILED", error: "States.QueryEvaluationError" })
})

test.each([
  ["an output", { Type: "Pass", Output: "{% $pad('', 262143) %}", End: true }],
  ["a variable", { Type: "Pass", Assign: { v: "{% $pad('', 262143) %}" }, End: true }],
  ["the arguments of a call", invoking("f", { Arguments: { FunctionName: "f", Payload: "{% $pad('', 262143) %}" }, End: true })],
  ["the answer of a function", invoking("large", { End: true })],
])("more than 262,144 bytes fail with States.DataLimitExceeded: %s", async (_name, state) => {
  const { run } = await one(state, { invoke: async (name) => (name.endsWith("large") ? "x".repeat(262_143) : null) })
  expect(await run("m")).toMatchObject({ status: "FAILED", error: "States.DataLimitExceeded" })
})

test("an output of 262,144 bytes is not too large", async () => {
  const { run } = await one({ Type: "Pass", Output: "{% $pad('', 262142) %}", End: true })
  expect(await run("m")).toMatchObject({ status: "SUCCEEDED" })
})

test("a machine that runs in circles fails with its 25,000th event", { timeout: 120_000 }, async () => {
  const circle = machine({ A: { Type: "Pass", Next: "B" }, B: { Type: "Pass", Next: "A" } })
  let events = 0
  opened = await open(clock.folder, { circle }, { onEvent: () => ++events })
  expect(await opened.run("circle")).toMatchObject({
    status: "FAILED",
    error: "States.Runtime",
    cause: "The execution reached the maximum number of history events (25000).",
  })
  expect(events).toBe(25_000)
})
