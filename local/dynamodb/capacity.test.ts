import { randomUUID } from "node:crypto"
import {
  BatchGetItemCommand,
  BatchWriteItemCommand,
  DeleteItemCommand,
  type DeleteItemCommandInput,
  GetItemCommand,
  PutItemCommand,
  type PutItemCommandInput,
  QueryCommand,
  type QueryCommandInput,
  ScanCommand,
  TransactGetItemsCommand,
  type TransactWriteItem,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { createTable, globalIndex, keys, N, S, type Served, serve } from "./testing.ts"
import { type Item, sizeOf } from "./value.ts"

const TableName = "plain"
const indexed = "indexed"
let served: Served
let send: Served["client"]["send"]

beforeAll(async () => {
  served = await serve()
  send = served.client.send.bind(served.client)
  await createTable(served.client, TableName)
  await createTable(served.client, indexed, {
    GlobalSecondaryIndexes: [globalIndex("all"), globalIndex("few", "INCLUDE", ["shown"]), globalIndex("keys", "KEYS_ONLY")],
    LocalSecondaryIndexes: [{ IndexName: "local", KeySchema: keys("pk", "lsi"), Projection: { ProjectionType: "ALL" } }],
  })
})
afterAll(() => served.close())

/** A partition of its own for every test. `key` takes 42 bytes with one letter for the sort key. */
let pk: string
beforeEach(() => {
  pk = randomUUID()
  served.units()
})
const key = (sk: string) => ({ pk: S(pk), sk: S(sk) })

/** An item of exactly this many bytes. */
const sized = (sk: string, bytes: number) => {
  const item = { ...key(sk), fill: S("") }
  return { ...item, fill: S("x".repeat(bytes - sizeOf(item))) }
}
const KB = 1024
const total = { TableName, ReturnConsumedCapacity: "TOTAL" } as const

const put = async (Item: Record<string, object>, more: Partial<PutItemCommandInput> = {}) =>
  (await send(new PutItemCommand({ ...total, Item: Item as never, ...more }))).ConsumedCapacity!.CapacityUnits
const remove = async (sk: string, more: Partial<DeleteItemCommandInput> = {}) =>
  (await send(new DeleteItemCommand({ ...total, Key: key(sk), ...more }))).ConsumedCapacity!.CapacityUnits
const get = async (sk: string, ConsistentRead = false) =>
  (await send(new GetItemCommand({ ...total, Key: key(sk), ConsistentRead }))).ConsumedCapacity!.CapacityUnits
const query = async (more: Partial<QueryCommandInput> = {}) => {
  const partition = { KeyConditionExpression: "pk = :p", ExpressionAttributeValues: { ":p": S(pk) } }
  return (await send(new QueryCommand({ ...total, ...partition, ...more }))).ConsumedCapacity!
}

describe("the size of an item is its names and values", () => {
  test.each<[string, Item, number]>([
    ["text in UTF-8", { é: { S: "aé…" } }, 2 + 6],
    ["an empty text", { a: { S: "" } }, 1],
    ["binary as its bytes", { b: { B: Buffer.from([1, 2, 3]).toString("base64") } }, 1 + 3],
    ["zero as one byte", { n: { N: "0" } }, 1 + 1],
    ["two digits as one byte, and one more", { n: { N: "12" } }, 1 + 2],
    ["three digits as two bytes, and one more", { n: { N: "123" } }, 1 + 3],
    ["trailing zeros as nothing", { n: { N: "120000" } }, 1 + 2],
    ["two digits of different pairs as two bytes", { n: { N: "1200000" } }, 1 + 3],
    ["a minus sign as one byte", { n: { N: "-12" } }, 1 + 3],
    ["38 digits as 20 bytes", { n: { N: "12345678901234567890123456789012345678" } }, 1 + 20],
    ["a boolean and a null as one byte", { t: { BOOL: true }, z: { NULL: true } }, 2 + 2],
    ["a set as its elements", { s: { SS: ["ab", "c"] }, n: { NS: ["1", "2"] } }, 2 + 3 + 4],
    ["a list as three bytes and one for each element", { l: { L: [{ S: "ab" }, { BOOL: true }] } }, 1 + 3 + 1 + 2 + 1 + 1],
    ["a map as three bytes, and names and one for each element", { m: { M: { ab: { S: "c" } } } }, 1 + 3 + 1 + 2 + 1],
  ])("%s", (_, item, bytes) => {
    expect(sizeOf(item)).toBe(bytes)
  })
})

describe("writes", () => {
  test("a write unit is 1 KB, rounded up", async () => {
    expect(await put(sized("1", 100))).toBe(1)
    expect(await put(sized("2", KB))).toBe(1)
    expect(await put(sized("3", KB + 1))).toBe(2)
    expect(await put(sized("4", 10 * KB))).toBe(10)
  })

  test("a put is charged by the larger of the item before and after", async () => {
    await put(sized("1", 5 * KB))
    expect(await put(sized("1", 100))).toBe(5)
    expect(await put(sized("1", 3 * KB))).toBe(3)
  })

  test("an update is charged by the whole item, the larger of before and after", async () => {
    await put(sized("1", 3 * KB))
    const update = async (UpdateExpression: string, values?: Record<string, object>) => {
      const command = { ...total, Key: key("1"), UpdateExpression, ExpressionAttributeValues: values as never }
      return (await send(new UpdateItemCommand(command))).ConsumedCapacity!.CapacityUnits
    }
    expect(await update("SET n = :n", { ":n": N(1) })).toBe(4)
    expect(await update("REMOVE fill")).toBe(4)
    expect(await update("SET n = :n", { ":n": N(2) })).toBe(1)
  })

  test("a deletion is charged by the item, and one unit where there is none", async () => {
    await put(sized("1", 4 * KB))
    expect(await remove("1")).toBe(4)
    expect(await remove("1")).toBe(1)
  })

  test("a write whose condition fails is charged all the same, and reported", async () => {
    await put(sized("1", 5 * KB))
    served.units()
    const ifNew = { ConditionExpression: "attribute_not_exists(pk)" }
    await expect(put(sized("1", 100), ifNew)).rejects.toMatchObject({ name: "ConditionalCheckFailedException" })
    await expect(put(sized("1", 7 * KB), ifNew)).rejects.toMatchObject({ name: "ConditionalCheckFailedException" })
    await expect(remove("none", { ConditionExpression: "attribute_exists(pk)" })).rejects.toMatchObject({
      name: "ConditionalCheckFailedException",
    })
    const use = { table: TableName, read: 0, indexWrites: {} }
    expect(served.units()).toEqual([
      { operation: "PutItem", ...use, write: 5 },
      { operation: "PutItem", ...use, write: 7 },
      { operation: "DeleteItem", ...use, write: 1 },
    ])
  })

  test("a malformed request is charged nothing", async () => {
    await expect(put(key("1"), { ConditionExpression: "=" })).rejects.toMatchObject({ name: "ValidationException" })
    expect(served.units()).toEqual([])
  })

  test("a batch is charged item by item", async () => {
    const requests = [sized("1", 100), sized("2", 100), sized("3", 2 * KB)].map((Item) => ({ PutRequest: { Item } }))
    const input = { RequestItems: { [TableName]: requests }, ReturnConsumedCapacity: "TOTAL" } as const
    expect((await send(new BatchWriteItemCommand(input))).ConsumedCapacity).toEqual([{ TableName, CapacityUnits: 4 }])
    expect(served.units().map(({ write }) => write)).toEqual([4])
  })
})

describe("reads", () => {
  test("a read unit is 4 KB read consistently, or 8 KB eventually, rounded up", async () => {
    await put(sized("1", 4 * KB))
    await put(sized("2", 4 * KB + 1))
    expect([await get("1", true), await get("2", true)]).toEqual([1, 2])
    expect([await get("1"), await get("2")]).toEqual([0.5, 1])
  })

  test("what is not there costs as much as the smallest item", async () => {
    expect([await get("none", true), await get("none")]).toEqual([1, 0.5])
    expect((await query()).CapacityUnits).toBe(0.5)
  })

  test("a projection spares nothing", async () => {
    await put(sized("1", 9 * KB))
    const input = { ...total, Key: key("1"), ProjectionExpression: "sk" }
    expect((await send(new GetItemCommand(input))).ConsumedCapacity!.CapacityUnits).toBe(1.5)
  })

  test("a query is charged by its page: all that was read, together, whatever a filter keeps", async () => {
    for (let n = 0; n < 8; n++) await put(sized(String(n), KB))
    expect((await query()).CapacityUnits).toBe(1)
    expect((await query({ ConsistentRead: true })).CapacityUnits).toBe(2)
    expect((await query({ Select: "COUNT" })).CapacityUnits).toBe(1)
    const nothing = { FilterExpression: "fill = :p", ConsistentRead: true }
    expect((await query(nothing)).CapacityUnits).toBe(2)
    expect((await query({ Limit: 3, ConsistentRead: true })).CapacityUnits).toBe(1)
  })

  test("a full page of 1 MB costs 128 or 128.5 units", async () => {
    for (let n = 0; n < 3; n++) await put(sized(String(n), 400 * KB))
    expect((await query()).CapacityUnits).toBe((3 * 100) / 2)
    const scan = new ScanCommand({ ...total, Limit: 1 })
    expect((await send(scan)).ConsumedCapacity!.CapacityUnits).toBeGreaterThanOrEqual(0.5)
  })

  test("a batch is charged item by item", async () => {
    await put(sized("1", 100))
    await put(sized("2", 5 * KB))
    const Keys = ["1", "2", "none"].map(key)
    const read = async (ConsistentRead: boolean) => {
      const input = { RequestItems: { [TableName]: { Keys, ConsistentRead } }, ReturnConsumedCapacity: "TOTAL" } as const
      return (await send(new BatchGetItemCommand(input))).ConsumedCapacity
    }
    expect(await read(false)).toEqual([{ TableName, CapacityUnits: 2 }])
    expect(await read(true)).toEqual([{ TableName, CapacityUnits: 4 }])
  })
})

describe("global indexes", () => {
  const at = (name: string, place: string) => ({ [`${name}pk`]: S(pk), [`${name}sk`]: S(place) })
  const write = async (Item: Record<string, object>) => {
    served.units()
    await send(new PutItemCommand({ TableName: indexed, Item: { ...key("1"), ...Item } as never }))
    return served.units()[0]
  }
  const units = (write: number, indexWrites: Record<string, number> = {}) => ({
    ...{ operation: "PutItem", table: indexed, read: 0 },
    ...{ write, indexWrites },
  })

  test("an item enters and leaves an index with one write, and costs nothing where it is not in it", async () => {
    expect(await write({})).toEqual(units(1))
    expect(await write(at("all", "a"))).toEqual(units(1, { all: 1 }))
    expect(await write({})).toEqual(units(1, { all: 1 }))
    expect(await write({ other: S("x") })).toEqual(units(1))
  })

  test("a change of the index's key is a deletion and a put", async () => {
    await write(at("all", "a"))
    expect(await write(at("all", "b"))).toEqual(units(1, { all: 2 }))
  })

  test("an index is written only if what it holds has changed", async () => {
    const all = { ...at("all", "a"), ...at("few", "a"), ...at("keys", "a") }
    expect(await write({ ...all, shown: S("1"), hidden: S("1") })).toEqual(units(1, { all: 1, few: 1, keys: 1 }))
    expect(await write({ ...all, shown: S("1"), hidden: S("2") })).toEqual(units(1, { all: 1 }))
    expect(await write({ ...all, shown: S("2"), hidden: S("2") })).toEqual(units(1, { all: 1, few: 1 }))
    expect(await write({ ...all, shown: S("2"), hidden: S("2") })).toEqual(units(1))
  })

  test("an index write is sized by what the index holds, the larger of before and after", async () => {
    const large = { ...at("all", "a"), ...at("keys", "a"), fill: S("x".repeat(5 * KB)) }
    expect(await write(large)).toEqual(units(6, { all: 6, keys: 1 }))
    expect(await write({ ...large, fill: S("x") })).toEqual(units(6, { all: 6 }))
    expect(await write({ ...at("all", "b"), fill: S("x".repeat(2 * KB)) })).toEqual(units(3, { all: 4, keys: 1 }))
  })

  test("a local index is charged apart as well", async () => {
    expect(await write({ lsi: S("a") })).toEqual(units(1, { local: 1 }))
    expect(await write({ lsi: S("b") })).toEqual(units(1, { local: 2 }))
  })

  test("a refused write touches no index", async () => {
    await write(at("all", "a"))
    served.units()
    const Item = { ...key("1"), ...at("all", "b") }
    const refused = new PutItemCommand({ TableName: indexed, Item, ConditionExpression: "attribute_not_exists(pk)" })
    await expect(send(refused)).rejects.toMatchObject({ name: "ConditionalCheckFailedException" })
    expect(served.units()).toEqual([units(1)])
  })

  test("a query of an index is charged by what the index holds", async () => {
    const fill = S("x".repeat(8 * KB))
    for (const place of ["a", "b"])
      await send(
        new PutItemCommand({
          ...{ TableName: indexed, Item: { ...key(place), ...at("all", place), ...at("keys", place), fill } },
        }),
      )
    const read = (IndexName: string) =>
      query({ TableName: indexed, IndexName, KeyConditionExpression: `${IndexName}pk = :p`, ReturnConsumedCapacity: "INDEXES" })
    const use = { TableName: indexed, Table: { CapacityUnits: 0 } }
    expect(await read("all")).toEqual({ ...use, CapacityUnits: 2.5, GlobalSecondaryIndexes: { all: { CapacityUnits: 2.5 } } })
    expect(await read("keys")).toEqual({ ...use, CapacityUnits: 0.5, GlobalSecondaryIndexes: { keys: { CapacityUnits: 0.5 } } })
  })

  test("ReturnConsumedCapacity gives nothing, the total with the indexes, or each apart", async () => {
    const Item = { ...key("1"), ...at("all", "a"), lsi: S("a") }
    const consumed = async (ReturnConsumedCapacity?: "NONE" | "TOTAL" | "INDEXES") => {
      await remove("1", { TableName: indexed })
      return (await send(new PutItemCommand({ TableName: indexed, Item, ReturnConsumedCapacity }))).ConsumedCapacity
    }
    expect(await consumed()).toBeUndefined()
    expect(await consumed("NONE")).toBeUndefined()
    expect(await consumed("TOTAL")).toEqual({ TableName: indexed, CapacityUnits: 3 })
    expect(await consumed("INDEXES")).toEqual({
      ...{ TableName: indexed, CapacityUnits: 3, Table: { CapacityUnits: 1 } },
      GlobalSecondaryIndexes: { all: { CapacityUnits: 1 } },
      LocalSecondaryIndexes: { local: { CapacityUnits: 1 } },
    })
  })
})

describe("transactions", () => {
  const transact = (TransactItems: TransactWriteItem[], ClientRequestToken?: string) =>
    send(new TransactWriteItemsCommand({ TransactItems, ClientRequestToken, ReturnConsumedCapacity: "INDEXES" }))

  test("writes cost twice on the table and once on its indexes", async () => {
    const Item = { ...sized("1", KB + 1), allpk: S(pk), allsk: S("a") }
    const { ConsumedCapacity } = await transact([{ Put: { TableName: indexed, Item } }])
    expect(ConsumedCapacity).toEqual([
      {
        ...{ TableName: indexed, CapacityUnits: 6, WriteCapacityUnits: 6, Table: { CapacityUnits: 4, WriteCapacityUnits: 4 } },
        GlobalSecondaryIndexes: { all: { CapacityUnits: 2, WriteCapacityUnits: 2 } },
      },
    ])
    const use = { operation: "TransactWriteItems", table: indexed, read: 0, write: 4, indexWrites: { all: 2 } }
    expect(served.units()).toEqual([use])
  })

  test("every kind of write is charged, a check by the item it checks", async () => {
    for (const sk of ["2", "3", "4"]) await put(sized(sk, 2 * KB))
    served.units()
    await transact([
      { Put: { TableName, Item: sized("1", 100) } },
      { Update: { TableName, Key: key("2"), UpdateExpression: "REMOVE fill" } },
      { Delete: { TableName, Key: key("3") } },
      { ConditionCheck: { TableName, Key: key("4"), ConditionExpression: "attribute_exists(pk)" } },
    ])
    expect(served.units()[0]!.write).toBe(2 * (1 + 2 + 2 + 2))
  })

  test("a cancelled transaction is charged on the table, and on no index", async () => {
    const cancelled = transact([
      { Put: { TableName: indexed, Item: { ...sized("1", 3 * KB), allpk: S(pk), allsk: S("a") } } },
      { ConditionCheck: { TableName: indexed, Key: key("2"), ConditionExpression: "attribute_exists(pk)" } },
    ])
    await expect(cancelled).rejects.toMatchObject({ name: "TransactionCanceledException" })
    const use = { operation: "TransactWriteItems", table: indexed, read: 0, write: 2 * (4 + 1), indexWrites: {} }
    expect(served.units()).toEqual([use])
  })

  test("a repeated token is charged for reading, not for writing", async () => {
    const items = [{ Put: { TableName, Item: sized("1", 5 * KB) } }]
    const token = randomUUID()
    await transact(items, token)
    const { ConsumedCapacity } = await transact(items, token)
    expect(ConsumedCapacity).toMatchObject([{ CapacityUnits: 4, ReadCapacityUnits: 4 }])
    expect(served.units().map(({ read, write }) => [read, write])).toEqual([
      [0, 10],
      [4, 0],
    ])
  })

  test("reads cost two units for every 4 KB of each item, also where there is none", async () => {
    await put(sized("1", 5 * KB))
    const TransactItems = ["1", "none"].map((sk) => ({ Get: { TableName, Key: key(sk) } }))
    const { ConsumedCapacity } = await send(new TransactGetItemsCommand({ TransactItems, ReturnConsumedCapacity: "TOTAL" }))
    expect(ConsumedCapacity).toEqual([{ TableName, CapacityUnits: 6, ReadCapacityUnits: 6 }])
  })
})
