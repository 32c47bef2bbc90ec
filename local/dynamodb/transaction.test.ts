import { randomUUID } from "node:crypto"
import { rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  GetItemCommand,
  PutItemCommand,
  TransactGetItemsCommand,
  type TransactWriteItem,
  TransactWriteItemsCommand,
} from "@aws-sdk/client-dynamodb"
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { createTable, globalIndex, N, S, type Served, serve } from "./testing.ts"

const TableName = "things"
const clock = join(tmpdir(), `clock-${randomUUID()}`)
let served: Served
let send: Served["client"]["send"]

beforeAll(async () => {
  served = await serve()
  send = served.client.send.bind(served.client)
  await createTable(served.client, TableName, { GlobalSecondaryIndexes: [globalIndex("one")] })
})
afterAll(async () => {
  await served.close()
  delete process.env.DORMOUSE_CLOCK
  rmSync(clock, { force: true })
})

/** A partition of its own for every test. */
let pk: string
beforeEach(() => {
  pk = randomUUID()
})

const key = (sk: string) => ({ pk: S(pk), sk: S(sk) })
const put = (sk: string, more: object = {}) => send(new PutItemCommand({ TableName, Item: { ...key(sk), ...more } }))
const get = async (sk: string) => (await send(new GetItemCommand({ TableName, Key: key(sk), ConsistentRead: true }))).Item
const transact = (TransactItems: TransactWriteItem[], ClientRequestToken?: string) =>
  send(new TransactWriteItemsCommand({ TransactItems, ClientRequestToken }))
const putting = (sk: string, more: object = {}) => ({ Put: { TableName, Item: { ...key(sk), ...more } } })
const counting = (sk: string, by = 1) => ({
  Update: {
    ...{ TableName, Key: key(sk), UpdateExpression: "ADD n :by" },
    ExpressionAttributeValues: { ":by": N(by) },
  },
})
const ifNew = { ConditionExpression: "attribute_not_exists(pk)" }

test("put, update, delete and check happen together", async () => {
  for (const sk of ["updated", "deleted", "checked"]) await put(sk)
  await transact([
    { Put: { ...putting("new").Put, ...ifNew } },
    counting("updated"),
    { Delete: { TableName, Key: key("deleted") } },
    { ConditionCheck: { TableName, Key: key("checked"), ConditionExpression: "attribute_exists(pk)" } },
  ])
  expect(await get("new")).toEqual(key("new"))
  expect(await get("updated")).toEqual({ ...key("updated"), n: N(1) })
  expect(await get("deleted")).toBeUndefined()
  expect(await get("checked")).toEqual(key("checked"))
})

test("one failed condition cancels all, with a reason for each write and the item where it is asked for", async () => {
  await put("there", { n: N(7) })
  const refused = transact([
    putting("new"),
    { Put: { ...putting("there").Put, ...ifNew, ReturnValuesOnConditionCheckFailure: "ALL_OLD" } },
    { ConditionCheck: { TableName, Key: key("absent"), ConditionExpression: "attribute_exists(pk)" } },
  ])
  const Message = "The conditional request failed"
  await expect(refused).rejects.toMatchObject({
    name: "TransactionCanceledException",
    message: expect.stringContaining("[None, ConditionalCheckFailed, ConditionalCheckFailed]"),
    CancellationReasons: [
      { Code: "None" },
      { Code: "ConditionalCheckFailed", Message, Item: { ...key("there"), n: N(7) } },
      { Code: "ConditionalCheckFailed", Message },
    ],
  })
  expect(await get("new")).toBeUndefined()
})

test("a write that its item does not allow cancels all, with ValidationError as the reason", async () => {
  await put("text", { n: S("not a number") })
  const refused = transact([putting("new"), counting("text")])
  await expect(refused).rejects.toMatchObject({
    name: "TransactionCanceledException",
    CancellationReasons: [{ Code: "None" }, { Code: "ValidationError" }],
  })
  expect(await get("new")).toBeUndefined()
})

test("no read between two writes of a transaction", async () => {
  await put("a", { n: N(0) })
  await put("b", { n: N(0) })
  const read = async () => {
    const items = ["a", "b"].map((sk) => ({ Get: { TableName, Key: key(sk) } }))
    return (await send(new TransactGetItemsCommand({ TransactItems: items }))).Responses!.map(({ Item }) => Item!.n!.N)
  }
  const writes = Array.from({ length: 20 }, () => transact([counting("a"), counting("b")]))
  const reads = Array.from({ length: 20 }, read)
  await Promise.all(writes)
  for (const [a, b] of await Promise.all(reads)) expect(a).toBe(b)
  expect(await read()).toEqual(["20", "20"])
})

test("reads of a transaction come in the order they were asked for, absent ones empty", async () => {
  await put("a", { n: N(1), m: S("x") })
  const gets = [{ Key: key("absent") }, { Key: key("a"), ProjectionExpression: "n" }]
  const TransactItems = gets.map((Get) => ({ Get: { TableName, ...Get } }))
  const { Responses } = await send(new TransactGetItemsCommand({ TransactItems }))
  expect(Responses).toEqual([{}, { Item: { n: N(1) } }])
})

test("a repeated token answers without doing it again, for ten minutes and across a restart", async () => {
  process.env.DORMOUSE_CLOCK = clock
  writeFileSync(clock, "0")
  const path = join(tmpdir(), `${randomUUID()}.sqlite`)
  let fresh = await serve({ path })
  await createTable(fresh.client, TableName)
  const once = () =>
    fresh.client.send(new TransactWriteItemsCommand({ TransactItems: [counting("n")], ClientRequestToken: "token" }))
  const count = async () => (await fresh.client.send(new GetItemCommand({ TableName, Key: key("n") }))).Item!.n!.N
  await once()
  await once()
  expect(await count()).toBe("1")

  await fresh.close()
  fresh = await serve({ path })
  writeFileSync(clock, String(9 * 60_000))
  await once()
  expect(await count()).toBe("1")

  writeFileSync(clock, String(11 * 60_000))
  await once()
  expect(await count()).toBe("2")
  await fresh.close()
  for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix, { force: true })
})

test("a token with other parameters is refused, one of a cancelled transaction can be used again", async () => {
  const token = randomUUID()
  const guarded = { Put: { ...putting("a").Put, ConditionExpression: "attribute_exists(pk)" } }
  await expect(transact([guarded], token)).rejects.toMatchObject({ name: "TransactionCanceledException" })
  await put("a")
  await transact([guarded], token)
  await expect(transact([counting("a")], token)).rejects.toMatchObject({ name: "IdempotentParameterMismatchException" })
})

test("the same item twice, more than 100 items, or more than 4 MB are refused as a whole", async () => {
  await expect(transact([putting("a"), counting("a")])).rejects.toThrow(/multiple operations on one item/)
  const many = Array.from({ length: 101 }, (_, index) => putting(String(index)))
  await expect(transact(many)).rejects.toMatchObject({ name: "ValidationException" })
  await expect(transact([])).rejects.toMatchObject({ name: "ValidationException" })
  const large = Array.from({ length: 11 }, (_, index) => putting(String(index), { s: S("x".repeat(390_000)) }))
  await expect(transact(large)).rejects.toThrow(/4 MB/)
  await transact(large.slice(1))
  await transact(many.slice(1))
  expect(await get("0")).toBeUndefined()
  expect(await get("100")).toEqual(key("100"))
})

test("a table that is not there, or a malformed expression, is refused before anything is done", async () => {
  const nowhere = { Put: { TableName: "nope", Item: key("b") } }
  await expect(transact([putting("a"), nowhere])).rejects.toMatchObject({ name: "ResourceNotFoundException" })
  const malformed = { Update: { ...counting("b").Update, UpdateExpression: "ADD" } }
  await expect(transact([putting("a"), malformed])).rejects.toMatchObject({ name: "ValidationException" })
  expect(await get("a")).toBeUndefined()
})
