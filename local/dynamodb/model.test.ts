import {
  type AttributeValue,
  DeleteItemCommand,
  PutItemCommand,
  ScanCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb"
import { DescribeStreamCommand, GetRecordsCommand, GetShardIteratorCommand } from "@aws-sdk/client-dynamodb-streams"
import fc from "fast-check"
import { afterAll, beforeAll, expect, test } from "vitest"
import { createTable, globalIndex, N, S, type Served, serve } from "./testing.ts"

type Item = Record<string, AttributeValue>

let served: Served
beforeAll(async () => {
  served = await serve()
})
afterAll(() => served.close())

const key = fc.record({ pk: fc.constantFrom("a", "b").map(S), sk: fc.constantFrom("1", "2", "3").map(S) })
const place = fc.record(
  { onepk: fc.constantFrom("x", "y").map(S), onesk: fc.constantFrom("1", "2").map(S) },
  { requiredKeys: [] },
)
const item = fc.tuple(key, place, fc.nat(3)).map(([keys, places, n]): Item => ({ ...keys, ...places, n: N(n) }))

/** A write: what it asks of the item, and what it makes of it. */
const write = fc.oneof(
  item.map((Item) => ({ kind: "put" as const, Key: { pk: Item.pk!, sk: Item.sk! }, Item })),
  key.map((Key) => ({ kind: "delete" as const, Key })),
  fc.tuple(key, fc.constantFrom("x", "z")).map(([Key, to]) => ({ kind: "move" as const, Key, to })),
)
type Write = typeof write extends fc.Arbitrary<infer Value> ? Value : never
const guarded = fc.record({ write, mustExist: fc.boolean() })
type Guarded = { write: Write; mustExist: boolean }
const step = fc.oneof(
  guarded.map((one) => ({ together: false, writes: [one] })),
  fc
    .uniqueArray(guarded, { minLength: 2, maxLength: 3, selector: ({ write: { Key } }) => `${Key.pk!.S} ${Key.sk!.S}` })
    .map((writes) => ({ together: true, writes })),
)

const request = ({ write, mustExist }: Guarded, TableName: string) => {
  const condition = mustExist ? { ConditionExpression: "attribute_exists(pk)" } : {}
  const target = { TableName, Key: write.Key, ...condition }
  if (write.kind === "put") return { Put: { TableName, Item: write.Item, ...condition } }
  if (write.kind === "delete") return { Delete: target }
  const values = { ExpressionAttributeValues: { ":to": S(write.to), ":one": N(1) } }
  return { Update: { ...target, UpdateExpression: "SET onepk = :to ADD n :one", ...values } }
}

const send = ({ Put, Delete, Update }: { Put?: object; Delete?: object; Update?: object }) => {
  if (Put) return served.client.send(new PutItemCommand(Put as never))
  if (Delete) return served.client.send(new DeleteItemCommand(Delete as never))
  return served.client.send(new UpdateItemCommand(Update as never))
}

const idOf = ({ pk, sk }: Item) => `${pk!.S} ${sk!.S}`

/** What the write makes of the item, in plain words; undefined if there is none afterwards. */
function next(before: Item | undefined, write: Write): Item | undefined {
  if (write.kind === "put") return write.Item
  if (write.kind === "delete") return undefined
  return { ...(before ?? write.Key), onepk: S(write.to), n: N(Number(before?.n?.N ?? 0) + 1) }
}

const scan = async (TableName: string, IndexName?: string) =>
  new Map((await served.client.send(new ScanCommand({ TableName, IndexName }))).Items!.map((one) => [idOf(one), one]))

async function replay(StreamArn: string) {
  const { StreamDescription } = await served.streams.send(new DescribeStreamCommand({ StreamArn }))
  const { ShardId } = StreamDescription!.Shards![0]!
  const start = { StreamArn, ShardId, ShardIteratorType: "TRIM_HORIZON" as const }
  const { ShardIterator } = await served.streams.send(new GetShardIteratorCommand(start))
  const { Records } = await served.streams.send(new GetRecordsCommand({ ShardIterator }))
  const items = new Map<string, Item>()
  for (const { dynamodb } of Records!) {
    const id = idOf(dynamodb!.Keys! as Item)
    expect(dynamodb!.OldImage).toEqual(items.get(id))
    if (dynamodb!.NewImage) items.set(id, dynamodb!.NewImage as Item)
    else items.delete(id)
  }
  return items
}

test("after any writes the table, its indexes and its stream tell the same story as a plain map", async () => {
  let runs = 0
  const story = fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
    const TableName = `model-${runs++}`
    const { LatestStreamArn } = await createTable(served.client, TableName, {
      GlobalSecondaryIndexes: [globalIndex("one", "KEYS_ONLY")],
      StreamSpecification: { StreamEnabled: true, StreamViewType: "NEW_AND_OLD_IMAGES" },
    })
    const model = new Map<string, Item>()
    for (const { together, writes } of steps) {
      const allowed = writes.every(({ write, mustExist }) => !mustExist || model.has(idOf(write.Key)))
      const requests = writes.map((one) => request(one, TableName))
      const sent = together ? served.client.send(new TransactWriteItemsCommand({ TransactItems: requests })) : send(requests[0]!)
      const name = together ? "TransactionCanceledException" : "ConditionalCheckFailedException"
      if (!allowed) {
        await expect(sent).rejects.toMatchObject({ name })
        continue
      }
      await sent
      for (const { write } of writes) {
        const after = next(model.get(idOf(write.Key)), write)
        if (after) model.set(idOf(write.Key), after)
        else model.delete(idOf(write.Key))
      }
    }
    expect(await scan(TableName)).toEqual(model)
    const placed = [...model].flatMap(([id, { pk, sk, onepk, onesk }]) =>
      onepk && onesk ? [[id, { pk, sk, onepk, onesk }] as const] : [],
    )
    expect(await scan(TableName, "one")).toEqual(new Map(placed))
    expect(await replay(LatestStreamArn!)).toEqual(model)
  })
  await fc.assert(story, { numRuns: 40 })
})
