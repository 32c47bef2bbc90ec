import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  ListStreamsCommand,
} from "@aws-sdk/client-dynamodb-streams"
import { unmarshall } from "@aws-sdk/util-dynamodb"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { millis } from "#core/clock.ts"
import { newAccount } from "./app.ts"
import { configOf, type Item, items } from "./aws.ts"
import { claimedContainer, containerOf, newContainer, type Task } from "./container.ts"
import { type OwnStack, ownStack } from "./stack.ts"
import { moveTime } from "./time.ts"

// Every event that there is, and the version of the task's row that was written with it: both as the table's stream has them, in the order
// in which they were committed.

const time = moveTime()
const [minute, day] = [60_000, 86_400_000]
const patience = { timeout: 20_000, interval: 30 }
let app: OwnStack
let account: Awaited<ReturnType<typeof newAccount>>
let tasks: Record<string, Task>
let changes: Item[]

/** Images of everything that was written, oldest first. */
const stream = async (): Promise<Item[]> => {
  const client = new DynamoDBStreamsClient(configOf(app))
  const { Streams } = await client.send(new ListStreamsCommand({ TableName: "dormouse" }))
  const { StreamArn } = Streams![0]!
  const { StreamDescription } = await client.send(new DescribeStreamCommand({ StreamArn }))
  const found: Item[] = []
  for (const { ShardId } of StreamDescription!.Shards!) {
    const from = { StreamArn, ShardId, ShardIteratorType: "TRIM_HORIZON" as const }
    let { ShardIterator } = await client.send(new GetShardIteratorCommand(from))
    while (ShardIterator) {
      const page = await client.send(new GetRecordsCommand({ ShardIterator }))
      if (!page.Records?.length) break
      found.push(...page.Records.map(({ dynamodb }) => unmarshall(dynamodb?.NewImage as Parameters<typeof unmarshall>[0])))
      ShardIterator = page.NextShardIterator
    }
  }
  return found
}

const drive = {
  /** Sleeps, is woken and finishes. */
  async sleeper() {
    const { task, ...container } = await claimedContainer(app, account)
    await container.send("release", { to: "hibernate", until: new Date(millis() + day).toISOString(), reason: "Waiting." })
    await account.send(`POST /tasks/${task.id}/wake`, { kind: "external_wake" })
    const next = await containerOf(app, account.accountId, task, 2)
    await next.claim()
    await next.send("complete", { result: "Done." })
    return task
  },
  async failing() {
    const { task, ...container } = await claimedContainer(app, account)
    await container.send("fail", { error: "It cannot be done." })
    return task
  },
  async cancelled() {
    const { task } = await newContainer(app, account)
    await account.send(`POST /tasks/${task.id}/cancel`)
    return task
  },
  /** A conversation that nobody answers. */
  async silent() {
    const { task, ...container } = await claimedContainer(app, account, {
      conversation: { overrides: { sessionTtlSeconds: 600 } },
    })
    await container.send("turns/complete", { turn_number: 1 })
    await container.send("release", { to: "await_input" })
    const { waitId } = (await items(app, `${account.accountId}#${task.id}`, "task"))[0]!
    const tokens = () => items(app, `${account.accountId}#${task.id}`, `wait#${waitId}`)
    // To move the time before would only interrupt the execution on its way there.
    await vi.waitFor(async () => expect(await tokens()).toHaveLength(1), patience)
    time.advance(11 * minute)
    return task
  },
}

const statusOf = async ({ id }: Task) => (await account.send(`GET /tasks/${id}`)).body.status

beforeAll(async () => {
  app = await ownStack({}, undefined, { idle: true })
  account = await newAccount(app, { creditUsd: 50 })
  tasks = {}
  for (const [name, run] of Object.entries(drive)) tasks[name] = await run()
  const ends = { sleeper: "finished", failing: "failed", cancelled: "cancelled", silent: "expired" }
  for (const [name, end] of Object.entries(ends))
    await vi.waitFor(async () => expect(await statusOf(tasks[name])).toBe(end), patience)
  changes = await stream()
}, 120_000)

afterAll(async () => {
  await app.stop()
  time.release()
})

const isEvent = ({ sk }: Item) => String(sk).startsWith("event#")
const writtenOf = ({ id }: Task) =>
  changes.filter(({ pk, sk }) => pk === `${account.accountId}#${id}` && (sk === "task" || String(sk).startsWith("event#")))

describe("the events of tasks", () => {
  test("are all twelve, each where it belongs", async () => {
    const typesOf = (name: string) =>
      writtenOf(tasks[name])
        .filter(isEvent)
        // What the sweeper need not look at any more is written again.
        .filter(({ sequence }, i, all) => all.findIndex((event) => event.sequence === sequence) === i)
        .toSorted((a, b) => a.sequence - b.sequence)
        .map(({ type }) => type)
    const begun = ["task.created", "task.turn.queued", "task.turn.started"]
    expect(typesOf("sleeper")).toEqual([...begun, "task.hibernating", "task.woken", "task.turn.completed", "task.finished"])
    expect(typesOf("failing")).toEqual([...begun, "task.failed"])
    expect(typesOf("cancelled").slice(0, 2)).toEqual(begun.slice(0, 2))
    expect(typesOf("cancelled").at(-1)).toBe("task.cancelled")
    expect(typesOf("silent")).toEqual([
      "task.created",
      "task.message.created",
      ...begun.slice(1),
      "task.turn.completed",
      "task.awaiting_input",
      "task.expired",
    ])
    const all = Object.keys(drive).flatMap(typesOf)
    expect(new Set(all).size).toBe(12)
    for (const type of new Set(all)) {
      const count = all.filter((one) => one === type).length
      await expect.poll(() => app.stack.counters.events.get(type), patience).toBe(count)
    }
  })

  test.each(Object.keys(drive))(
    "were written with the version of the row that counts them, and that has their status: %s",
    (name) => {
      const written = writtenOf(tasks[name])
      const events = written.filter(isEvent).filter(({ sequence }, i, all) => all.findIndex((e) => e.sequence === sequence) === i)
      expect(events.map(({ sequence }) => sequence).toSorted((a, b) => a - b)).toEqual(events.map((_, i) => i + 1))
      for (const event of events) {
        const at = written.indexOf(event)
        const row = written.find(({ sk, eventSequence }) => sk === "task" && eventSequence >= event.sequence)!
        expect(row.status, event.type).toBe(event.status)
        // Nothing but events of the same transaction lies between the two.
        const [first, last] = [at, written.indexOf(row)].toSorted((a, b) => a - b) as [number, number]
        expect(
          written.slice(first + 1, last).filter((between) => !isEvent(between) || between.occurredAt !== event.occurredAt),
        ).toEqual([])
      }
    },
  )
})
