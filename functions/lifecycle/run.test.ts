import { DescribeTasksCommand, ListTasksCommand } from "@aws-sdk/client-ecs"
import { UpdateCommand } from "@aws-sdk/lib-dynamodb"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { newAccount } from "#test/app.ts"
import { addRunning, ecsOf, type Item, invoke, items, tableOf } from "#test/aws.ts"
import { containerOf, forgetArn, statusOf, type Task } from "#test/container.ts"
import { newAgent, newTask } from "#test/make.ts"
import { type OwnStack, ownStack } from "#test/stack.ts"

// Nobody reads the table's stream here, so that no execution starts and the function is called by the test alone.

let app: OwnStack
let account: Awaited<ReturnType<typeof newAccount>>

beforeAll(async () => {
  app = await ownStack({}, undefined, { idle: true, rewire: (wiring) => ({ ...wiring, eventSources: [] }) })
  account = await newAccount(app, { creditUsd: 20 })
})

afterAll(() => app.stop())

const dispatched = async (overrides: object = {}) => newTask(account, (await newAgent(account)).id, { overrides })
const run = (task: Task, entry: string, token = `token of ${entry}`) =>
  invoke(app, "dormouse-lifecycle-run", { accountId: account.accountId, taskId: task.id, generation: 1, entry, tries: 0, token })
const stored = (task: Task, prefix: string) => items(app, `${account.accountId}#${task.id}`, prefix)

/** Containers of a run that ECS has started, running or not. */
const containersOf = async (task: Task) => {
  const runs = await stored(task, "run#")
  const found = runs.map(async ({ runId, region, cluster }) => {
    const startedBy = `${account.accountId}/${task.id}/${runId}`
    const lists = (["RUNNING", "STOPPED"] as const).map((desiredStatus) =>
      ecsOf(app, region).send(new ListTasksCommand({ cluster, startedBy, desiredStatus })),
    )
    return (await Promise.all(lists)).flatMap(({ taskArns }) => taskArns!)
  })
  return (await Promise.all(found)).flat()
}

describe("a start", () => {
  test("works: one run, one wait and one container, which can claim it", async () => {
    const task = await dispatched()
    await run(task, "entry 1")
    expect(await stored(task, "run#")).toMatchObject([{ attempt: 1, status: "starting", region: "us-east-1", entry: "entry 1" }])
    expect(await stored(task, "wait#")).toMatchObject([{ token: "token of entry 1" }])
    expect(await containersOf(task)).toHaveLength(1)
    const container = await containerOf(app, account.accountId, task)
    expect((await container.claim()).status).toBe(200)
  })

  test("works: the container's bill carries the tag of its tenant", async () => {
    const task = await dispatched()
    await run(task, "entry 1")
    const [row] = await stored(task, "run#")
    const asked = new DescribeTasksCommand({ cluster: row!.cluster, tasks: await containersOf(task), include: ["TAGS"] })
    const { tasks } = await ecsOf(app, row!.region).send(asked)
    expect(tasks).toMatchObject([{ tags: [{ key: "dormouse:tenant", value: "dormouse" }] }])
  })

  test("works: a task for eu runs there", async () => {
    const task = await dispatched({ runtimeRegion: "eu" })
    await run(task, "entry 1")
    expect(await stored(task, "run#")).toMatchObject([{ region: "eu-central-1" }])
    const container = await containerOf(app, account.accountId, task)
    expect(container.arn).toMatch(/^arn:aws:ecs:eu-central-1:/)
    expect((await container.claim()).status).toBe(200)
  })

  test("works: tasks of one image share a task definition, those of another do not", async () => {
    const one = await dispatched()
    const other = await dispatched()
    const agent = await newAgent(account, { runtime: { containerImage: "alpine:3", agentRuntime: "pi" } })
    const third = await newTask(account, agent.id)
    for (const task of [one, other, third]) await run(task, "entry 1")
    const [a, b, c] = (await Promise.all([one, other, third].map((task) => stored(task, "run#")))).map(
      ([row]) => row!.taskDefinition,
    )
    expect(b).toBe(a)
    expect(c).not.toBe(a)
  })

  test("twice: the same entry again is the same container, with the new token", async () => {
    const task = await dispatched()
    await run(task, "entry 1", "one")
    await run(task, "entry 1", "two")
    await run(task, "entry 1", "three")
    expect(await stored(task, "run#")).toHaveLength(1)
    expect(await stored(task, "wait#")).toMatchObject([{ token: "three" }])
    expect(await containersOf(task)).toHaveLength(1)
  })

  test("twice: the same entry again is the same container, though it would be started otherwise by now", async () => {
    const task = await dispatched()
    const agent = await newAgent(account, { runtime: { containerImage: "alpine:3", agentRuntime: "pi" } })
    const other = await newTask(account, agent.id)
    for (const one of [task, other]) await run(one, "entry 1")
    const container = await containerOf(app, account.accountId, task)
    // The first try did not live to say which container it is, and what it said to ECS is not what is said now.
    await forgetArn(app, account.accountId, container)
    const [{ pk, sk }, { taskDefinition }] = await Promise.all(
      [task, other].map(async (one) => (await stored(one, "run#"))[0]!) as [Promise<Item>, Promise<Item>],
    )
    const change = { UpdateExpression: "SET taskDefinition = :other", ExpressionAttributeValues: { ":other": taskDefinition } }
    await tableOf(app).send(new UpdateCommand({ TableName: "dormouse", Key: { pk, sk }, ...change }))
    await run(task, "entry 1", "again")
    expect(await containersOf(task)).toEqual([container.arn])
    expect(await stored(task, "run#")).toMatchObject([{ containerArn: container.arn }])
  })

  test("meanwhile: the same entry twice at once is one container once the refused one was tried again", async () => {
    const task = await dispatched()
    const results = await Promise.allSettled([run(task, "entry 1"), run(task, "entry 1")])
    for (const result of results) if (result.status === "rejected") expect(result.reason.name).toBe("Problem")
    await run(task, "entry 1")
    expect(await stored(task, "run#")).toHaveLength(1)
    expect(await containersOf(task)).toHaveLength(1)
  })

  test("twice: a run that was claimed already is not started again", async () => {
    const task = await dispatched()
    await run(task, "entry 1")
    const container = await containerOf(app, account.accountId, task)
    await container.claim()
    const [before] = await stored(task, "run#")
    await run(task, "entry 1", "again")
    expect(await stored(task, "run#")).toEqual([before])
    expect(await stored(task, "wait#")).toMatchObject([{ token: "again" }])
  })
})

describe("an account that has as many tasks running as it may", () => {
  test("works: what comes then queues and is no attempt, and nobody overtakes it", async () => {
    const own = await newAccount(app, { creditUsd: 20 })
    const agent = await newAgent(own)
    const start = (task: Task, entry: string) =>
      invoke(app, "dormouse-lifecycle-run", {
        accountId: own.accountId,
        taskId: task.id,
        generation: 1,
        entry,
        tries: 0,
        token: "token",
      })
    const countOf = async () => (await own.send("GET /account")).body.runningTasks.count
    const { quota } = (await own.send("GET /account")).body.runningTasks
    const runsOf = (task: Task) => items(app, `${own.accountId}#${task.id}`, "run#")
    const rowOf = async (task: Task) => (await items(app, `${own.accountId}#${task.id}`, "task"))[0]!
    await addRunning(app, own.accountId, quota - 1)
    const [first, second, third] = [await newTask(own, agent.id), await newTask(own, agent.id), await newTask(own, agent.id)]

    await start(first, "entry 1")
    await start(second, "entry 1")
    expect([await countOf(), await runsOf(second)]).toEqual([quota, []])
    expect(await rowOf(second)).toMatchObject({ status: "pending", isQueued: true, attempt: 0 })

    // One place is free, and it is the second one's.
    await addRunning(app, own.accountId, -1)
    await start(third, "entry 1")
    expect(await rowOf(third)).toMatchObject({ status: "pending", isQueued: true })
    await start(second, "entry 2")
    expect(await rowOf(second)).toMatchObject({ isQueued: false, attempt: 1 })
    expect([await countOf(), (await runsOf(second)).length, await runsOf(third)]).toEqual([quota, 1, []])
    expect((await items(app, `${own.accountId}#queued`)).map(({ taskId }) => taskId)).toEqual([third.id])

    // A place that comes free while nobody looks is found as the task begins to wait for one.
    await addRunning(app, own.accountId, -1)
    await invoke(app, "dormouse-lifecycle-park", {
      accountId: own.accountId,
      taskId: third.id,
      entry: "entry 2",
      tries: 0,
      token: "token",
      parkSeconds: 3_600,
    })
    expect(await rowOf(third)).toMatchObject({ isQueued: false })
    expect(await items(app, `${own.accountId}#${third.id}`, "signal#")).toMatchObject([{ as: "success" }])
  })
})

describe("the next attempt", () => {
  test("works: the run before is lost, its token good for nothing and its container stopped", async () => {
    const task = await dispatched()
    await run(task, "entry 1")
    const before = await containerOf(app, account.accountId, task)
    await before.claim()
    await run(task, "entry 2")
    const after = await containerOf(app, account.accountId, task, 2)
    expect((await before.send("heartbeat", {})).body.error.code).toBe("lease_lost")
    expect((await after.claim()).status).toBe(200)
    await expect.poll(() => statusOf(app, before), { timeout: 10_000 }).toBe("STOPPED")
    expect(await stored(task, "run#")).toMatchObject([
      { attempt: 1, status: "lost", reason: "It stopped reporting." },
      { attempt: 2, status: "claimed" },
    ])
  })

  test("works: the container before is stopped also where the call that started it could not say which one it is", async () => {
    const task = await dispatched()
    await run(task, "entry 1")
    const before = await containerOf(app, account.accountId, task)
    await forgetArn(app, account.accountId, before)
    await run(task, "entry 2")
    await expect.poll(() => statusOf(app, before), { timeout: 10_000 }).toBe("STOPPED")
  })

  test("works: after three lost containers in a row there is no fourth", async () => {
    const task = await dispatched()
    for (const entry of ["entry 1", "entry 2", "entry 3"]) await run(task, entry)
    await expect(run(task, "entry 4")).rejects.toMatchObject({
      name: "AttemptsExhausted",
      message: "The container was lost 3 times in a row, at last because: It stopped reporting.",
    })
    expect(await stored(task, "run#")).toHaveLength(3)
  })
})

describe("nothing is started", () => {
  test("meanwhile: for a task that has ended", async () => {
    const task = await dispatched()
    await run(task, "entry 1")
    const container = await containerOf(app, account.accountId, task)
    await container.claim()
    await container.send("complete", { result: null })
    const before = await stored(task, "")
    expect(await run(task, "entry 2")).toBeNull()
    expect(await stored(task, "")).toEqual(before)
    expect(await containersOf(task)).toHaveLength(1)
  })

  test("absent: for a task that was deleted, whose execution ends", async () => {
    expect(await run({ id: "tsk_nothing" }, "entry 1")).toBeNull()
    expect(await stored({ id: "tsk_nothing" }, "")).toEqual([])
  })
})
