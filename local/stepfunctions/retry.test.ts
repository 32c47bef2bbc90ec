import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { invoking, machine, makeClock, type Opened, open } from "./fixture.ts"

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

const thrown = (name: string) => Object.assign(new Error(`a ${name}`), { name })
const caught = { Type: "Pass", End: true }
const wait = machine({ W: { Type: "Wait", Seconds: "{% $states.input %}", End: true } })

/** A task whose calls end as told, one after the other; then they succeed. */
const one = async (fields: object, errors: string[]) => {
  const calls: unknown[] = []
  const invoke = async (_name: string, payload: unknown) => {
    calls.push(payload)
    const error = errors[calls.length - 1]
    if (error) throw thrown(error)
    return "done"
  }
  const result = { Output: "{% $states.result.Payload %}", End: true }
  opened = await open(
    clock.folder,
    { m: machine({ T: invoking("f", { ...result, ...fields }), Caught: caught }), wait },
    { invoke },
  )
  return { ...opened, calls }
}

const called = (calls: unknown[], times: number) => vi.waitFor(() => expect(calls).toHaveLength(times), 10_000)

/** Waits until the execution is between two attempts, which is when its history ends with a failure. */
const betweenAttempts = (execution: string, failures: number) =>
  vi.waitFor(async () => {
    const types = await opened!.types(execution)
    expect(types.filter((type) => type === "TaskFailed")).toHaveLength(failures)
    expect(types.at(-1)).toBe("TaskFailed")
  }, 10_000)

test("retries come after IntervalSeconds, growing by BackoffRate up to MaxDelaySeconds, and no earlier", async () => {
  const Retry = [{ ErrorEquals: ["E"], IntervalSeconds: 1_000, BackoffRate: 3, MaxDelaySeconds: 5_000, MaxAttempts: 3 }]
  const { start, ended, calls } = await one({ Retry }, ["E", "E", "E", "E"])
  const execution = await start("m")
  for (const [index, delay] of [1_000, 3_000, 5_000].entries()) {
    await betweenAttempts(execution, index + 1)
    // Once something that waited for less is through, the clock has been looked at.
    const sooner = await start("wait", delay - 110)
    clock.move(delay - 100)
    await ended(sooner)
    expect(calls).toHaveLength(index + 1)
    clock.move(101)
    await called(calls, index + 2)
  }
  expect(await ended(execution)).toMatchObject({ status: "FAILED", error: "E" })
})

test("a retry enters no state anew, evaluates its Arguments again and counts in the context", async () => {
  const Arguments = { FunctionName: "f", Payload: "{% $states.context.State.RetryCount %}" }
  const { start, ended, calls, types } = await one({ Arguments, Retry: [{ ErrorEquals: ["States.ALL"] }] }, ["A", "B"])
  const execution = await start("m")
  await betweenAttempts(execution, 1)
  clock.move(2)
  await betweenAttempts(execution, 2)
  clock.move(3)
  expect(await ended(execution)).toMatchObject({ status: "SUCCEEDED", output: "done" })
  expect(calls).toEqual([0, 1, 2])
  const attempt = ["TaskScheduled", "TaskStarted"]
  const failed = [...attempt, "TaskFailed"]
  const expected = ["ExecutionStarted", "TaskStateEntered", ...failed, ...failed, ...attempt, "TaskSucceeded", "TaskStateExited"]
  expect(await types(execution)).toEqual([...expected, "ExecutionSucceeded"])
})

test("full jitter waits no longer than the delay", async () => {
  const Retry = [{ ErrorEquals: ["E"], IntervalSeconds: 100_000, JitterStrategy: "FULL" }]
  const { start, ended } = await one({ Retry }, ["E"])
  const execution = await start("m")
  await betweenAttempts(execution, 1)
  clock.move(100_001)
  expect(await ended(execution)).toMatchObject({ status: "SUCCEEDED" })
})

test("every Retry entry counts for itself, and one that is used up leaves it to Catch, not to a later entry", async () => {
  const Retry = [
    { ErrorEquals: ["A"], IntervalSeconds: 1, MaxAttempts: 1 },
    { ErrorEquals: ["B"], IntervalSeconds: 1, MaxAttempts: 1 },
    { ErrorEquals: ["States.ALL"], IntervalSeconds: 1, MaxAttempts: 9 },
  ]
  const { start, ended, calls } = await one({ Retry, Catch: [{ ErrorEquals: ["States.ALL"], Next: "Caught" }] }, [
    "A",
    "B",
    "A",
    "none",
  ])
  const execution = await start("m")
  await betweenAttempts(execution, 1)
  clock.move(2)
  await betweenAttempts(execution, 2)
  clock.move(2)
  expect(await ended(execution)).toMatchObject({ status: "SUCCEEDED", output: { Error: "A" } })
  expect(calls).toHaveLength(3)
})

test("MaxAttempts 0 means never", async () => {
  const Retry = [{ ErrorEquals: ["E"], MaxAttempts: 0 }, { ErrorEquals: ["States.ALL"] }]
  const { run, calls } = await one({ Retry }, ["E"])
  expect(await run("m")).toMatchObject({ status: "FAILED", error: "E" })
  expect(calls).toHaveLength(1)
})

test("a state that is entered again has its attempts back", async () => {
  const flaky = ["E", "", "E", ""]
  let index = 0
  const invoke = async () => {
    const error = flaky[index++]
    if (error) throw thrown(error)
    return null
  }
  const states = {
    T: invoking("f", {
      Retry: [{ ErrorEquals: ["E"], MaxAttempts: 1 }],
      Assign: { n: "{% $exists($n) ? $n + 1 : 1 %}" },
      Next: "C",
    }),
    C: { Type: "Choice", Choices: [{ Condition: "{% $n < 2 %}", Next: "T" }], Default: "S" },
    S: { Type: "Succeed" },
  }
  opened = await open(clock.folder, { m: machine(states) }, { invoke })
  const execution = await opened.start("m")
  await betweenAttempts(execution, 1)
  clock.move(2)
  await betweenAttempts(execution, 2)
  clock.move(2)
  expect(await opened.ended(execution)).toMatchObject({ status: "SUCCEEDED" })
})

test("the first Catch that names the error takes it, with the error as output unless it has its own", async () => {
  const Catch = [
    { ErrorEquals: ["Other"], Next: "Caught" },
    {
      ErrorEquals: ["More", "E"],
      Output: { got: "{% $states.errorOutput.Error %}", from: "{% $states.input %}" },
      Assign: { e: "{% $states.errorOutput %}" },
      Next: "Caught",
    },
    { ErrorEquals: ["States.ALL"], Next: "Caught" },
  ]
  const { start, ended, history } = await one({ Catch }, ["E", "F"])
  const first = await start("m", { a: 1 })
  expect(await ended(first)).toMatchObject({ status: "SUCCEEDED", output: { got: "E", from: { a: 1 } } })
  const exit = (await history(first)).find(({ type }) => type === "TaskStateExited")
  expect(JSON.parse(exit?.stateExitedEventDetails?.assignedVariables?.e ?? "")).toMatchObject({ Error: "E" })
  const second = await ended(await start("m"))
  expect(second).toMatchObject({ status: "SUCCEEDED", output: { Error: "F" } })
  expect(JSON.parse((second.output as { Cause: string }).Cause)).toMatchObject({ errorType: "F", errorMessage: "a F" })
})

test("States.TaskFailed takes what a function throws", async () => {
  const { run } = await one({ Catch: [{ ErrorEquals: ["States.TaskFailed"], Next: "Caught" }] }, ["Anything"])
  expect(await run("m")).toMatchObject({ output: { Error: "Anything" } })
})

test("errors of Lambda itself keep their name and tell their cause as a sentence", async () => {
  const Retry = [{ ErrorEquals: ["Lambda.TooManyRequestsException"], IntervalSeconds: 1, MaxAttempts: 1 }]
  const Catch = [{ ErrorEquals: ["Lambda.ServiceException"], Next: "Caught" }]
  const { start, ended } = await one({ Retry, Catch }, ["Lambda.TooManyRequestsException", "Lambda.ServiceException"])
  const execution = await start("m")
  await betweenAttempts(execution, 1)
  clock.move(2)
  expect(await ended(execution)).toMatchObject({
    output: { Error: "Lambda.ServiceException", Cause: "a Lambda.ServiceException" },
  })
})

test("an Output that cannot be evaluated can be caught", async () => {
  const { run } = await one(
    { Output: "{% $states.result.none %}", Catch: [{ ErrorEquals: ["States.QueryEvaluationError"], Next: "Caught" }] },
    [],
  )
  expect(await run("m")).toMatchObject({ output: { Error: "States.QueryEvaluationError" } })
})

test("a Catch whose own Output cannot be evaluated fails the execution", async () => {
  const { run } = await one({ Catch: [{ ErrorEquals: ["States.ALL"], Output: "{% $nothing %}", Next: "Caught" }] }, ["E"])
  expect(await run("m")).toMatchObject({ status: "FAILED", error: "States.QueryEvaluationError" })
})

test("States.ALL does not take States.DataLimitExceeded, but its own name does", async () => {
  const Arguments = { FunctionName: "f", Payload: "{% $pad('', 262143) %}" }
  const all = await one({ Arguments, Catch: [{ ErrorEquals: ["States.ALL"], Next: "Caught" }] }, [])
  expect(await all.run("m")).toMatchObject({ status: "FAILED", error: "States.DataLimitExceeded" })
  await all.close()
  const named = await one({ Arguments, Catch: [{ ErrorEquals: ["States.DataLimitExceeded"], Next: "Caught" }] }, [])
  expect(await named.run("m")).toMatchObject({ status: "SUCCEEDED", output: { Error: "States.DataLimitExceeded" } })
})
