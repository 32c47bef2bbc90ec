import { randomUUID } from "node:crypto"
import { rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  DeleteItemCommand,
  GetItemCommand,
  PutItemCommand,
  type StreamViewType,
  TransactWriteItemsCommand,
  UpdateItemCommand,
  UpdateTableCommand,
  UpdateTimeToLiveCommand,
} from "@aws-sdk/client-dynamodb"
import {
  DescribeStreamCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  type GetShardIteratorCommandInput,
  ListStreamsCommand,
} from "@aws-sdk/client-dynamodb-streams"
import { afterEach, beforeEach, expect, test } from "vitest"
import { account, createTable, N, region, S, type Served, serve } from "./testing.ts"

const TableName = "things"
const clock = join(tmpdir(), `clock-${randomUUID()}`)
let served: Served
let send: Served["client"]["send"]

beforeEach(async () => {
  writeFileSync(clock, "0")
  process.env.DORMOUSE_CLOCK = clock
  served = await serve()
  send = served.client.send.bind(served.client)
})
afterEach(async () => {
  await served.close()
  delete process.env.DORMOUSE_CLOCK
  rmSync(clock, { force: true })
})

const table = async (StreamViewType: StreamViewType = "NEW_AND_OLD_IMAGES") => {
  const { LatestStreamArn } = await createTable(served.client, TableName, {
    StreamSpecification: { StreamEnabled: true, StreamViewType },
  })
  return LatestStreamArn!
}
const key = (sk: string) => ({ pk: S("p"), sk: S(sk) })
const put = (sk: string, more: object = {}) => send(new PutItemCommand({ TableName, Item: { ...key(sk), ...more } }))

async function iterator(StreamArn: string, more: Partial<GetShardIteratorCommandInput> = {}) {
  const { StreamDescription } = await served.streams.send(new DescribeStreamCommand({ StreamArn }))
  const [shard] = StreamDescription!.Shards!
  const input = { StreamArn, ShardId: shard!.ShardId, ShardIteratorType: "TRIM_HORIZON" as const, ...more }
  return (await served.streams.send(new GetShardIteratorCommand(input))).ShardIterator!
}
const records = async (arn: string, more: Partial<GetShardIteratorCommandInput> = {}) =>
  (await served.streams.send(new GetRecordsCommand({ ShardIterator: await iterator(arn, more) }))).Records!

test("a stream is listed and described by its table", async () => {
  const arn = await table()
  expect(arn).toMatch(new RegExp(`^arn:aws:dynamodb:${region}:${account}:table/things/stream/\\d{4}-`))
  await createTable(served.client, "without")
  const { Streams } = await served.streams.send(new ListStreamsCommand({}))
  expect(Streams).toEqual([{ StreamArn: arn, TableName, StreamLabel: arn.split("/stream/")[1] }])
  const { StreamDescription } = await served.streams.send(new DescribeStreamCommand({ StreamArn: arn }))
  expect(StreamDescription).toMatchObject({ StreamStatus: "ENABLED", StreamViewType: "NEW_AND_OLD_IMAGES", TableName })
  expect(StreamDescription!.Shards).toHaveLength(1)
})

test("every change is a record with its keys, images, number, size and time", async () => {
  const start = Date.now()
  const arn = await table()
  await put("1", { n: N(1) })
  await send(
    new UpdateItemCommand({
      TableName,
      Key: key("1"),
      UpdateExpression: "SET n = :n",
      ExpressionAttributeValues: { ":n": N(22) },
    }),
  )
  await send(new DeleteItemCommand({ TableName, Key: key("1") }))
  const all = await records(arn)
  const [first, second] = [
    { ...key("1"), n: N(1) },
    { ...key("1"), n: N(22) },
  ]
  expect(all.map(({ eventName }) => eventName)).toEqual(["INSERT", "MODIFY", "REMOVE"])
  expect(all[0]).toMatchObject({ eventSource: "aws:dynamodb", eventVersion: "1.1", awsRegion: region })
  expect(all.map(({ dynamodb }) => [dynamodb!.Keys, dynamodb!.OldImage, dynamodb!.NewImage])).toEqual([
    [key("1"), undefined, first],
    [key("1"), first, second],
    [key("1"), second, undefined],
  ])
  const numbers = all.map(({ dynamodb }) => dynamodb!.SequenceNumber!)
  expect(numbers).toEqual(numbers.toSorted())
  expect(new Set(numbers).size).toBe(3)
  expect(all.map(({ dynamodb }) => dynamodb!.SizeBytes)).toEqual([6 + 9, 6 + 9 + 9, 6 + 9])
  const created = all[0]!.dynamodb!.ApproximateCreationDateTime!.getTime()
  expect(created).toBeGreaterThanOrEqual(start - 1000)
  expect(created).toBeLessThanOrEqual(Date.now())
  expect(new Set(all.map(({ eventID }) => eventID)).size).toBe(3)
})

test.each([
  ["KEYS_ONLY", false, false],
  ["NEW_IMAGE", false, true],
  ["OLD_IMAGE", true, false],
  ["NEW_AND_OLD_IMAGES", true, true],
] as const)("a stream of %s holds what it says", async (view, old, fresh) => {
  const arn = await table(view)
  await put("1", { n: N(1) })
  await put("1", { n: N(2) })
  const { dynamodb } = (await records(arn))[1]!
  expect(dynamodb).toMatchObject({ StreamViewType: view, Keys: key("1") })
  expect([Boolean(dynamodb!.OldImage), Boolean(dynamodb!.NewImage)]).toEqual([old, fresh])
})

test("what changes nothing, or is refused, is no record and is not announced", async () => {
  const arn = await table()
  await put("1", { n: N(1) })
  await put("1", { n: N("1.0") })
  await send(new DeleteItemCommand({ TableName, Key: key("absent") }))
  const cancelled = new TransactWriteItemsCommand({
    TransactItems: [
      { Put: { TableName, Item: key("2") } },
      { ConditionCheck: { TableName, Key: key("3"), ConditionExpression: "attribute_exists(pk)" } },
    ],
  })
  await expect(send(cancelled)).rejects.toMatchObject({ name: "TransactionCanceledException" })
  expect(await records(arn)).toHaveLength(1)
  expect(served.announced).toEqual([TableName])
})

test("an iterator goes on where it ended, also with what is written later", async () => {
  const arn = await table()
  for (const sk of ["1", "2", "3"]) await put(sk)
  const page = (ShardIterator: string, Limit?: number) => served.streams.send(new GetRecordsCommand({ ShardIterator, Limit }))
  const first = await page(await iterator(arn), 2)
  expect(first.Records!.map(({ dynamodb }) => dynamodb!.Keys!.sk!.S)).toEqual(["1", "2"])
  const second = await page(first.NextShardIterator!)
  expect(second.Records!.map(({ dynamodb }) => dynamodb!.Keys!.sk!.S)).toEqual(["3"])
  const third = await page(second.NextShardIterator!)
  expect(third.Records).toEqual([])
  await put("4")
  const fourth = await page(third.NextShardIterator!)
  expect(fourth.Records!.map(({ dynamodb }) => dynamodb!.Keys!.sk!.S)).toEqual(["4"])
})

test("an iterator starts at the newest, or at or after a sequence number", async () => {
  const arn = await table()
  for (const sk of ["1", "2", "3"]) await put(sk)
  const SequenceNumber = (await records(arn))[1]!.dynamodb!.SequenceNumber
  const found = async (ShardIteratorType: "AT_SEQUENCE_NUMBER" | "AFTER_SEQUENCE_NUMBER") =>
    (await records(arn, { ShardIteratorType, SequenceNumber })).map(({ dynamodb }) => dynamodb!.Keys!.sk!.S)
  expect(await found("AT_SEQUENCE_NUMBER")).toEqual(["2", "3"])
  expect(await found("AFTER_SEQUENCE_NUMBER")).toEqual(["3"])
  const latest = await iterator(arn, { ShardIteratorType: "LATEST" })
  await put("4")
  const { Records } = await served.streams.send(new GetRecordsCommand({ ShardIterator: latest }))
  expect(Records!.map(({ dynamodb }) => dynamodb!.Keys!.sk!.S)).toEqual(["4"])
})

test("a page of records ends at about 1 MB", async () => {
  const arn = await table()
  for (const sk of ["1", "2", "3", "4"]) await put(sk, { s: S("x".repeat(390_000)) })
  expect(await records(arn)).toHaveLength(3)
})

test("a malformed iterator, an unknown stream and an unknown shard are refused", async () => {
  const arn = await table()
  const forged = served.streams.send(new GetRecordsCommand({ ShardIterator: "forged" }))
  await expect(forged).rejects.toMatchObject({ name: "ValidationException" })
  const unknown = served.streams.send(new DescribeStreamCommand({ StreamArn: `${arn}0` }))
  await expect(unknown).rejects.toMatchObject({ name: "ResourceNotFoundException" })
  const ShardId = "shardId-00000000000000000009-00000009"
  await expect(iterator(arn, { ShardId })).rejects.toMatchObject({ name: "ResourceNotFoundException" })
})

test("a stream can be switched off and on, and begins anew", async () => {
  const arn = await table()
  await put("1")
  const set = (StreamSpecification: object) =>
    send(new UpdateTableCommand({ TableName, StreamSpecification: StreamSpecification as never }))
  await set({ StreamEnabled: false })
  await put("2")
  writeFileSync(clock, "1000")
  const { TableDescription } = await set({ StreamEnabled: true, StreamViewType: "KEYS_ONLY" })
  expect(TableDescription!.LatestStreamArn).not.toBe(arn)
  await put("3")
  expect(await records(TableDescription!.LatestStreamArn!)).toHaveLength(1)
})

const hour = 3_600_000
const inSeconds = (ms: number) => N(Math.floor((Date.now() + ms) / 1000))
const mortal = () =>
  send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification: { AttributeName: "ttl", Enabled: true } }))
const has = async (sk: string) => Boolean((await send(new GetItemCommand({ TableName, Key: key(sk) }))).Item)

test("an item whose time to live has ended is deleted by the service, with a record that says so", async () => {
  const arn = await table()
  await put("before", { ttl: inSeconds(hour) })
  await mortal()
  await put("after", { ttl: inSeconds(hour) })
  await put("later", { ttl: inSeconds(3 * hour) })
  await put("ever", { ttl: S("no number") })
  served.database.sweep()
  expect(await has("after")).toBe(true)
  served.units()

  writeFileSync(clock, String(2 * hour))
  served.database.sweep()
  expect(served.units()).toEqual([])
  expect(await Promise.all(["before", "after", "later", "ever"].map(has))).toEqual([false, false, true, true])
  const removed = (await records(arn)).filter(({ eventName }) => eventName === "REMOVE")
  expect(removed.map(({ dynamodb }) => dynamodb!.OldImage!.sk!.S).sort()).toEqual(["after", "before"])
  for (const { userIdentity } of removed) expect(userIdentity).toEqual({ Type: "Service", PrincipalId: "dynamodb.amazonaws.com" })
})

test("the sweep comes by itself as the clock moves", async () => {
  await table()
  await mortal()
  await put("1", { ttl: inSeconds(hour) })
  writeFileSync(clock, String(2 * hour))
  await expect.poll(() => has("1"), { timeout: 10_000 }).toBe(false)
})

test("an item lives on if its time to live is put off, switched off, or lies over five years back", async () => {
  await table()
  await mortal()
  await put("put off", { ttl: inSeconds(hour) })
  await put("put off", { ttl: inSeconds(5 * hour) })
  await put("number", { ttl: N(1234) })
  writeFileSync(clock, String(2 * hour))
  served.database.sweep()
  expect([await has("put off"), await has("number")]).toEqual([true, true])
  const off = { AttributeName: "ttl", Enabled: false }
  await send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification: off }))
  writeFileSync(clock, String(6 * hour))
  served.database.sweep()
  expect(await has("put off")).toBe(true)
})

test("records are trimmed after 24 hours, and numbers go on", async () => {
  const arn = await table()
  await put("1")
  writeFileSync(clock, String(23 * hour))
  served.database.sweep()
  expect(await records(arn)).toHaveLength(1)
  writeFileSync(clock, String(25 * hour))
  served.database.sweep()
  expect(await records(arn)).toEqual([])
  const latest = await iterator(arn, { ShardIteratorType: "LATEST" })
  await put("2")
  expect((await served.streams.send(new GetRecordsCommand({ ShardIterator: latest }))).Records).toHaveLength(1)
})

test("where time is moved by days, consumers still have their turn with the newest records", async () => {
  const arn = await table()
  await mortal()
  await put("1", { ttl: inSeconds(hour) })
  writeFileSync(clock, String(25 * hour))
  await expect.poll(() => has("1"), { timeout: 10_000 }).toBe(false)
  expect((await records(arn)).map(({ eventName }) => eventName)).toEqual(["INSERT", "REMOVE"])
  writeFileSync(clock, String(26 * hour))
  await expect.poll(() => records(arn), { timeout: 10_000 }).toHaveLength(1)
})
