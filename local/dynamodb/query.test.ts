import { PutItemCommand, QueryCommand, type QueryCommandInput, ScanCommand, UpdateItemCommand } from "@aws-sdk/client-dynamodb"
import { afterAll, beforeAll, expect, test } from "vitest"
import { createTable, globalIndex, keys, N, S, type Served, serve } from "./testing.ts"

const TableName = "things"
let served: Served
let send: Served["client"]["send"]

beforeAll(async () => {
  served = await serve()
  send = served.client.send.bind(served.client)
  await createTable(served.client, TableName, {
    GlobalSecondaryIndexes: [globalIndex("one"), globalIndex("few", "INCLUDE", ["n"]), globalIndex("keys", "KEYS_ONLY")],
    LocalSecondaryIndexes: [{ IndexName: "local", KeySchema: keys("pk", "lsi"), Projection: { ProjectionType: "KEYS_ONLY" } }],
  })
})
afterAll(() => served.close())

const put = (Item: Record<string, object>) => send(new PutItemCommand({ TableName, Item: Item as never }))
const query = (KeyConditionExpression: string, values: Record<string, object>, more: Partial<QueryCommandInput> = {}) =>
  send(new QueryCommand({ TableName, KeyConditionExpression, ExpressionAttributeValues: values as never, ...more }))

beforeAll(async () => {
  for (let n = 1; n <= 7; n++) {
    const index = { onepk: S("g"), onesk: S(String(n)), fewpk: S("g"), fewsk: S("same"), keyspk: S("g"), keyssk: S("k") }
    await put({ pk: S("q"), sk: S(String(n)), n: N(n), x: S("x"), lsi: S(String(9 - n)), ...index })
  }
  for (const sk of ["task#1", "task#10", "task#2", "é", "~", "a", "ab"]) await put({ pk: S("order"), sk: S(sk) })
})

const sorted = async (condition: string, values: Record<string, object>, more?: Partial<QueryCommandInput>) =>
  (await query(condition, values, more)).Items!.map(({ sk }) => sk!.S)

test.each([
  ["pk = :p", {}, ["a", "ab", "task#1", "task#10", "task#2", "~", "é"]],
  ["pk = :p AND begins_with(sk, :a)", { ":a": S("task#") }, ["task#1", "task#10", "task#2"]],
  ["pk = :p AND sk = :a", { ":a": S("a") }, ["a"]],
  ["pk = :p AND sk < :a", { ":a": S("ab") }, ["a"]],
  ["pk = :p AND sk <= :a", { ":a": S("ab") }, ["a", "ab"]],
  ["pk = :p AND sk > :a", { ":a": S("task#2") }, ["~", "é"]],
  ["pk = :p AND sk >= :a", { ":a": S("~") }, ["~", "é"]],
  ["pk = :p AND sk BETWEEN :a AND :b", { ":a": S("ab"), ":b": S("task#10") }, ["ab", "task#1", "task#10"]],
])("%s finds the right items in the order of their bytes", async (condition, values, expected) => {
  const all = { ":p": S("order"), ...values }
  expect(await sorted(condition, all)).toEqual(expected)
  expect(await sorted(condition, all, { ScanIndexForward: false })).toEqual(expected.toReversed())
})

test.each([true, false])("pages follow each other without gap or overlap (forward: %s)", async (ScanIndexForward) => {
  const seen: string[] = []
  let ExclusiveStartKey: QueryCommandInput["ExclusiveStartKey"]
  do {
    const page = await query("pk = :p", { ":p": S("q") }, { Limit: 3, ScanIndexForward, ExclusiveStartKey })
    seen.push(...page.Items!.map(({ sk }) => sk!.S!))
    ExclusiveStartKey = page.LastEvaluatedKey
  } while (ExclusiveStartKey)
  const all = ["1", "2", "3", "4", "5", "6", "7"]
  expect(seen).toEqual(ScanIndexForward ? all : all.toReversed())
})

test("pages of an index go on between items that share both of its keys", async () => {
  const few = { IndexName: "few", Limit: 2 }
  const seen = new Set<string>()
  let ExclusiveStartKey: QueryCommandInput["ExclusiveStartKey"]
  do {
    const page = await query("fewpk = :g", { ":g": S("g") }, { ...few, ExclusiveStartKey })
    for (const { sk } of page.Items!) seen.add(sk!.S!)
    ExclusiveStartKey = page.LastEvaluatedKey
    if (ExclusiveStartKey) expect(new Set(Object.keys(ExclusiveStartKey))).toEqual(new Set(["fewpk", "fewsk", "pk", "sk"]))
  } while (ExclusiveStartKey)
  expect(seen.size).toBe(7)
})

test("a filter keeps some of what was read, and the limit counts what was read", async () => {
  const values = { ":g": S("g"), ":a": S("2"), ":b": S("6"), ":n": N(3) }
  const filter = { IndexName: "one", FilterExpression: "n > :n" }
  const found = await query("onepk = :g AND onesk BETWEEN :a AND :b", values, filter)
  expect(found).toMatchObject({ Count: 3, ScannedCount: 5 })
  const limited = await query("onepk = :g AND onesk BETWEEN :a AND :b", values, { ...filter, Limit: 2 })
  expect(limited).toMatchObject({ Count: 0, ScannedCount: 2, LastEvaluatedKey: { onesk: S("3") } })
})

test("an index gives what it holds and nothing else", async () => {
  const first = async (IndexName: string) => (await query(`${IndexName}pk = :g`, { ":g": S("g") }, { IndexName })).Items![0]!
  expect(new Set(Object.keys(await first("keys")))).toEqual(new Set(["keyspk", "keyssk", "pk", "sk"]))
  expect(new Set(Object.keys(await first("few")))).toEqual(new Set(["fewpk", "fewsk", "n", "pk", "sk"]))
  expect(await first("one")).toMatchObject({ n: N(1), x: S("x") })
  const more = query("fewpk = :g", { ":g": S("g") }, { IndexName: "few", ProjectionExpression: "x" })
  await expect(more).rejects.toThrow(/does not project x/)
  const all = query("fewpk = :g", { ":g": S("g") }, { IndexName: "few", Select: "ALL_ATTRIBUTES" })
  await expect(all).rejects.toMatchObject({ name: "ValidationException" })
})

test("an item that lacks an index's key is not in it, and enters and leaves it with its key", async () => {
  const found = async () => (await query("onepk = :g", { ":g": S("sparse") }, { IndexName: "one" })).Count
  await put({ pk: S("sparse"), sk: S("1"), onepk: S("sparse") })
  expect(await found()).toBe(0)
  const Key = { pk: S("sparse"), sk: S("1") }
  const set = { UpdateExpression: "SET onesk = :v", ExpressionAttributeValues: { ":v": S("1") } }
  await send(new UpdateItemCommand({ TableName, Key, ...set }))
  expect(await found()).toBe(1)
  await send(new UpdateItemCommand({ TableName, Key, UpdateExpression: "REMOVE onepk" }))
  expect(await found()).toBe(0)
})

test("a local index sorts by its own key, reads consistently, and fetches what it does not hold", async () => {
  const local = { IndexName: "local", ConsistentRead: true }
  expect(await sorted("pk = :p AND lsi < :b", { ":p": S("q"), ":b": S("4") }, local)).toEqual(["7", "6"])
  const whole = await query("pk = :p", { ":p": S("q") }, { ...local, Select: "ALL_ATTRIBUTES", Limit: 1 })
  expect(whole.Items).toMatchObject([{ sk: S("7"), x: S("x") }])
})

test("a page ends at 1 MB and says where to go on", async () => {
  for (let n = 0; n < 4; n++) await put({ pk: S("wide"), sk: S(String(n)), s: S("x".repeat(390_000)) })
  const first = await query("pk = :p", { ":p": S("wide") })
  expect(first).toMatchObject({ Count: 3, LastEvaluatedKey: { pk: S("wide"), sk: S("2") } })
  const rest = await query("pk = :p", { ":p": S("wide") }, { ExclusiveStartKey: first.LastEvaluatedKey })
  expect(rest.Count).toBe(1)
  expect(rest.LastEvaluatedKey).toBeUndefined()
})

test.each([
  ["no partition key", "sk = :p", {}, /missed key schema element: pk/],
  ["another attribute", "pk = :p AND n = :p", {}, /missed key schema element: sk/],
  ["a range of partitions", "pk > :p", {}, /not supported/],
  ["an unknown index", "pk = :p", { IndexName: "nope" }, /does not have the specified index/],
  ["a consistent read of a global index", "onepk = :p", { IndexName: "one", ConsistentRead: true }, /not supported on global/],
  ["a filter on a key", "pk = :p", { FilterExpression: "sk = :p" }, /can only contain non-primary key attributes/],
  ["a cursor of another query", "pk = :p", { ExclusiveStartKey: { pk: S("other"), sk: S("1") } }, /outside query boundaries/],
  ["a cursor without its sort key", "pk = :p", { ExclusiveStartKey: { pk: S("q") } }, /starting key is invalid/],
  ["a table that is not there", "pk = :p", { TableName: "nope" }, /Requested resource not found/],
])("%s is refused", async (_, condition, more, message) => {
  await expect(query(condition, { ":p": S("q") }, more as Partial<QueryCommandInput>)).rejects.toThrow(message)
})

test("segments of a scan share the items between them", async () => {
  const segment = async (Segment: number) => {
    const seen: string[] = []
    let ExclusiveStartKey: QueryCommandInput["ExclusiveStartKey"]
    do {
      const scan = new ScanCommand({ TableName: "many", Segment, TotalSegments: 3, Limit: 7, ExclusiveStartKey })
      const page = await send(scan)
      seen.push(...page.Items!.map(({ pk }) => pk!.S!))
      ExclusiveStartKey = page.LastEvaluatedKey
    } while (ExclusiveStartKey)
    return seen
  }
  await createTable(served.client, "many")
  for (let n = 0; n < 60; n++) {
    await send(new PutItemCommand({ TableName: "many", Item: { pk: S(`p${n}`), sk: S("1") } }))
  }
  const shares = await Promise.all([0, 1, 2].map(segment))
  expect(shares.every((share) => share.length > 5)).toBe(true)
  expect(new Set(shares.flat()).size).toBe(60)
  expect(shares.flat()).toHaveLength(60)
})

test("numbers sort as numbers, negative ones too", async () => {
  await createTable(served.client, "numbers", {
    AttributeDefinitions: [
      { AttributeName: "pk", AttributeType: "S" },
      { AttributeName: "sk", AttributeType: "N" },
    ],
  })
  const numbers = ["-5e20", "-10", "-9.5", "-0.001", "0", "0.1", "1", "2", "10", "1e30"]
  for (const n of numbers.toReversed()) {
    await send(new PutItemCommand({ TableName: "numbers", Item: { pk: S("p"), sk: N(n) } }))
  }
  const all = await query("pk = :p", { ":p": S("p") }, { TableName: "numbers" })
  expect(all.Items!.map(({ sk }) => Number(sk!.N))).toEqual(numbers.map(Number))
  const some = await query(
    "pk = :p AND sk BETWEEN :a AND :b",
    { ":p": S("p"), ":a": N(-10), ":b": N("0.1") },
    { TableName: "numbers" },
  )
  expect(some.Items!.map(({ sk }) => Number(sk!.N))).toEqual([-10, -9.5, -0.001, 0, 0.1])
})
