/** The stream of a table's changes: its records, and the operations that read them. A stream has one shard. */
import { randomUUID } from "node:crypto"
import { millis } from "#core/clock.ts"
import { AwsError } from "../service.ts"
import { type Call, type Input, invalid } from "./call.ts"
import type { Store } from "./store.ts"
import { keyOf, type Table } from "./table.ts"
import { type Item, sizeOf } from "./value.ts"

const shardId = "shardId-00000000000000000001-00000001"
const pageBytes = 1024 * 1024

const digits = 21
const sequenceText = (sequence: number) => String(sequence).padStart(digits, "0")

/** Writes the record of a change, if the table has a stream. `ttl` says that the item's time to live has ended. */
export function record(store: Store, table: Table, before: Item | undefined, after: Item | undefined, ttl: boolean) {
  const item = after ?? before
  if (!table.stream || !item) return
  const { view } = table.stream
  const images = {
    Keys: keyOf(item, table),
    ...(after && view !== "KEYS_ONLY" && view !== "OLD_IMAGE" && { NewImage: after }),
    ...(before && view !== "KEYS_ONLY" && view !== "NEW_IMAGE" && { OldImage: before }),
  }
  const at = millis()
  store.append(table, at, {
    eventID: randomUUID().replaceAll("-", ""),
    eventName: before ? (after ? "MODIFY" : "REMOVE") : "INSERT",
    eventVersion: "1.1",
    eventSource: "aws:dynamodb",
    ...(ttl && { userIdentity: { Type: "Service", PrincipalId: "dynamodb.amazonaws.com" } }),
    dynamodb: {
      ApproximateCreationDateTime: Math.floor(at / 1000),
      ...images,
      SizeBytes: Object.values(images).reduce((bytes, image) => bytes + sizeOf(image), 0),
      StreamViewType: view,
    },
  })
}

const notFound = (arn: unknown) =>
  new AwsError("ResourceNotFoundException", `Requested resource not found: Stream: ${arn} not found`)

function tableOf(store: Store, arn: unknown) {
  const table = store.tables().find(({ stream }) => stream?.arn === arn)
  if (!table?.stream) throw notFound(arn)
  return { table, stream: table.stream }
}

/** All streams, or those of one table. */
export function listStreams({ store }: Call, { TableName, ExclusiveStartStreamArn, Limit = 100 }: Input) {
  const streams = store.tables().filter(({ stream, TableName: name }) => stream && (TableName ?? name) === name)
  const start = streams.findIndex(({ stream }) => stream?.arn === ExclusiveStartStreamArn) + 1
  const page = streams.slice(start, start + Number(Limit))
  return {
    Streams: page.map(({ TableName, stream }) => ({ StreamArn: stream!.arn, TableName, StreamLabel: stream!.label })),
    LastEvaluatedStreamArn: start + page.length < streams.length ? page.at(-1)!.stream!.arn : undefined,
  }
}

export function describeStream({ store }: Call, { StreamArn }: Input) {
  const { table, stream } = tableOf(store, StreamArn)
  return {
    StreamDescription: {
      StreamArn,
      StreamLabel: stream.label,
      StreamStatus: "ENABLED",
      StreamViewType: stream.view,
      CreationRequestDateTime: stream.createdAt / 1000,
      TableName: table.TableName,
      KeySchema: table.KeySchema,
      Shards: [{ ShardId: shardId, SequenceNumberRange: { StartingSequenceNumber: sequenceText(1) } }],
    },
  }
}

/** An iterator is the stream and the sequence number after which it goes on. */
interface Position {
  arn: string
  after: number
}

const toIterator = (position: Position) => Buffer.from(JSON.stringify(position)).toString("base64url")

function fromIterator(text: unknown): Position {
  try {
    const { arn, after } = JSON.parse(Buffer.from(String(text), "base64url").toString())
    if (typeof arn === "string" && Number.isSafeInteger(after)) return { arn, after }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  throw invalid("Invalid ShardIterator")
}

export function getShardIterator({ store }: Call, input: Input) {
  const { stream } = tableOf(store, input.StreamArn)
  if (input.ShardId !== shardId)
    throw new AwsError("ResourceNotFoundException", `Requested resource not found: Shard: ${input.ShardId}`)
  return { ShardIterator: toIterator({ arn: stream.arn, after: startOf(store, stream.arn, input) }) }
}

function startOf(store: Store, arn: string, { ShardIteratorType, SequenceNumber }: Input): number {
  if (ShardIteratorType === "TRIM_HORIZON") return 0
  if (ShardIteratorType === "LATEST") return store.lastSequence(arn)
  const at = Number(SequenceNumber)
  if (typeof SequenceNumber !== "string" || !Number.isSafeInteger(at)) throw invalid("Invalid SequenceNumber")
  if (ShardIteratorType === "AT_SEQUENCE_NUMBER") return at - 1
  if (ShardIteratorType === "AFTER_SEQUENCE_NUMBER") return at
  throw invalid(`Invalid ShardIteratorType: ${ShardIteratorType}`)
}

/** At most `Limit` records, 1,000 of them, and about 1 MB. There is always a next iterator, since a shard here never closes. */
export function getRecords({ store, region }: Call, { ShardIterator, Limit = 1000 }: Input) {
  const { arn, after } = fromIterator(ShardIterator)
  tableOf(store, arn)
  if (!Number.isInteger(Limit) || Number(Limit) < 1 || Number(Limit) > 1000) throw invalid("Limit must be from 1 to 1000")
  const records: object[] = []
  let [last, bytes] = [after, 0]
  for (const { sequence, record: text } of store.records(arn, after, Number(Limit))) {
    const { dynamodb, ...rest } = JSON.parse(text)
    records.push({ ...rest, awsRegion: region, dynamodb: { ...dynamodb, SequenceNumber: sequenceText(sequence) } })
    last = sequence
    bytes += text.length
    if (bytes >= pageBytes) break
  }
  return { Records: records, NextShardIterator: toIterator({ arn, after: last }) }
}
