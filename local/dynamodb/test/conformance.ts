/** The conformance suite of DynamoDB: what is sent, and what must come back, whoever stands behind the SDK. */
import { randomUUID } from "node:crypto"
import * as dynamodb from "@aws-sdk/client-dynamodb"
import {
  DescribeStreamCommand,
  type DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  type ShardIteratorType,
} from "@aws-sdk/client-dynamodb-streams"
import { createTable, globalIndex, keys } from "../testing.ts"
import { capacity } from "./conformance/capacity.ts"
import type { Answer, Case, Request } from "./conformance/case.ts"
import { conditions } from "./conformance/conditions.ts"
import { items } from "./conformance/items.ts"
import { queries } from "./conformance/queries.ts"
import { streams } from "./conformance/streams.ts"
import { tables } from "./conformance/tables.ts"
import { transactions } from "./conformance/transactions.ts"
import { updates } from "./conformance/updates.ts"

export const suites: Record<string, Case[]> = {
  items,
  conditions,
  updates,
  "queries and scans": queries,
  transactions,
  tables,
  streams,
  "consumed capacity": capacity,
}

const commands = new Map<string, unknown>(Object.entries(dynamodb))

/** Whoever answers: the SDK's clients of one endpoint. */
export interface Side {
  client: dynamodb.DynamoDBClient
  streams: DynamoDBStreamsClient
}

/** What the side answers to the case. A step that must succeed first and does not is an Error. */
export async function answerOf(side: Side, { given = [], send, see = (answer) => answer }: Case): Promise<unknown> {
  const table = await newTable(side)
  for (const request of given) await prepare(side, table, request)
  return withoutAbsent(see(plain(await call(side, table, send), table.name)))
}

/** What the side answers to requests on one table, one after the other. */
export async function answersOf(side: Side, requests: Request[]): Promise<unknown[]> {
  const table = await newTable(side)
  const answers: unknown[] = []
  for (const request of requests) answers.push(withoutAbsent(plain(await call(side, table, request), table.name)))
  return answers
}

interface CaseTable {
  name: string
  streamArn: string
}

async function newTable({ client }: Side): Promise<CaseTable> {
  const name = `t-${randomUUID()}`
  const { LatestStreamArn } = await createTable(client, name, {
    GlobalSecondaryIndexes: [globalIndex("one"), globalIndex("few", "INCLUDE", ["n"])],
    LocalSecondaryIndexes: [{ IndexName: "local", KeySchema: keys("pk", "lsi"), Projection: { ProjectionType: "KEYS_ONLY" } }],
    StreamSpecification: { StreamEnabled: true, StreamViewType: "NEW_AND_OLD_IMAGES" },
  })
  return { name, streamArn: LatestStreamArn! }
}

/** An operation with `!` before its name must fail. */
async function prepare(side: Side, table: CaseTable, [operation, input]: Request) {
  const fails = operation.startsWith("!")
  const answer = await call(side, table, [operation.replace("!", ""), input])
  if ("error" in answer !== fails)
    throw new Error(`${operation} was to be ${fails ? "refused" : "taken"}: ${JSON.stringify(answer)}`)
}

async function call(side: Side, { name, streamArn }: CaseTable, [operation, input = {}]: Request): Promise<object> {
  if (operation === "$stream") return { records: await recordsOf(side, streamArn, input.from as ShardIteratorType) }
  if (operation === "$describe") return describeStream(side, streamArn)
  const Command = commands.get(`${operation}Command`) as typeof dynamodb.GetItemCommand
  try {
    const { $metadata: _, ...answer } = await side.client.send(new Command(filled(input, name) as never))
    return answer
  } catch (error) {
    if (!(error instanceof dynamodb.DynamoDBServiceException)) throw error
    const { CancellationReasons, Item } = error as Answer
    return { error: error.name, message: error.message, CancellationReasons, Item }
  }
}

async function describeStream({ streams: client }: Side, StreamArn: string) {
  const { StreamDescription } = await client.send(new DescribeStreamCommand({ StreamArn }))
  const { StreamStatus, StreamViewType, TableName, KeySchema, Shards } = StreamDescription!
  return { StreamStatus, StreamViewType, TableName, KeySchema, shards: Shards!.length }
}

async function recordsOf({ streams: client }: Side, StreamArn: string, ShardIteratorType: ShardIteratorType) {
  const { StreamDescription } = await client.send(new DescribeStreamCommand({ StreamArn }))
  const { ShardId } = StreamDescription!.Shards![0]!
  const { ShardIterator } = await client.send(new GetShardIteratorCommand({ StreamArn, ShardId, ShardIteratorType }))
  return (await client.send(new GetRecordsCommand({ ShardIterator }))).Records
}

/** The input with the table's name wherever `$table` stands. */
function filled(value: unknown, table: string): unknown {
  if (typeof value === "string") return value.replace("$table", table)
  if (Array.isArray(value)) return value.map((element) => filled(element, table))
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name.replace("$table", table), filled(field, table)]))
}

/** The answer with `$table` for the table's name, sets in order, and bytes as numbers. */
function plain(value: unknown, table: string): unknown {
  if (typeof value === "string") return value.replaceAll(table, "$table")
  if (value instanceof Uint8Array) return [...value]
  if (Array.isArray(value)) return value.map((element) => plain(element, table))
  if (typeof value !== "object" || value === null || value instanceof Date) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => {
      const inner = plain(field, table)
      return [name.replace(table, "$table"), /^[SNB]S$/.test(name) && Array.isArray(inner) ? inner.sort() : inner]
    }),
  )
}

/** A field that is undefined is a field that is not there. */
const withoutAbsent = (value: unknown): unknown => (value === undefined ? null : JSON.parse(JSON.stringify(value)))

/** The answer without the words of a refusal, which are nobody's promise. */
export const codes = (answer: unknown): unknown =>
  JSON.parse(JSON.stringify(answer), (name, value) => (/^message$/i.test(name) ? undefined : value))
