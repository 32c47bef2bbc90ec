import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { SQSRecord } from "aws-lambda"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { moveTime } from "#test/time.ts"
import { openSqs, type Sqs } from "../sqs/service.ts"
import type { EventSourceWiring } from "../wiring.ts"
import { Poller } from "./poller.ts"

const source = "arn:aws:sqs:us-east-1:123456789012:work"
const dead = "arn:aws:sqs:us-east-1:123456789012:dead"
const queue = { region: "us-east-1", visibilitySeconds: 180, delaySeconds: 0, waitSeconds: 0, retentionSeconds: 345_600 }

let folder: string
let time: ReturnType<typeof moveTime>
let sqs: Sqs
let poller: Poller | undefined
/** Bodies that the function was given, a list for each invocation. */
let batches: string[][]
let records: SQSRecord[]

const open = () => {
  sqs = openSqs({
    path: join(folder, "queues.sqlite"),
    queues: [
      { ...queue, name: "work", arn: source, deadLetter: { arn: dead, maxReceives: 2 } },
      { ...queue, name: "dead", arn: dead },
    ],
  })
}

const poll = (rest: Partial<EventSourceWiring>, work: (bodies: string[], records: SQSRecord[]) => Promise<unknown>) => {
  poller = new Poller({
    sqs,
    mapping: {
      source,
      function: "consume",
      batchSize: 10,
      windowSeconds: 0,
      filters: [],
      bisectOnError: false,
      maximumRetries: -1,
      partialFailures: false,
      parallelization: 1,
      ...rest,
    },
    invoke: (given) => {
      const received = given as SQSRecord[]
      batches.push(received.map(({ body }) => body))
      records.push(...received)
      return work(batches.at(-1)!, received)
    },
    log: () => undefined,
  })
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dormouse-poller-"))
  time = moveTime()
  batches = []
  records = []
  open()
})

afterEach(async () => {
  await poller?.close()
  sqs.close()
  time.release()
  rmSync(folder, { recursive: true, force: true })
})

const send = (...bodies: string[]) => sqs.send(source, ...bodies.map((body) => ({ body })))
const done = async () => undefined
const left = () => sqs.visible(source)

describe("a queue as an event source", () => {
  test("gives the function batches of the size it wants, as Lambda writes them, and deletes what it has done", async () => {
    send("a", "b", "c")
    poll({ batchSize: 2, maximumConcurrency: 1 }, done)
    await expect.poll(() => batches).toEqual([["a", "b"], ["c"]])
    expect(records[0]).toMatchObject({
      messageId: expect.any(String),
      receiptHandle: expect.any(String),
      eventSource: "aws:sqs",
      eventSourceARN: source,
      awsRegion: "us-east-1",
      attributes: { ApproximateReceiveCount: "1" },
      messageAttributes: {},
    })
    time.advance(200_000)
    send("d")
    await expect.poll(() => batches.length).toBe(3)
    expect(batches[2]).toEqual(["d"])
  })

  test("has no more batches under way than it may", async () => {
    let [now, most] = [0, 0]
    send(...Array.from({ length: 12 }, (_, i) => String(i)))
    poll({ batchSize: 1, maximumConcurrency: 3 }, async () => {
      most = Math.max(most, ++now)
      await new Promise((resolve) => setTimeout(resolve, 5))
      now--
    })
    await expect.poll(() => batches.length).toBe(12)
    expect(most).toBe(3)
  })

  test("brings back only the messages that the function reports as failed", async () => {
    send("good", "bad")
    poll({ partialFailures: true }, async (_, given) => ({
      batchItemFailures: given.filter(({ body }) => body === "bad").map(({ messageId }) => ({ itemIdentifier: messageId })),
    }))
    await expect.poll(() => batches).toEqual([["good", "bad"]])
    time.advance(181_000)
    await expect.poll(() => batches).toEqual([["good", "bad"], ["bad"]])
  })

  test.each<[string, () => Promise<unknown>]>([
    ["throws", () => Promise.reject(new Error("It does not work"))],
    ["reports a message that it was not given", async () => ({ batchItemFailures: [{ itemIdentifier: "other" }] })],
  ])("a function that %s fails the whole batch, which ends in the dead-letter queue", async (_, work) => {
    send("a", "b")
    poll({ partialFailures: true }, work)
    await expect.poll(() => batches.length).toBe(1)
    time.advance(181_000)
    await expect.poll(() => batches.length).toBe(2)
    time.advance(181_000)
    await expect.poll(() => sqs.visible(dead)).toBe(2)
    expect(batches.length).toBe(2)
  })

  test("with a window waits for more", async () => {
    send("a")
    poll({ windowSeconds: 60, batchSize: 100 }, done)
    await new Promise((resolve) => setTimeout(resolve, 30))
    send("b")
    expect(batches).toEqual([])
    time.advance(60_000)
    await expect.poll(() => batches).toEqual([["a", "b"]])
  })

  test("what was under way when the process ended comes again after the visibility timeout", async () => {
    send("a")
    await sqs.take(source, 10, new AbortController().signal)
    sqs.close()
    open()
    poll({}, done)
    expect(left()).toBe(0)
    time.advance(181_000)
    await expect.poll(() => batches).toEqual([["a"]])
  })
})
