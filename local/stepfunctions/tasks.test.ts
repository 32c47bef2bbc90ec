import {
  SendTaskFailureCommand,
  SendTaskHeartbeatCommand,
  SendTaskSuccessCommand,
  StopExecutionCommand,
} from "@aws-sdk/client-sfn"
import { afterEach, beforeEach, expect, test } from "vitest"
import { invoking, machine, makeClock, type Opened, open, waiting } from "./fixture.ts"

let clock: ReturnType<typeof makeClock>
let opened: Opened | undefined
let tokens: string[]

beforeEach(() => {
  clock = makeClock()
  tokens = []
})
afterEach(async () => {
  await opened?.close()
  opened = undefined
  clock.remove()
})

const collect = async (_function: string, payload: unknown) => {
  tokens.push((payload as { token: string }).token)
  return { handed: "over" }
}

/** A machine whose first state waits for a token, with one state to go on to. */
const one = async (fields: object, invoke: (name: string, payload: unknown) => Promise<unknown> = collect) => {
  const caught = { Type: "Pass", Output: { caught: "{% $states.input %}" }, End: true }
  opened = await open(clock.folder, { m: machine({ Wait: waiting("f", { End: true, ...fields }), Caught: caught }) }, { invoke })
  return opened
}

const begun = async (fields: object = {}, input: unknown = {}) => {
  const all = await one(fields)
  const execution = await all.start("m", input)
  await expect.poll(() => all.types(execution)).toContain("TaskSubmitted")
  return { ...all, execution, token: tokens[0]! }
}

const succeed = (token: string, output: unknown = {}) =>
  opened!.client.send(new SendTaskSuccessCommand({ taskToken: token, output: JSON.stringify(output) }))
const fail = (token: string, error?: string, cause?: string) =>
  opened!.client.send(new SendTaskFailureCommand({ taskToken: token, error, cause }))
const beat = (token: string) => opened!.client.send(new SendTaskHeartbeatCommand({ taskToken: token }))

test("the output of SendTaskSuccess is the task's result, and the history tells the whole way", async () => {
  const { execution, token, ended, history } = await begun({ TimeoutSeconds: 60, Output: "{% $states.result.answer %}" })
  await succeed(token, { answer: 42 })
  expect(await ended(execution)).toMatchObject({ status: "SUCCEEDED", output: 42 })
  const events = await history(execution)
  const resource = { resourceType: "lambda", resource: "invoke.waitForTaskToken" }
  expect(events.map(({ id, previousEventId, type }) => [id, previousEventId, type])).toEqual([
    [1, 0, "ExecutionStarted"],
    [2, 0, "TaskStateEntered"],
    [3, 2, "TaskScheduled"],
    [4, 3, "TaskStarted"],
    [5, 4, "TaskSubmitted"],
    [6, 5, "TaskSucceeded"],
    [7, 6, "TaskStateExited"],
    [8, 7, "ExecutionSucceeded"],
  ])
  expect(events[2]?.taskScheduledEventDetails).toMatchObject({ ...resource, region: "eu-central-1", timeoutInSeconds: 60 })
  expect(JSON.parse(events[2]?.taskScheduledEventDetails?.parameters ?? "")).toMatchObject({ Payload: { token } })
  expect(events[3]?.taskStartedEventDetails).toEqual(resource)
  expect(JSON.parse(events[4]?.taskSubmittedEventDetails?.output ?? "")).toMatchObject({
    Payload: { handed: "over" },
    StatusCode: 200,
  })
  expect(events[5]?.taskSucceededEventDetails).toMatchObject({ ...resource, output: '{"answer":42}' })
  expect(events[6]?.stateExitedEventDetails).toMatchObject({ name: "Wait", output: "42" })
  expect(events[7]?.executionSucceededEventDetails).toMatchObject({ output: "42" })
})

test("the error and cause of SendTaskFailure are the task's failure", async () => {
  const { execution, token, ended, history } = await begun()
  await fail(token, "Lost", "no container")
  expect(await ended(execution)).toMatchObject({ status: "FAILED", error: "Lost", cause: "no container" })
  const events = await history(execution)
  expect(events.at(-2)).toMatchObject({ type: "TaskFailed", taskFailedEventDetails: { error: "Lost", cause: "no container" } })
  expect(events.at(-1)).toMatchObject({
    type: "ExecutionFailed",
    executionFailedEventDetails: { error: "Lost", cause: "no container" },
  })
})

test("a token works once: whatever comes second finds the task over", async () => {
  const { execution, token, ended } = await begun({ TimeoutSeconds: 60 })
  await succeed(token, "first")
  for (const send of [succeed, fail, beat]) await expect(send(token)).rejects.toMatchObject({ name: "TaskTimedOut" })
  expect(await ended(execution)).toMatchObject({ output: "first" })
})

test("of two completions at once exactly one is taken", async () => {
  const { execution, token, ended } = await begun()
  const outcomes = await Promise.allSettled([succeed(token, "one"), succeed(token, "other")])
  expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"])
  const taken = outcomes[0]!.status === "fulfilled" ? "one" : "other"
  expect(await ended(execution)).toMatchObject({ output: taken })
})

test("the token of an earlier attempt, and of a stopped execution, finds the task over", async () => {
  const { execution, token, client } = await begun({ Retry: [{ ErrorEquals: ["Again"], IntervalSeconds: 1 }] })
  await fail(token, "Again")
  clock.move(2)
  await expect.poll(() => tokens).toHaveLength(2)
  expect(tokens[1]).not.toBe(token)
  await expect(succeed(token)).rejects.toMatchObject({ name: "TaskTimedOut" })
  await client.send(new StopExecutionCommand({ executionArn: execution }))
  await expect(succeed(tokens[1]!)).rejects.toMatchObject({ name: "TaskTimedOut" })
})

test("what never was a token is an InvalidToken, and one of no execution a TaskDoesNotExist", async () => {
  await begun()
  const foreign = Buffer.from(JSON.stringify(["arn:aws:states:eu-central-1:000000000000:execution:m:other", "x"])).toString(
    "base64url",
  )
  for (const send of [succeed, fail, beat]) {
    await expect(send("nonsense")).rejects.toMatchObject({ name: "InvalidToken" })
    await expect(send(foreign)).rejects.toMatchObject({ name: "TaskDoesNotExist" })
  }
})

test("an output that is no JSON is an InvalidOutput, one that is too large is refused, and the task goes on", async () => {
  const { execution, token, client, ended } = await begun()
  await expect(client.send(new SendTaskSuccessCommand({ taskToken: token, output: "{" }))).rejects.toMatchObject({
    name: "InvalidOutput",
  })
  await expect(succeed(token, "x".repeat(262_143))).rejects.toMatchObject({ name: "ValidationException" })
  await succeed(token, "x".repeat(262_142))
  expect(await ended(execution)).toMatchObject({ status: "SUCCEEDED" })
})

test("a function may complete its own token before it returns", async () => {
  const { run } = await one({}, async (_name, payload) => {
    await succeed((payload as { token: string }).token, "at once")
    throw new Error("too late to matter")
  })
  expect(await run("m")).toMatchObject({ status: "SUCCEEDED", output: "at once" })
})

test("when the function that was to hand the token on throws, the task has failed with that error", async () => {
  const { start, ended, types } = await one({}, async () => {
    throw Object.assign(new Error("no capacity"), { name: "Capacity" })
  })
  const execution = await start("m")
  const { status, error, cause } = await ended(execution)
  expect({ status, error }).toEqual({ status: "FAILED", error: "Capacity" })
  expect(JSON.parse(cause!)).toMatchObject({ errorType: "Capacity", errorMessage: "no capacity" })
  expect(await types(execution)).toEqual([
    "ExecutionStarted",
    "TaskStateEntered",
    "TaskScheduled",
    "TaskStarted",
    "TaskFailed",
    "ExecutionFailed",
  ])
})

test.each([
  ["a number", 60],
  ["JSONata", "{% $states.input.limit %}"],
])("a task that takes longer than TimeoutSeconds, %s, fails with States.Timeout", async (_name, TimeoutSeconds) => {
  const { execution, token, ended, history, describe } = await begun({ TimeoutSeconds }, { limit: 60 })
  clock.move(50)
  expect((await describe(execution)).status).toBe("RUNNING")
  clock.move(11)
  expect(await ended(execution)).toMatchObject({ status: "FAILED", error: "States.Timeout" })
  expect((await history(execution)).at(-2)).toMatchObject({
    type: "TaskTimedOut",
    taskTimedOutEventDetails: { error: "States.Timeout" },
  })
  await expect(succeed(token)).rejects.toMatchObject({ name: "TaskTimedOut" })
})

test.each([0, -5, 1.5, "60", null])("a TimeoutSeconds of %s is an evaluation error that Catch can take", async (limit) => {
  const fields = {
    TimeoutSeconds: "{% $states.input.limit %}",
    Catch: [{ ErrorEquals: ["States.QueryEvaluationError"], Next: "Caught" }],
  }
  const { run } = await one(fields)
  expect(await run("m", { limit })).toMatchObject({
    status: "SUCCEEDED",
    output: { caught: { Error: "States.QueryEvaluationError" } },
  })
  expect(tokens).toEqual([])
})

test("a completion that comes after the deadline is too late, even before the timer has noticed", async () => {
  const { execution, token, ended } = await begun({ TimeoutSeconds: 60 })
  clock.move(61)
  await expect(succeed(token)).rejects.toMatchObject({ name: "TaskTimedOut" })
  expect(await ended(execution)).toMatchObject({ status: "FAILED", error: "States.Timeout" })
})

test("heartbeats keep a task alive, and the first one missing ends it", async () => {
  const { execution, token, ended, describe } = await begun({ HeartbeatSeconds: "{% $states.input.beat %}" }, { beat: 300 })
  for (let beats = 0; beats < 3; beats++) {
    clock.move(290)
    await beat(token)
  }
  expect((await describe(execution)).status).toBe("RUNNING")
  clock.move(301)
  expect(await ended(execution)).toMatchObject({ status: "FAILED", error: "States.Timeout" })
})

test.each([
  ["the first of both names", ["States.HeartbeatTimeout"], ["States.Timeout"], "first"],
  ["whichever stands first", ["States.Timeout"], ["States.HeartbeatTimeout"], "first"],
  ["States.Timeout, but not States.TaskFailed", ["States.TaskFailed"], ["States.Timeout"], "second"],
])("a missed heartbeat is caught by %s", async (_name, first, second, expected) => {
  const Catch = [
    { ErrorEquals: first, Output: "first", Next: "Caught" },
    { ErrorEquals: second, Output: "second", Next: "Caught" },
  ]
  const { execution, ended } = await begun({ HeartbeatSeconds: 300, TimeoutSeconds: 3_600, Catch })
  clock.move(301)
  expect(await ended(execution)).toMatchObject({ status: "SUCCEEDED", output: { caught: expected } })
})

test("a timeout is not caught by States.HeartbeatTimeout", async () => {
  const Catch = [
    { ErrorEquals: ["States.HeartbeatTimeout"], Output: "heartbeat", Next: "Caught" },
    { ErrorEquals: ["States.Timeout"], Output: "timeout", Next: "Caught" },
  ]
  const { execution, token, ended } = await begun({ HeartbeatSeconds: 300, TimeoutSeconds: 301, Catch })
  clock.move(200)
  await beat(token)
  clock.move(102)
  expect(await ended(execution)).toMatchObject({ output: { caught: "timeout" } })
})

test("a function that does not come back in time has timed out, and what it says later changes nothing", async () => {
  let answer: (value: string) => void = () => undefined
  const slow = () => new Promise<string>((resolve) => (answer = resolve))
  opened = await open(
    clock.folder,
    {
      m: machine({
        T: invoking("slow", { TimeoutSeconds: 10, Catch: [{ ErrorEquals: ["States.ALL"], Next: "W" }], End: true }),
        W: { Type: "Wait", Seconds: 100, End: true },
      }),
    },
    { invoke: slow },
  )
  const execution = await opened.start("m")
  await expect.poll(() => opened!.types(execution)).toContain("TaskStarted")
  clock.move(11)
  await expect.poll(() => opened!.types(execution)).toContain("WaitStateEntered")
  answer("late")
  clock.move(101)
  expect(await opened.ended(execution)).toMatchObject({ status: "SUCCEEDED", output: { Error: "States.Timeout", Cause: "" } })
  expect(await opened.types(execution)).not.toContain("TaskSucceeded")
})
