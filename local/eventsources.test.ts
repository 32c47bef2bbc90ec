import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { CreateTableCommand, DescribeTableCommand, DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb"
import type { DynamoDBRecord } from "aws-lambda"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { serveJson } from "#test/json-services.ts"
import { moveTime } from "#test/time.ts"
import { type DynamoDb, openDynamoDb } from "./dynamodb.ts"
import { type EventSources, openEventSources } from "./eventsources.ts"
import { openSqs, type Sqs } from "./sqs/service.ts"
import type { EventSourceWiring } from "./wiring.ts"

const functionArn = "arn:aws:lambda:us-east-1:123456789012:function:publish"
const bucket = "arn:aws:s3:::failures"

let folder: string
let time: ReturnType<typeof moveTime>
let database: DynamoDb
let served: Awaited<ReturnType<typeof serveJson>>
let client: DynamoDBClient
let source: string
let sources: EventSources | undefined
let sqs: Sqs
/** What the function was given, one list of `<partition><number>` for each invocation. */
let batches: string[][]
let records: DynamoDBRecord[]
let failures: { payload: string; DDBStreamBatchInfo: { batchSize: number } }[]
let functionBody: (names: string[], records: DynamoDBRecord[]) => Promise<unknown>

const nameOf = ({ dynamodb }: DynamoDBRecord) => `${dynamodb?.Keys?.partition?.S}${dynamodb?.NewImage?.number?.N}`

const mapping = (rest: Partial<EventSourceWiring> = {}): EventSourceWiring => ({
  source,
  function: functionArn,
  batchSize: 10,
  windowSeconds: 0,
  filters: [],
  bisectOnError: false,
  maximumRetries: 2,
  partialFailures: false,
  parallelization: 1,
  failureDestinationArn: bucket,
  ...rest,
})

const open = (
  rest: Partial<EventSourceWiring> = {},
  onFailure = async (_: string, record: object) => void failures.push(record as never),
) => {
  sources = openEventSources({
    path: join(folder, "sources.sqlite"),
    mappings: [mapping(rest)],
    streams: database.streams,
    sqs,
    invoke: async (arn, payload) => {
      expect(arn).toBe(functionArn)
      const { Records } = payload as { Records: DynamoDBRecord[] }
      const names = Records.map(nameOf)
      batches.push(names)
      records.push(...Records)
      return functionBody(names, Records)
    },
    onFailure,
  })
}

const put = async (partition: string, ...numbers: number[]) => {
  for (const number of numbers) {
    const Item = { partition: { S: partition }, sort: { S: "row" }, number: { N: String(number) } }
    await client.send(new PutItemCommand({ TableName: "things", Item }))
  }
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "dormouse-sources-"))
  time = moveTime()
  batches = []
  records = []
  failures = []
  functionBody = async () => undefined
  database = openDynamoDb({
    path: join(folder, "tables.sqlite"),
    region: "us-east-1",
    account: "123456789012",
    onStream: (name) => sources?.wake(name),
  })
  sqs = openSqs({ path: join(folder, "queues.sqlite"), queues: [] })
  served = await serveJson(database.tables)
  client = new DynamoDBClient(served.client)
  await client.send(
    new CreateTableCommand({
      TableName: "things",
      BillingMode: "PAY_PER_REQUEST",
      AttributeDefinitions: ["partition", "sort"].map((AttributeName) => ({ AttributeName, AttributeType: "S" })),
      KeySchema: [
        { AttributeName: "partition", KeyType: "HASH" },
        { AttributeName: "sort", KeyType: "RANGE" },
      ],
      StreamSpecification: { StreamEnabled: true, StreamViewType: "NEW_AND_OLD_IMAGES" },
    }),
  )
  source = (await client.send(new DescribeTableCommand({ TableName: "things" }))).Table!.LatestStreamArn!
})

afterEach(async () => {
  await sources?.close()
  sources = undefined
  client.destroy()
  await served.close()
  database.close()
  sqs.close()
  time.release()
  rmSync(folder, { recursive: true, force: true })
})

describe("an event source mapping", () => {
  it("gives a function the changes of a table, as Lambda writes them", async () => {
    open()
    await put("a", 1)
    await put("a", 2)
    await expect.poll(() => batches.flat()).toEqual(["a1", "a2"])
    expect(records[1]).toMatchObject({
      eventID: expect.stringMatching(/^[0-9a-f]{32}$/),
      eventName: "MODIFY",
      eventVersion: "1.1",
      eventSource: "aws:dynamodb",
      awsRegion: "us-east-1",
      eventSourceARN: source,
      dynamodb: {
        ApproximateCreationDateTime: expect.any(Number),
        Keys: { partition: { S: "a" }, sort: { S: "row" } },
        NewImage: { number: { N: "2" } },
        OldImage: { number: { N: "1" } },
        SequenceNumber: expect.stringMatching(/^\d{21,}$/),
        StreamViewType: "NEW_AND_OLD_IMAGES",
      },
    })
  })

  it("begins with what was in the stream before, in batches of the wanted size", async () => {
    await put("a", 1, 2, 3, 4, 5)
    open({ batchSize: 2 })
    await expect.poll(() => batches).toEqual([["a1", "a2"], ["a3", "a4"], ["a5"]])
  })

  it("passes on only what any of its filters takes", async () => {
    open({ filters: [{ eventName: ["INSERT"] }, { dynamodb: { NewImage: { number: { N: ["3"] } } } }] })
    await put("a", 1, 2, 3)
    await put("b", 4)
    await expect.poll(() => batches.flat()).toEqual(["a1", "a3", "b4"])
  })

  it("waits for its window before it takes a batch that is not full", async () => {
    open({ batchSize: 3, windowSeconds: 60 })
    await put("a", 1, 2)
    time.advance(50_000)
    await put("a", 3)
    await expect.poll(() => batches).toEqual([["a1", "a2", "a3"]])
    await put("a", 4)
    time.advance(61_000)
    await expect.poll(() => batches).toEqual([["a1", "a2", "a3"], ["a4"]])
  })

  it("works on several partition keys at once, and on each in order", async () => {
    const waiting = new Map<string, () => void>()
    functionBody = ([name = ""]) => new Promise((resolve) => waiting.set(name, () => resolve(undefined)))
    open({ batchSize: 1, parallelization: 10 })
    await put("a", 1, 2)
    await put("b", 1, 2)
    await expect.poll(() => batches.flat()).toEqual(["a1", "b1"])
    waiting.get("b1")!()
    await expect.poll(() => batches.flat()).toEqual(["a1", "b1", "b2"])
    waiting.get("a1")!()
    await expect.poll(() => batches.flat()).toEqual(["a1", "b1", "b2", "a2"])
    waiting.get("a2")!()
    waiting.get("b2")!()
  })

  it("tries a batch that fails again after growing waits, and lets nothing pass it", async () => {
    let broken: boolean = true
    functionBody = async () => {
      if (broken) throw new Error("Not now")
    }
    open({ batchSize: 1 })
    await put("a", 1, 2)
    await expect.poll(() => batches).toEqual([["a1"]])
    time.advance(1_000)
    await expect.poll(() => batches).toEqual([["a1"], ["a1"]])
    broken = false
    time.advance(2_000)
    await expect.poll(() => batches).toEqual([["a1"], ["a1"], ["a1"], ["a2"]])
    expect(failures).toEqual([])
  })

  it("puts a batch with its payload into the failure destination after its last retry, and goes on", async () => {
    functionBody = async ([name]) => {
      if (name === "a1") throw new Error("Never")
    }
    open({ batchSize: 1, maximumRetries: 1 })
    await put("a", 1, 2)
    await expect.poll(() => batches).toEqual([["a1"]])
    time.advance(1_000)
    await expect.poll(() => batches).toEqual([["a1"], ["a1"], ["a2"]])
    expect(failures).toEqual([
      expect.objectContaining({
        requestContext: expect.objectContaining({ functionArn, condition: "RetryAttemptsExhausted", approximateInvokeCount: 2 }),
        DDBStreamBatchInfo: expect.objectContaining({ streamArn: source, batchSize: 1 }),
      }),
    ])
    expect(JSON.parse(failures[0]!.payload).Records.map(nameOf)).toEqual(["a1"])
  })

  it("does not go on before a failed batch is put away", async () => {
    functionBody = async ([name]) => {
      if (name === "a1") throw new Error("Never")
    }
    let closed: boolean = true
    open({ batchSize: 1, maximumRetries: 0 }, async (_, record) => {
      if (closed) throw new Error("The bucket is closed")
      failures.push(record as never)
    })
    await put("a", 1, 2)
    await expect.poll(() => batches).toEqual([["a1"]])
    closed = false
    time.advance(1_000)
    await expect.poll(() => batches).toEqual([["a1"], ["a2"]])
    expect(failures).toHaveLength(1)
  })

  it("halves a batch that fails until the record that cannot be processed stands alone", async () => {
    functionBody = async (names) => {
      if (names.includes("a3")) throw new Error("Not this one")
    }
    await put("a", 1, 2, 3, 4)
    open({ bisectOnError: true, maximumRetries: 0 })
    for (const [count, batch] of [["a1", "a2", "a3", "a4"], ["a1", "a2"], ["a3", "a4"], ["a3"]].entries()) {
      await expect.poll(() => batches[count]).toEqual(batch)
      time.advance(1_000)
    }
    await expect.poll(() => batches[4]).toEqual(["a4"])
    expect(failures.map(({ DDBStreamBatchInfo }) => DDBStreamBatchInfo.batchSize)).toEqual([1])
  })

  it("goes on at the first record that the function reports as failed", async () => {
    let reports = 1
    functionBody = async (names, given) => {
      const failed = given[names.indexOf("a2")]
      return reports-- > 0
        ? { batchItemFailures: [{ itemIdentifier: failed?.dynamodb?.SequenceNumber }] }
        : { batchItemFailures: [] }
    }
    await put("a", 1, 2, 3)
    open({ partialFailures: true })
    await expect.poll(() => batches).toEqual([["a1", "a2", "a3"]])
    time.advance(1_000)
    await expect
      .poll(() => batches)
      .toEqual([
        ["a1", "a2", "a3"],
        ["a2", "a3"],
      ])
  })

  it("tries a whole batch again when the function reports a record that it was not given", async () => {
    let reports = 1
    functionBody = async () => (reports-- > 0 ? { batchItemFailures: [{ itemIdentifier: "" }] } : undefined)
    await put("a", 1, 2)
    open({ partialFailures: true })
    await expect.poll(() => batches.length).toBe(1)
    time.advance(1_000)
    await expect
      .poll(() => batches)
      .toEqual([
        ["a1", "a2"],
        ["a1", "a2"],
      ])
  })

  it("goes on after a restart where it was: nothing is skipped, and what was done is not done again", async () => {
    functionBody = async ([name]) => {
      if (name?.startsWith("a")) throw new Error("Not now")
    }
    open({ batchSize: 1, parallelization: 10, maximumRetries: 100 })
    await put("a", 1)
    await put("b", 1, 2)
    await expect.poll(() => batches.flat()).toEqual(["a1", "b1", "b2"])
    await sources?.close()
    await put("b", 3)
    functionBody = async () => undefined
    open({ batchSize: 1, parallelization: 10, maximumRetries: 100 })
    await expect
      .poll(() =>
        batches
          .flat()
          .slice(3)
          .sort((a, b) => a.localeCompare(b)),
      )
      .toEqual(["a1", "b3"])
    await sources?.close()
    open({ batchSize: 1, parallelization: 3 })
    await put("b", 4)
    await expect.poll(() => batches.flat().slice(5)).toEqual(["b4"])
  })

  it("finds by itself what it was not woken for", async () => {
    open()
    const woken = sources
    sources = undefined
    await put("a", 1)
    sources = woken
    time.advance(60_000)
    await expect.poll(() => batches).toEqual([["a1"]])
  })

  it("does not start with a filter that Lambda would refuse", () => {
    expect(() => open({ filters: [{ eventName: "INSERT" }] })).toThrow(/not valid/)
  })
})
