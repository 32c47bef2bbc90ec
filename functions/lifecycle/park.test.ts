import { ListExecutionsCommand } from "@aws-sdk/client-sfn"
import { UpdateCommand } from "@aws-sdk/lib-dynamodb"
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest"
import { newAccount } from "#test/app.ts"
import { invoke, items, sfnOf, tableOf } from "#test/aws.ts"
import { type Container, claimedContainer as claimed, containerOf, newContainer, statusOf } from "#test/container.ts"
import { isStubbornYet } from "#test/idle-container.ts"
import { defaults } from "#test/make.ts"
import { type OwnStack, ownStack } from "#test/stack.ts"
import { moveTime } from "#test/time.ts"

// A stack whose clock the test moves: tasks sleep for days and wait for people in no time.

// Where the machine is busy, what takes a moment may take many: nothing here may fail for that.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const time = moveTime()
const minutes = 60_000
const hours = 60 * minutes
const days = 24 * hours
let app: OwnStack
let account: Awaited<ReturnType<typeof newAccount>>
let offset = 0

beforeAll(async () => {
  app = await ownStack({ DORMOUSE_CLOCK: time.path }, undefined, { idle: "stubborn" })
  account = await newAccount(app, { creditUsd: 1_000 })
})

/** Tasks of the running test. What it leaves behind would be lost and started again whenever the next one moves the time. */
const open: Container[] = []

afterEach(async () => {
  for (const { task } of open) await account.send(`POST /tasks/${task.id}/cancel`)
  for (const container of open.splice(0)) await container.send("fail", { error: "The test is over." })
})

const claimedContainer = async (options?: Parameters<typeof claimed>[2]) => {
  const container = await claimed(app, account, options)
  open.push(container)
  return container
}

afterAll(async () => {
  await app.stop()
  time.release()
})

const advance = (ms: number) => {
  offset += ms
  time.advance(ms)
}
const inMs = (ms: number) => new Date(Date.now() + offset + ms).toISOString()
const codeOf = ({ status, body }: { status: number; body: { error?: { code: string } } }) => [status, body.error?.code]
const read = async ({ task }: Container) => (await account.send(`GET /tasks/${task.id}`)).body
const rowOf = async ({ task }: Container) => (await items(app, `${account.accountId}#${task.id}`, "task"))[0]!
const eventsOf = async ({ task }: Container) =>
  (await items(app, `${account.accountId}#${task.id}`, "event#")).map(({ type }) => type.replace("task.", ""))
const listed = async ({ task }: Container) => (await account.send(`GET /conversations/${task.id}/events`)).body.data
const until = (container: Container, status: string) =>
  expect.poll(async () => (await read(container)).status, { timeout: 60_000, interval: 20 }).toBe(status)
const wake = ({ task }: Container, body: object) => account.send(`POST /tasks/${task.id}/wake`, body)
const cancel = ({ task }: Container) => account.send(`POST /tasks/${task.id}/cancel`)
const nextOf = async ({ task }: Container, attempt: number) => {
  const container = await containerOf(app, account.accountId, task, attempt)
  const claim = await container.claim()
  open.push(container)
  return { container, bundle: claim.body.claim.bundle }
}
const sleepFor = (container: Container, ms: number, more: object = {}) =>
  container.send("release", { to: "hibernate", until: inMs(ms), reason: "Waiting for the approval.", ...more })
const tokensOf = async (container: Container) => {
  const { waitId } = await rowOf(container)
  return (await items(app, `${account.accountId}#${container.task.id}`, `wait#${waitId}`)).map(({ token }) => token)
}
/** Once the execution waits where its task does: to move the time before would only interrupt it on its way there. */
const parked = (container: Container) => expect.poll(() => tokensOf(container), { timeout: 60_000 }).toHaveLength(1)
const asleep = async (ms: number, options: object = {}) => {
  const container = await claimedContainer(options)
  const { status, body } = await sleepFor(container, ms)
  expect([status, body.lease?.status]).toEqual([200, "released"])
  await parked(container)
  return container
}
const executions = async ({ task }: Container) => {
  const { stateMachineArn } = { stateMachineArn: "arn:aws:states:us-east-1:000000000000:stateMachine:dormouse-task" }
  const { executions = [] } = await sfnOf(app).send(new ListExecutionsCommand({ stateMachineArn, maxResults: 1000 }))
  return Object.fromEntries(
    executions.filter(({ name }) => name!.startsWith(task.id)).map(({ name, status }) => [name!.split("-").at(-1), status]),
  )
}

describe("a task that hibernates", () => {
  test("sleeps without a container and without cost, and wakes by itself when its time has come", async () => {
    const container = await claimedContainer()
    advance(2 * minutes)
    const wakesAt = inMs(3 * days)
    await container.send("release", { to: "hibernate", until: wakesAt, reason: "Waiting for the approval." })
    expect(await read(container)).toMatchObject({
      status: "hibernating",
      hibernateUntilAt: wakesAt,
      completedAt: null,
      error: null,
    })
    expect((await container.send("heartbeat", {})).body.error.code).toBe("lease_lost")
    await parked(container)
    advance(3 * days - 30 * minutes)
    expect((await read(container)).status).toBe("hibernating")
    advance(31 * minutes)
    const { container: next, bundle } = await nextOf(container, 2)
    expect(bundle.wake).toMatchObject({ cycle: 1, reason: "time", message: null })
    expect(Math.abs(bundle.wake.slept_seconds - 3 * 86_400)).toBeLessThan(3_600)
    expect(bundle.turn).toMatchObject({ number: 1, mode: "autonomous" })
    // The two minutes before it slept are gone.
    expect(bundle.time_left_seconds).toBeLessThanOrEqual(bundle.limits.max_runtime_seconds - 120)
    expect(bundle.time_left_seconds).toBeGreaterThan(0)
    expect(bundle.limits.hibernation.left_seconds).toBeCloseTo(2_592_000 - bundle.wake.slept_seconds, 0)
    await next.send("complete", { result: "Done." })
    const task = await read(next)
    expect(task).toMatchObject({ status: "finished", hibernateUntilAt: null })
    // Two minutes and whatever the test itself took: nothing of the three days.
    expect(task.containerMinutes).toBeGreaterThanOrEqual(2)
    expect(task.containerMinutes).toBeLessThan(10)
    expect(await eventsOf(container)).toEqual([
      "created",
      "turn.queued",
      "turn.started",
      "hibernating",
      "woken",
      "turn.completed",
      "finished",
    ])
    expect(await listed(container)).toMatchObject([
      {
        kind: "hibernation_requested",
        message: `Sleeps until ${wakesAt}: Waiting for the approval.`,
        metadata: { hibernateUntilAt: wakesAt },
      },
      { kind: "hibernation_woken", metadata: { reason: "time" } },
    ])
  })

  test("is woken by a message for its agent, which nobody else sees", async () => {
    const container = await asleep(days)
    const { status, body } = await wake(container, { kind: "message", message: "It is approved: secret-word." })
    expect([status, body.status]).toEqual([200, "running"])
    expect(JSON.stringify([body, await listed(container)])).not.toContain("secret-word")
    const { container: next, bundle } = await nextOf(container, 2)
    expect(bundle.wake).toMatchObject({ reason: "message", message: "It is approved: secret-word." })
    expect(codeOf(await wake(next, { kind: "external_wake" }))).toEqual([422, "not_hibernating"])
  })

  test("is woken from outside, once, however often", async () => {
    const container = await asleep(days)
    const answers = await Promise.all([1, 2, 3].map(() => wake(container, { kind: "external_wake" })))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 422, 422])
    expect((await nextOf(container, 2)).bundle.wake).toMatchObject({ reason: "external_wake", message: null })
    expect((await eventsOf(container)).filter((type) => type === "woken")).toHaveLength(1)
  })

  test("that is woken in the moment that it falls asleep is not left asleep", async () => {
    const containers = await Promise.all(Array.from({ length: 4 }, () => claimedContainer()))
    await Promise.all(
      containers.map(async (container) => {
        await sleepFor(container, days)
        await wake(container, { kind: "external_wake" })
        expect((await nextOf(container, 2)).bundle.wake.reason).toBe("external_wake")
      }),
    )
  })

  test("whose next container is lost hears again why it woke", async () => {
    const container = await asleep(days)
    await wake(container, { kind: "message", message: "Approved." })
    await nextOf(container, 2)
    advance(11 * minutes)
    expect((await nextOf(container, 3)).bundle.wake).toMatchObject({ cycle: 1, message: "Approved." })
  })

  test("is refused what its limits do not allow, in words for its agent, and may choose again", async () => {
    const agent = { defaults: defaults({ maxTimePerHibernationCycle: 3_600, maxAccumulatedTime: 5_000 }) }
    const container = await claimedContainer({ agent })
    const tooLong = await sleepFor(container, 2 * hours)
    expect(codeOf(tooLong)).toEqual([422, "hibernation_too_long"])
    expect(tooLong.body.error).toMatchObject({ maxSeconds: 3_600, message: expect.stringContaining("shorter") })
    expect(codeOf(await sleepFor(container, -1_000))).toEqual([422, "hibernation_in_the_past"])
    expect((await sleepFor(container, 0.9 * hours)).status).toBe(200)
    await parked(container)
    advance(1 * hours)
    const { container: next, bundle } = await nextOf(container, 2)
    expect(bundle.limits.hibernation).toMatchObject({ enabled: true, cycle_seconds: 3_600 })
    expect(bundle.limits.hibernation.left_seconds).toBeLessThan(1_800)
    expect(codeOf(await sleepFor(next, 0.9 * hours))).toEqual([422, "hibernation_too_long"])
    const never = await claimedContainer({ agent: { defaults: defaults({ hibernationEnabled: false }) } })
    expect(codeOf(await sleepFor(never, minutes))).toEqual([422, "hibernation_disabled"])
    const talking = await claimedContainer({ conversation: {} })
    expect(codeOf(await sleepFor(talking, minutes, { after: 1 }))).toEqual([422, "hibernation_in_conversation"])
  })

  test("as a conversation that was handed over: a message wakes it and steers its turn", async () => {
    const container = await claimedContainer({ conversation: {} })
    await container.send("turns/complete", { turn_number: 1 })
    await account.send(`POST /conversations/${container.task.id}/autonomous`, { enabled: true })
    await container.receive({ turn: 1, after: 1 })
    await sleepFor(container, days, { after: 1 })
    const said = await account.send(`POST /conversations/${container.task.id}/messages`, { content: "Faster." })
    expect(said.body).toMatchObject({ task: { status: "running" }, message: { turnNumber: 2, status: "queued" } })
    const { bundle } = await nextOf(container, 2)
    expect(bundle).toMatchObject({
      wake: { reason: "message", message: null },
      turn: { number: 2, mode: "autonomous", messages: [{ content: "Faster." }] },
    })
  })

  test("as a conversation that is taken back: it waits for a message, and for no longer than that", async () => {
    const container = await claimedContainer({ conversation: { overrides: { sessionTtlSeconds: 3_600 } } })
    await container.send("turns/complete", { turn_number: 1 })
    await account.send(`POST /conversations/${container.task.id}/autonomous`, { enabled: true })
    await container.receive({ turn: 1, after: 1 })
    await sleepFor(container, 5 * days, { after: 1 })
    const back = await account.send(`POST /conversations/${container.task.id}/autonomous`, { enabled: false })
    expect(back.body.task).toMatchObject({ status: "awaiting_input", hibernateUntilAt: null })
    await parked(container)
    advance(61 * minutes)
    await until(container, "expired")
  })

  test("goes on in another execution after so many sleeps", async () => {
    const container = await asleep(days)
    const { accountId } = account
    const key = { pk: `${accountId}#${container.task.id}`, sk: "task" }
    const set = { UpdateExpression: "SET parks = :parks", ExpressionAttributeValues: { ":parks": 500 } }
    await tableOf(app).send(new UpdateCommand({ TableName: "dormouse", Key: key, ...set }))
    await wake(container, { kind: "external_wake" })
    const { container: next } = await nextOf(container, 2)
    expect(await rowOf(container)).toMatchObject({ generation: 2, parks: 0 })
    await expect.poll(() => executions(container), { timeout: 60_000 }).toEqual({ "1": "SUCCEEDED", "2": "RUNNING" })
    await sleepFor(next, days)
    await wake(container, { kind: "external_wake" })
    const { container: last } = await nextOf(container, 3)
    await last.send("complete", { result: "Done." })
    await expect.poll(() => executions(container), { timeout: 60_000 }).toEqual({ "1": "SUCCEEDED", "2": "SUCCEEDED" })
  })
})

describe("a conversation that nobody answers", () => {
  const waiting = async () => {
    const container = await claimedContainer({ conversation: { overrides: { sessionTtlSeconds: 600 } } })
    await container.send("turns/complete", { turn_number: 1 })
    await container.send("release", { to: "await_input" })
    await parked(container)
    return container
  }

  test("expires when its time is over, is told of, and gives its reservation back", async () => {
    const before = (await account.send("GET /account")).body.creditBalance
    const container = await waiting()
    advance(11 * minutes)
    await until(container, "expired")
    const { costUsd } = await read(container)
    expect((await account.send("GET /account")).body.creditBalance).toBeCloseTo(before - costUsd, 6)
    expect((await listed(container)).at(-1)).toMatchObject({ kind: "session_expired" })
    const late = await account.send(`POST /conversations/${container.task.id}/messages`, { content: "Hello?" })
    expect(codeOf(late)).toEqual([422, "task_ended"])
    await expect.poll(() => executions(container), { timeout: 60_000 }).toEqual({ "1": "SUCCEEDED" })
  })

  test("goes on instead when the message comes first", async () => {
    const container = await waiting()
    advance(9 * minutes)
    const said = await account.send(`POST /conversations/${container.task.id}/messages`, { content: "Here I am." })
    expect(said.status).toBe(200)
    advance(5 * minutes)
    expect((await nextOf(container, 2)).bundle.turn).toMatchObject({ number: 2, messages: [{ content: "Here I am." }] })
  })

  test("whose warm container is lost waits on without another one", async () => {
    const container = await claimedContainer({ conversation: {} })
    await container.send("turns/complete", { turn_number: 1 })
    advance(11 * minutes)
    await expect.poll(async () => (await rowOf(container)).container, { timeout: 60_000 }).toBe("none")
    expect(await read(container)).toMatchObject({ status: "awaiting_input" })
    await account.send(`POST /conversations/${container.task.id}/messages`, { content: "Still there?" })
    expect((await nextOf(container, 2)).bundle.turn.number).toBe(2)
  })
})

describe("the state Park", () => {
  const park = ({ task }: Container, entry: string, tries = 0, token = `token of ${entry}`) =>
    invoke(app, "dormouse-lifecycle-park", {
      accountId: account.accountId,
      taskId: task.id,
      entry,
      tries,
      token,
      parkSeconds: 60,
    })

  test("twice: a call that comes late never replaces a newer token", async () => {
    const container = await asleep(days)
    const [token] = await tokensOf(container)
    await park(container, "2020-01-01T00:00:00.000Z")
    expect(await tokensOf(container)).toEqual([token])
    await wake(container, { kind: "external_wake" })
    expect((await nextOf(container, 2)).bundle.wake.reason).toBe("external_wake")
  })

  test("meanwhile: a task that was cancelled on its way there is not waited for", async () => {
    const container = await asleep(days)
    await cancel(container)
    const waits = () => items(app, `${account.accountId}#${container.task.id}`, "wait#")
    const before = await waits()
    await expect(park(container, "2100-01-01T00:00:00.000Z")).resolves.toBeNull()
    expect(await waits()).toEqual(before)
  })

  test("absent: a task that was deleted is waited for no longer", async () => {
    await expect(park({ task: { id: "tsk_nothing" } } as Container, "x")).resolves.toBeNull()
  })
})

describe("a task is cancelled", () => {
  const stopped = (container: Container) => expect.poll(() => statusOf(app, container), { timeout: 60_000 }).toBe("STOPPED")

  test("running: its container has two minutes to save what it has, and then it is cancelled", async () => {
    const container = await claimedContainer()
    const { status, body } = await cancel(container)
    expect([status, body.status]).toEqual([200, "running"])
    expect((await container.send("heartbeat", {})).body.signals).toEqual([{ kind: "cancel" }])
    expect((await cancel(container)).body.status).toBe("running")
    await container.send("fail", { error: "The task was cancelled.", result: "Half of it." })
    expect(await read(container)).toMatchObject({ status: "cancelled", result: "Half of it.", error: null })
    expect((await eventsOf(container)).at(-1)).toBe("cancelled")
    expect((await cancel(container)).body.status).toBe("cancelled")
    expect((await cancel(container)).body).toEqual(await read(container))
  })

  test("running: one that does not listen is killed after two minutes, and not started again", async () => {
    const container = await claimedContainer()
    await expect.poll(() => isStubbornYet(app.data, container), { timeout: 60_000 }).toBe(true)
    await cancel(container)
    // The stop takes effect only once it was asked for.
    await expect.poll(() => executions(container), { timeout: 60_000 }).toEqual({ "1": "SUCCEEDED" })
    expect(await read(container)).toMatchObject({ status: "running", statusReason: "cancelling" })
    advance(3 * minutes)
    await until(container, "cancelled")
    await stopped(container)
    expect(await items(app, `${account.accountId}#${container.task.id}`, "run#")).toHaveLength(1)
  })

  test("whatever its container says after that, it is cancelled", async () => {
    const ends = [
      ["complete", { result: "Done after all." }],
      ["release", { to: "hibernate", until: inMs(days), reason: "Sleepy." }],
    ] as const
    for (const [call, body] of ends) {
      const container = await claimedContainer()
      await cancel(container)
      expect((await container.send(call, body)).status).toBeLessThan(500)
      expect((await read(container)).status).toBe("cancelled")
    }
  })

  test("pending: at once, and its container finds nothing to do", async () => {
    const container = await newContainer(app, account)
    const { body } = await cancel(container)
    expect(body).toMatchObject({ status: "cancelled", costUsd: 0 })
    expect(codeOf(await container.claim())).toEqual([409, "lease_lost"])
    // Its program does not end by itself; it is stopped as the task is settled, and killed when its time is over.
    await expect.poll(() => executions(container), { timeout: 60_000 }).toEqual({ "1": "SUCCEEDED" })
    advance(3 * minutes)
    await stopped(container)
  })

  test("asleep, waiting, or warm: at once, and its reservation comes back", async () => {
    const before = (await account.send("GET /account")).body.creditBalance
    const sleeping = await asleep(days)
    const warm = await claimedContainer({ conversation: {} })
    await warm.send("turns/complete", { turn_number: 1 })
    const cold = await claimedContainer({ conversation: {} })
    await cold.send("turns/complete", { turn_number: 1 })
    await cold.send("release", { to: "await_input" })
    let cost = 0
    for (const container of [sleeping, warm, cold]) {
      const { body } = await cancel(container)
      expect(body).toMatchObject({ status: "cancelled", hibernateUntilAt: null })
      cost += body.costUsd
      await expect.poll(() => executions(container), { timeout: 60_000 }).toEqual({ "1": "SUCCEEDED" })
    }
    expect(codeOf(await warm.receive({ turn: 1 }))).toEqual([409, "lease_lost"])
    expect((await account.send("GET /account")).body.creditBalance).toBeCloseTo(before - cost, 6)
  })
})
