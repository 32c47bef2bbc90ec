import { marshall } from "@aws-sdk/util-dynamodb"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { newAccount } from "#test/app.ts"
import { type Item, invoke, items, published } from "#test/aws.ts"
import { type Container, claimedContainer, newContainer } from "#test/container.ts"
import { type OwnStack, ownStack } from "#test/stack.ts"

let app: OwnStack
let account: Awaited<ReturnType<typeof newAccount>>

beforeAll(async () => {
  app = await ownStack({}, undefined, { idle: true })
  account = await newAccount(app)
})

afterAll(() => app.stop())

const stored = ({ task }: Container, prefix: string) => items(app, `${account.accountId}#${task.id}`, prefix)
const announced = (type: string) => app.stack.counters.events.get(type) ?? 0

/** Gives the function new items of the table, as the stream does. */
const publish = (...found: Item[]) =>
  invoke(app, "dormouse-reactions-publish", {
    Records: found.map((item, i) => ({
      eventID: `record ${i}`,
      eventName: "INSERT",
      dynamodb: { SequenceNumber: `${i + 1}00`, NewImage: marshall(item) },
    })),
  })

const done = { batchItemFailures: [] }

describe("an event", () => {
  test("works: every committed event is announced on the bus", async () => {
    const before = ["task.created", "task.turn.started", "task.finished"].map(announced)
    const container = await claimedContainer(app, account)
    await container.send("complete", { result: null })
    await expect
      .poll(() => ["task.created", "task.turn.started", "task.finished"].map(announced), { timeout: 10_000 })
      .toEqual(before.map((count) => count + 1))
  })

  test("twice: a task that is announced again starts no second execution and no second container", async () => {
    const container = await newContainer(app, account)
    const [created] = await stored(container, "event#")
    const before = await published(app, account.accountId, container.task.id)
    expect(await publish(created!, created!)).toEqual(done)
    expect(await stored(container, "")).toEqual(before)
  })

  test("absent: the events of a task that was deleted meanwhile are announced, and hold up nobody", async () => {
    const container = await newContainer(app, account)
    await published(app, account.accountId, container.task.id)
    const events = await stored(container, "event#")
    const orphan = { ...events[0]!, taskId: "tsk_nothing" }
    const before = announced("task.turn.queued")
    expect(await publish(events[1]!, orphan, events[1]!)).toEqual(done)
    expect(announced("task.turn.queued")).toBe(before + 2)
  })

  test("broken: a record that cannot be published fails, and what follows it is left for the next try", async () => {
    const container = await newContainer(app, account)
    await published(app, account.accountId, container.task.id)
    const events = await stored(container, "event#")
    const { accountId: _, ...broken } = events[1]!
    const before = announced("task.turn.queued")
    expect(await publish(events[1]!, broken, events[1]!)).toEqual({ batchItemFailures: [{ itemIdentifier: "200" }] })
    expect(announced("task.turn.queued")).toBe(before + 1)
  })
})

describe("a signal", () => {
  test("works: it ends the waiting that it names", async () => {
    const container = await claimedContainer(app, account)
    await container.send("complete", { result: null })
    await expect.poll(() => app.stack.counters.events.get("Step Functions Execution Status Change")).toBeGreaterThan(0)
    expect(await stored(container, "signal#")).toMatchObject([{ waitId: container.runId, as: "success" }])
  })

  test("twice: a waiting that is over counts as done", async () => {
    const container = await claimedContainer(app, account)
    await container.send("complete", { result: null })
    const [signal] = await stored(container, "signal#")
    expect(await publish(signal!, signal!)).toEqual(done)
  })

  test("absent: a signal for a waiting that is not there is done", async () => {
    const container = await claimedContainer(app, account)
    await container.send("complete", { result: null })
    const [signal] = await stored(container, "signal#")
    expect(await publish({ ...signal!, waitId: "run_nothing" })).toEqual(done)
  })
})

test("any other item is nothing to it", async () => {
  const container = await claimedContainer(app, account)
  const others = (await stored(container, "")).filter(({ sk }) => !/^(event|signal)#/.test(sk))
  expect(others.length).toBeGreaterThan(3)
  expect(await publish(...others, { pk: "a", sk: "b" })).toEqual(done)
})
