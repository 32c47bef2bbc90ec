import { randomUUID } from "node:crypto"
import {
  BatchExecuteStatementCommand,
  type BatchStatementRequest,
  GetItemCommand,
  PutItemCommand,
} from "@aws-sdk/client-dynamodb"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { createTable, globalIndex, N, S, type Served, serve } from "./testing.ts"

const TableName = "things"
let served: Served
let send: Served["client"]["send"]
/** A partition of its own for every test. */
let pk: string

beforeAll(async () => {
  served = await serve()
  send = served.client.send.bind(served.client)
  await createTable(served.client, TableName, { GlobalSecondaryIndexes: [globalIndex("one")] })
})
afterAll(() => served.close())
beforeEach(() => {
  pk = randomUUID()
})

const key = (sk: string) => ({ pk: S(pk), sk: S(sk) })
const put = (sk: string, more: object) => send(new PutItemCommand({ TableName, Item: { ...key(sk), ...more } }))
const get = async (sk: string) => (await send(new GetItemCommand({ TableName, Key: key(sk), ConsistentRead: true }))).Item
const batch = async (...Statements: BatchStatementRequest[]) =>
  (await send(new BatchExecuteStatementCommand({ Statements }))).Responses!
/** Counts an item that stands at a number on, and takes it out of the index. */
const counting = (sk: string, from: number): BatchStatementRequest => ({
  Statement: `UPDATE "things" SET "n" = ? SET state = ? REMOVE "onepk" REMOVE onesk REMOVE "never" WHERE "pk" = ? AND "sk" = ? AND "n" = ?`,
  Parameters: [N(from + 1), S("counted"), S(pk), S(sk), N(from)],
})

describe("a batch of statements", () => {
  test("changes each item whose condition holds, and tells of the others in their places", async () => {
    await put("a", { n: N(1), onepk: S("x"), onesk: S("y"), left: S("alone") })
    await put("b", { n: N(7) })
    const [first, refused, absent] = await batch(counting("a", 1), counting("b", 1), counting("c", 1))
    expect(first).toEqual({})
    for (const one of [refused, absent])
      expect(one!.Error).toEqual({ Code: "ConditionalCheckFailed", Message: "The conditional request failed" })
    expect(await get("a")).toEqual({ ...key("a"), n: N(2), state: S("counted"), left: S("alone") })
    expect(await get("b")).toEqual({ ...key("b"), n: N(7) })
    expect(await get("c")).toBeUndefined()
  })

  test("costs what its updates cost, those of the index too", async () => {
    await put("a", { n: N(1), onepk: S("x"), onesk: S("y") })
    await put("b", { n: N(1) })
    served.units()
    await batch(counting("a", 1), counting("b", 1))
    expect(served.units()).toMatchObject([{ operation: "BatchExecuteStatement", read: 0, write: 2, indexWrites: { one: 1 } }])
  })

  test.each([
    ["no statement", "SELECT * FROM things WHERE pk = ?", "Statement wasn't well formed, can't be processed"],
    ["no condition", `UPDATE "things" SET "n" = ?`, "Statement wasn't well formed, can't be processed"],
    ["nothing to do", `UPDATE "things" WHERE "pk" = ? AND "sk" = ?`, "Statement wasn't well formed, can't be processed"],
    ["no sort key", `UPDATE "things" SET "n" = ? WHERE "pk" = ?`, "The provided key element does not match the schema"],
    ["a key that changes", `UPDATE "things" SET "sk" = ? WHERE "pk" = ? AND "sk" = ?`, "This attribute is part of the key"],
    [
      "too many parameters",
      `UPDATE "things" REMOVE "n" WHERE "pk" = ?`,
      "Number of parameters in request and statement don't match.",
    ],
  ])("refuses one with %s, and carries out the rest", async (_, Statement, message) => {
    await put("a", { n: N(1) })
    const Parameters = Array.from({ length: (Statement.match(/\?/g) ?? []).length }, () => S(pk))
    if (message.startsWith("Number")) Parameters.push(S("x"))
    const [wrong, right] = await batch({ Statement, Parameters }, counting("a", 1))
    expect(wrong!.Error).toMatchObject({ Code: "ValidationError", Message: expect.stringContaining(message) })
    expect(right).toEqual({})
  })

  test("is refused as a whole where it is empty, too long, or names an item twice", async () => {
    const many = Array.from({ length: 26 }, (_, i) => counting(String(i), 1))
    await expect(batch()).rejects.toThrow("Member must have length")
    await expect(batch(...many)).rejects.toThrow("Member must have length")
    await put("a", { n: N(1) })
    await expect(batch(counting("a", 1), counting("a", 2))).rejects.toThrow("contains duplicates")
    expect(await get("a")).toMatchObject({ n: N(1) })
  })
})
