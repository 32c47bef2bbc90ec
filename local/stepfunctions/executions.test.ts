import {
  DescribeExecutionCommand,
  DescribeStateMachineCommand,
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  ListStateMachinesCommand,
  paginateGetExecutionHistory,
  paginateListExecutions,
  RedriveExecutionCommand,
  StartExecutionCommand,
  StopExecutionCommand,
} from "@aws-sdk/client-sfn"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { machine, machineArn, makeClock, type Opened, open, role, waiting } from "./fixture.ts"

const pass = machine({ A: { Type: "Pass", Next: "B" }, B: { Type: "Pass", End: true } })
const wait = machine({ W: waiting("f", { End: true }) })
const limited = machine({ W: waiting("f", { End: true }) }, { TimeoutSeconds: 600 })
const fails = machine({ F: { Type: "Fail", Error: "E", Cause: "C" } })
const day = 86_400

let clock: ReturnType<typeof makeClock>
let opened: Opened
let statuses: Record<string, unknown>[]
let events: { executionArn: string; type: string; stateName?: string }[]

beforeEach(async () => {
  clock = makeClock()
  statuses = []
  events = []
  const around = {
    onStatus: (detail: Record<string, unknown>) => statuses.push(detail),
    onEvent: (event: (typeof events)[number]) => events.push(event),
  }
  opened = await open(clock.folder, { pass, wait, limited, fails }, around)
})
afterEach(async () => {
  await opened.close()
  clock.remove()
})

test("starting the same name with the same input while it runs is the same execution", async () => {
  const input = { stateMachineArn: machineArn("wait"), name: "one", input: '{"a":1}' }
  const first = await opened.client.send(new StartExecutionCommand(input))
  clock.move(60)
  const second = await opened.client.send(new StartExecutionCommand(input))
  expect([second.executionArn, second.startDate]).toEqual([first.executionArn, first.startDate])
  expect(statuses).toHaveLength(1)
})

test("a name is taken: by another input at once, by the same input once it is over, and for 90 days", async () => {
  const already = { name: "ExecutionAlreadyExists" }
  const execution = await opened.start("wait", { a: 1 }, "one")
  await expect(opened.start("wait", { a: 2 }, "one")).rejects.toMatchObject(already)
  await opened.client.send(new StopExecutionCommand({ executionArn: execution }))
  await expect(opened.start("wait", { a: 1 }, "one")).rejects.toMatchObject(already)
  clock.move(89 * day)
  await expect(opened.start("wait", { a: 1 }, "one")).rejects.toMatchObject(already)
  clock.move(2 * day)
  expect(await opened.start("wait", { a: 2 }, "one")).toBe(execution)
  expect((await opened.describe(execution)).input).toBe('{"a":2}')
  expect((await opened.types(execution))[0]).toBe("ExecutionStarted")
})

test("the same name may be used by two machines", async () => {
  expect(await opened.start("wait", {}, "one")).not.toBe(await opened.start("pass", {}, "one"))
})

test("of many starts of one name at once, one execution comes", async () => {
  const arns = await Promise.all(Array.from({ length: 10 }, () => opened.start("wait", {}, "race")))
  expect(new Set(arns).size).toBe(1)
  expect(statuses).toHaveLength(1)
})

test.each(["", "a b", "a/b", "a:b", "a*", "a\u0007", "x".repeat(81), 'quo"te', "a,b"])("the name %j is refused", async (name) => {
  await expect(opened.start("pass", {}, name)).rejects.toMatchObject({ name: "InvalidName" })
})

test.each(["x".repeat(80), "tsk_01J.gen-1", "ä(1)"])("the name %j is taken", async (name) => {
  expect(await opened.ended(await opened.start("pass", {}, name))).toMatchObject({ status: "SUCCEEDED" })
})

test("an input that is no JSON, or too large, is refused", async () => {
  const start = (input: string) => opened.client.send(new StartExecutionCommand({ stateMachineArn: machineArn("pass"), input }))
  await expect(start("{")).rejects.toMatchObject({ name: "InvalidExecutionInput" })
  await expect(start(JSON.stringify("ä".repeat(131_072)))).rejects.toMatchObject({ name: "ValidationException" })
  await expect(start(JSON.stringify("ä".repeat(131_071)))).resolves.toBeDefined()
})

test("what does not exist is said to", async () => {
  const { client } = opened
  await expect(opened.start("none")).rejects.toMatchObject({ name: "StateMachineDoesNotExist" })
  const executionArn = "arn:aws:states:eu-central-1:000000000000:execution:pass:none"
  const missing = { name: "ExecutionDoesNotExist" }
  await expect(client.send(new DescribeExecutionCommand({ executionArn }))).rejects.toMatchObject(missing)
  await expect(client.send(new GetExecutionHistoryCommand({ executionArn }))).rejects.toMatchObject(missing)
  await expect(client.send(new StopExecutionCommand({ executionArn }))).rejects.toMatchObject(missing)
  await expect(client.send(new DescribeExecutionCommand({ executionArn: "nonsense" }))).rejects.toMatchObject({
    name: "InvalidArn",
  })
  const redrive = new RedriveExecutionCommand({ executionArn })
  await expect(client.send(redrive)).rejects.toMatchObject({ name: "UnknownOperationException" })
})

test("DescribeExecution tells of an execution from start to end", async () => {
  const execution = await opened.start("fails", { a: 1 }, "one")
  await opened.ended(execution)
  expect(await opened.describe(execution)).toMatchObject({
    executionArn: execution,
    stateMachineArn: machineArn("fails"),
    name: "one",
    status: "FAILED",
    startDate: expect.any(Date),
    stopDate: expect.any(Date),
    input: '{"a":1}',
    error: "E",
    cause: "C",
  })
})

test("StopExecution aborts, once, and says when", async () => {
  const execution = await opened.start("wait")
  const stop = () =>
    opened.client.send(new StopExecutionCommand({ executionArn: execution, error: "Cancelled", cause: "by hand" }))
  const { stopDate } = await stop()
  clock.move(60)
  expect((await stop()).stopDate).toEqual(stopDate)
  expect(await opened.ended(execution)).toMatchObject({ status: "ABORTED", error: "Cancelled", cause: "by hand" })
  const last = (await opened.history(execution)).at(-1)
  expect(last).toMatchObject({ type: "ExecutionAborted", executionAbortedEventDetails: { error: "Cancelled", cause: "by hand" } })
})

test("an execution that takes longer than its machine's TimeoutSeconds has timed out", async () => {
  const execution = await opened.start("limited")
  await expect.poll(() => opened.types(execution)).toContain("TaskSubmitted")
  clock.move(601)
  expect(await opened.ended(execution)).toMatchObject({ status: "TIMED_OUT" })
  expect((await opened.types(execution)).at(-1)).toBe("ExecutionTimedOut")
})

test("ListExecutions gives the newest first, by status, page by page", async () => {
  const { client } = opened
  const started: string[] = []
  for (let index = 0; index < 7; index++) started.push(await opened.start(index % 2 ? "fails" : "wait"))
  const waits = started.filter((_, index) => index % 2 === 0)
  const found: string[] = []
  let pages = 0
  for await (const { executions } of paginateListExecutions({ client, pageSize: 3 }, { stateMachineArn: machineArn("wait") })) {
    found.push(...(executions ?? []).map(({ executionArn }) => executionArn!))
    pages++
  }
  expect([found, pages]).toEqual([waits.toReversed(), 2])
  await opened.client.send(new StopExecutionCommand({ executionArn: waits[1] }))
  const list = async (statusFilter: "RUNNING" | "ABORTED") =>
    (await client.send(new ListExecutionsCommand({ stateMachineArn: machineArn("wait"), statusFilter }))).executions?.map(
      ({ executionArn }) => executionArn,
    )
  expect(await list("ABORTED")).toEqual([waits[1]])
  expect(await list("RUNNING")).toEqual([waits[3], waits[2], waits[0]])
})

test("a token of another list, or none of ours, is an InvalidToken", async () => {
  const { client } = opened
  await opened.start("wait")
  await opened.start("wait")
  const { nextToken } = await client.send(new ListExecutionsCommand({ stateMachineArn: machineArn("wait"), maxResults: 1 }))
  const invalid = { name: "InvalidToken" }
  for (const token of [nextToken, "nonsense"]) {
    const list = new ListExecutionsCommand({ stateMachineArn: machineArn("pass"), nextToken: token })
    await expect(client.send(list)).rejects.toMatchObject(invalid)
  }
})

test("GetExecutionHistory gives its pages in either order, and leaves the data out on demand", async () => {
  const { client } = opened
  const executionArn = await opened.start("pass", { secret: 1 })
  await opened.ended(executionArn)
  const expected = [
    "ExecutionStarted",
    "PassStateEntered",
    "PassStateExited",
    "PassStateEntered",
    "PassStateExited",
    "ExecutionSucceeded",
  ]
  for (const reverseOrder of [false, true]) {
    const types: string[] = []
    for await (const page of paginateGetExecutionHistory({ client, pageSize: 4 }, { executionArn, reverseOrder })) {
      types.push(...(page.events ?? []).map(({ type }) => type!))
    }
    expect(types).toEqual(reverseOrder ? expected.toReversed() : expected)
  }
  const bare = await client.send(new GetExecutionHistoryCommand({ executionArn, includeExecutionData: false }))
  expect(JSON.stringify(bare.events)).not.toContain("secret")
  expect(bare.events?.[1]?.stateEnteredEventDetails?.name).toBe("A")
})

test("the bus is told of every change of status, in AWS's shape", async () => {
  const execution = await opened.start("fails", { a: 1 }, "one")
  await opened.ended(execution)
  const { startDate, stopDate } = await opened.describe(execution)
  expect(statuses.map(({ status }) => status)).toEqual(["RUNNING", "FAILED"])
  expect(statuses[1]).toEqual({
    executionArn: execution,
    stateMachineArn: machineArn("fails"),
    name: "one",
    status: "FAILED",
    startDate: startDate!.getTime(),
    stopDate: stopDate!.getTime(),
    input: '{"a":1}',
    output: null,
    inputDetails: { included: true },
    outputDetails: null,
    stateMachineVersionArn: null,
    stateMachineAliasArn: null,
    redriveCount: 0,
    redriveDate: null,
    redriveStatus: "NOT_REDRIVABLE",
    redriveStatusReason: expect.any(String),
    error: "E",
    cause: "C",
  })
})

test("every event of a history is told once, with its state's name", async () => {
  const execution = await opened.start("pass")
  await opened.ended(execution)
  expect(events.map(({ type }) => type)).toEqual(await opened.types(execution))
  expect(events[1]).toEqual({ executionArn: execution, type: "PassStateEntered", stateName: "A" })
})

test("a listener that throws stops nothing, and a change of status that it missed is announced again", async () => {
  const errors = vi.spyOn(console, "error").mockImplementation(() => undefined)
  const heard: unknown[] = []
  const bus: { down: boolean } = { down: true }
  const onStatus = (detail: Record<string, unknown>) => {
    if (bus.down) throw new Error("the bus is down")
    heard.push(detail.status)
  }
  await opened.close()
  opened = await open(clock.folder, { pass }, { onStatus })
  await opened.run("pass")
  expect(errors).toHaveBeenCalled()
  errors.mockRestore()
  bus.down = false
  await opened.close()
  opened = await open(clock.folder, { pass }, { onStatus })
  expect(heard).toEqual(["RUNNING", "SUCCEEDED"])
})

test("an execution that runs goes on by the definition that it was started with, after its machine has changed or gone", async () => {
  const slow = (output: string) => ({ m: machine({ W: { Type: "Wait", Seconds: 60, Output: output, End: true } }) })
  await opened.close()
  opened = await open(clock.folder, slow("old"))
  const execution = await opened.start("m")
  await expect.poll(() => opened.types(execution)).toContain("WaitStateEntered")
  await opened.close()
  opened = await open(clock.folder, {})
  clock.move(61)
  expect(await opened.ended(execution)).toMatchObject({ status: "SUCCEEDED", output: "old" })
})

test("state machines can be listed and described", async () => {
  const { client } = opened
  const { stateMachines } = await client.send(new ListStateMachinesCommand({ maxResults: 3 }))
  expect(stateMachines?.map(({ name }) => name)).toEqual(["fails", "limited", "pass"])
  const described = await client.send(new DescribeStateMachineCommand({ stateMachineArn: machineArn("pass") }))
  expect(described).toMatchObject({
    name: "pass",
    roleArn: role,
    status: "ACTIVE",
    type: "STANDARD",
    creationDate: expect.any(Date),
  })
  expect(JSON.parse(described.definition!)).toEqual(pass)
})
