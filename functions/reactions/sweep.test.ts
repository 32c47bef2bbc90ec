import { DescribeExecutionCommand, StopExecutionCommand } from "@aws-sdk/client-sfn"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { newAccount } from "#test/app.ts"
import { invoke, items, sfnOf } from "#test/aws.ts"
import { type Container, containerOf, statusOf, type Task } from "#test/container.ts"
import { newAgent, newTask } from "#test/make.ts"
import { type OwnStack, ownStack } from "#test/stack.ts"
import { moveTime } from "#test/time.ts"

// The stack of this file has nobody who reads the table's stream: whatever should follow from a commit does not happen.

const time = moveTime()
const minutes = 60_000
let app: OwnStack
let account: Awaited<ReturnType<typeof newAccount>>

beforeAll(async () => {
  app = await ownStack({}, undefined, { idle: true, rewire: (wiring) => ({ ...wiring, eventSources: [] }) })
  account = await newAccount(app, { creditUsd: 20 })
})

afterAll(async () => {
  await app.stop()
  time.release()
})

const dispatched = async () => newTask(account, (await newAgent(account)).id)
const sweep = () => invoke(app, "dormouse-reactions-sweep", { source: "aws.events", "detail-type": "Scheduled Event" })
const runsOf = (task: Task) => items(app, `${account.accountId}#${task.id}`, "run#")
const rowOf = async (task: Task) => (await items(app, `${account.accountId}#${task.id}`, "task"))[0]!
const executionOf = (task: Task) => `arn:aws:states:us-east-1:000000000000:execution:dormouse-task:${task.id}-1`
const executionStatus = async (task: Task) =>
  (await sfnOf(app).send(new DescribeExecutionCommand({ executionArn: executionOf(task) }))).status

/** A task whose execution the sweeper had to start, with its container at work. */
const swept = async (): Promise<Container> => {
  const task = await dispatched()
  time.advance(11 * minutes)
  await sweep()
  const container = await containerOf(app, account.accountId, task)
  await container.claim()
  return container
}

describe("a task whose execution was never started", () => {
  test("works: after ten minutes it is found and started, once", async () => {
    const task = await dispatched()
    await sweep()
    expect(await runsOf(task)).toEqual([])

    time.advance(11 * minutes)
    await Promise.all([sweep(), sweep()])
    const container = await containerOf(app, account.accountId, task)
    expect((await container.claim()).status).toBe(200)
    expect(await runsOf(task)).toHaveLength(1)
    await container.send("complete", { result: null })
  })

  test("twice: it is left alone for an hour", async () => {
    const container = await swept()
    const before = await rowOf(container.task)
    expect(await sweep()).toEqual({ tasks: 0, deliveries: 0 })
    expect(await rowOf(container.task)).toEqual(before)
    await container.send("complete", { result: null })
  })
})

describe("a task that has ended", () => {
  test("absent: is not looked at, however late it is", async () => {
    const container = await swept()
    await container.send("complete", { result: null })
    time.advance(100 * 60 * minutes)
    expect(await sweep()).toEqual({ tasks: 0, deliveries: 0 })
  })
})

describe("an execution that ended badly", () => {
  test("works: its task fails at once, its container is stopped and its reservation is given back", async () => {
    const container = await swept()
    const balance = async () => (await account.send("GET /account")).body.creditBalance
    const before = await balance()
    await sfnOf(app).send(
      new StopExecutionCommand({ executionArn: executionOf(container.task), error: "Operator", cause: "Stopped by hand." }),
    )
    await expect
      .poll(async () => (await account.send(`GET /tasks/${container.task.id}`)).body, { timeout: 10_000 })
      .toMatchObject({ status: "failed", error: "The task could not be run: Stopped by hand.", costUsd: 0 })
    await expect.poll(() => statusOf(app, container), { timeout: 10_000 }).toBe("STOPPED")
    expect(await balance()).toBe(before + 0.5)
  })

  test("twice: being told of it again changes nothing", async () => {
    const container = await swept()
    await sfnOf(app).send(new StopExecutionCommand({ executionArn: executionOf(container.task) }))
    await expect.poll(async () => (await rowOf(container.task)).status, { timeout: 10_000 }).toBe("failed")
    const before = await items(app, `${account.accountId}#${container.task.id}`)
    await invoke(app, "dormouse-reactions-sweep", {
      "detail-type": "Step Functions Execution Status Change",
      detail: { executionArn: executionOf(container.task), status: "ABORTED" },
    })
    expect(await items(app, `${account.accountId}#${container.task.id}`)).toEqual(before)
  })

  test("absent: an execution that is not there is nothing", async () => {
    const event = {
      "detail-type": "Step Functions Execution Status Change",
      detail: { executionArn: executionOf({ id: "tsk_nothing" }), status: "FAILED" },
    }
    expect(await invoke(app, "dormouse-reactions-sweep", event)).toBeNull()
  })
})

describe("an execution that was not told that its run has ended", () => {
  test("meanwhile: finds out by its heartbeat, starts nothing more and succeeds", async () => {
    const container = await swept()
    await container.send("complete", { result: "Done." })
    expect(await executionStatus(container.task)).toBe("RUNNING")
    time.advance(6 * minutes)
    await expect.poll(() => executionStatus(container.task), { timeout: 15_000 }).toBe("SUCCEEDED")
    expect(await runsOf(container.task)).toHaveLength(1)
    expect((await rowOf(container.task)).status).toBe("finished")
  })
})
