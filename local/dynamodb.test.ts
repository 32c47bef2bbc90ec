import {
  BatchGetItemCommand,
  BatchWriteItemCommand,
  CreateTableCommand,
  DeleteItemCommand,
  DeleteTableCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  ExecuteStatementCommand,
  GetItemCommand,
  ListTablesCommand,
  ListTagsOfResourceCommand,
  PutItemCommand,
  QueryCommand,
  type QueryCommandInput,
  ScanCommand,
  TagResourceCommand,
  UpdateItemCommand,
  type UpdateItemCommandInput,
  UpdateTableCommand,
  UpdateTimeToLiveCommand,
  waitUntilTableExists,
} from "@aws-sdk/client-dynamodb"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createTable, globalIndex, keys, N, region, S, type Served, serve } from "./dynamodb/testing.ts"

const TableName = "things"
let served: Served
const client = () => served.client
let send: Served["client"]["send"]

beforeAll(async () => {
  served = await serve()
  send = served.client.send.bind(served.client)
  await createTable(client(), TableName, {
    GlobalSecondaryIndexes: [globalIndex("one"), globalIndex("few", "INCLUDE", ["n"]), globalIndex("keys", "KEYS_ONLY")],
    LocalSecondaryIndexes: [{ IndexName: "local", KeySchema: keys("pk", "lsi"), Projection: { ProjectionType: "KEYS_ONLY" } }],
  })
})
afterAll(() => served.close())

const put = (Item: Record<string, object>) => send(new PutItemCommand({ TableName, Item: Item as never }))
const get = async (pk: string, sk: string) =>
  (await send(new GetItemCommand({ TableName, Key: { pk: S(pk), sk: S(sk) }, ConsistentRead: true }))).Item
const update = (pk: string, sk: string, input: Partial<UpdateItemCommandInput>) =>
  send(new UpdateItemCommand({ TableName, Key: { pk: S(pk), sk: S(sk) }, ReturnValues: "ALL_NEW", ...input }))
const query = (KeyConditionExpression: string, values: Record<string, object>, more: Partial<QueryCommandInput> = {}) =>
  send(new QueryCommand({ TableName, KeyConditionExpression, ExpressionAttributeValues: values as never, ...more }))

describe("tables", () => {
  test("a table is active as soon as it is made, and tells what it is made of", async () => {
    await waitUntilTableExists({ client: client(), maxWaitTime: 30 }, { TableName })
    const { Table } = await send(new DescribeTableCommand({ TableName }))
    expect(Table).toMatchObject({
      TableName,
      TableStatus: "ACTIVE",
      TableArn: `arn:aws:dynamodb:${region}:123456789012:table/things`,
      BillingModeSummary: { BillingMode: "PAY_PER_REQUEST" },
      KeySchema: keys("pk", "sk"),
    })
    expect(Table!.GlobalSecondaryIndexes!.map(({ IndexName, IndexStatus }) => [IndexName, IndexStatus])).toEqual([
      ["one", "ACTIVE"],
      ["few", "ACTIVE"],
      ["keys", "ACTIVE"],
    ])
    expect(Table!.LocalSecondaryIndexes![0]!.Projection).toEqual({ ProjectionType: "KEYS_ONLY" })
  })

  test("tables are listed by name, page by page", async () => {
    for (const name of ["list-c", "list-a", "list-b"]) await createTable(client(), name)
    const first = await send(new ListTablesCommand({ ExclusiveStartTableName: "list", Limit: 2 }))
    expect(first).toMatchObject({ TableNames: ["list-a", "list-b"], LastEvaluatedTableName: "list-b" })
    const second = await send(new ListTablesCommand({ ExclusiveStartTableName: "list-b" }))
    expect(second.TableNames![0]).toBe("list-c")
  })

  test("a second table of the same name is refused", async () => {
    await expect(createTable(client(), TableName)).rejects.toMatchObject({ name: "ResourceInUseException" })
  })

  test("provisioned tables are refused, since nothing here would throttle them", async () => {
    const more = { BillingMode: "PROVISIONED", ProvisionedThroughput: { ReadCapacityUnits: 1, WriteCapacityUnits: 1 } } as const
    await expect(createTable(client(), "provisioned", more)).rejects.toMatchObject({ name: "ValidationException" })
  })

  test("a table without a definition of its key is refused in DynamoDB's words", async () => {
    const input = { TableName: "bad", BillingMode: "PAY_PER_REQUEST", AttributeDefinitions: [], KeySchema: keys("pk") } as const
    await expect(send(new CreateTableCommand({ ...input, AttributeDefinitions: [] }))).rejects.toThrow(/no definition/)
  })

  test("a deleted table is gone with its items, and a new one of its name is empty", async () => {
    await createTable(client(), "brief")
    await send(new PutItemCommand({ TableName: "brief", Item: { pk: S("a"), sk: S("1") } }))
    const deleted = await send(new DeleteTableCommand({ TableName: "brief" }))
    expect(deleted.TableDescription).toMatchObject({ TableStatus: "DELETING", ItemCount: 1 })
    await expect(send(new DescribeTableCommand({ TableName: "brief" }))).rejects.toMatchObject({
      name: "ResourceNotFoundException",
    })
    await createTable(client(), "brief")
    expect((await send(new ScanCommand({ TableName: "brief" }))).Count).toBe(0)
  })

  test("a protected table cannot be deleted until its protection ends", async () => {
    await createTable(client(), "kept", { DeletionProtectionEnabled: true })
    await expect(send(new DeleteTableCommand({ TableName: "kept" }))).rejects.toThrow(/protected against deletion/)
    await send(new UpdateTableCommand({ TableName: "kept", DeletionProtectionEnabled: false }))
    await send(new DeleteTableCommand({ TableName: "kept" }))
  })

  test("an index that is added later finds the items that were there before, and can be removed", async () => {
    await createTable(client(), "growing", {
      GlobalSecondaryIndexes: [globalIndex("one")],
      LocalSecondaryIndexes: [{ IndexName: "local", KeySchema: keys("pk", "lsi"), Projection: { ProjectionType: "ALL" } }],
    })
    await send(new PutItemCommand({ TableName: "growing", Item: { pk: S("a"), sk: S("1"), color: S("red") } }))
    await send(new PutItemCommand({ TableName: "growing", Item: { pk: S("a"), sk: S("2"), color: N(3) } }))
    const index = { IndexName: "color", KeySchema: keys("color"), Projection: { ProjectionType: "ALL" as const } }
    await send(
      new UpdateTableCommand({
        TableName: "growing",
        AttributeDefinitions: [{ AttributeName: "color", AttributeType: "S" }],
        GlobalSecondaryIndexUpdates: [{ Create: index }],
      }),
    )
    const red = {
      TableName: "growing",
      IndexName: "color",
      KeyConditionExpression: "color = :c",
      ExpressionAttributeValues: { ":c": S("red") },
    }
    expect((await send(new QueryCommand(red))).Items).toEqual([{ pk: S("a"), sk: S("1"), color: S("red") }])
    await send(new DeleteItemCommand({ TableName: "growing", Key: { pk: S("a"), sk: S("2") } }))
    const remove = [{ Delete: { IndexName: "color" } }]
    await send(new UpdateTableCommand({ TableName: "growing", GlobalSecondaryIndexUpdates: remove }))
    const placed = { pk: S("a"), sk: S("3"), onepk: S("x"), onesk: S("y"), lsi: S("z") }
    await send(new PutItemCommand({ TableName: "growing", Item: placed }))
    for (const IndexName of ["one", "local"])
      expect((await send(new ScanCommand({ TableName: "growing", IndexName }))).Items).toEqual([placed])
    await expect(send(new QueryCommand(red))).rejects.toThrow("The table does not have the specified index: color")
  })

  test("time to live is off until it is switched on, and one attribute at a time", async () => {
    await createTable(client(), "mortal")
    const set = (AttributeName: string, Enabled: boolean) =>
      send(new UpdateTimeToLiveCommand({ TableName: "mortal", TimeToLiveSpecification: { AttributeName, Enabled } }))
    const described = async () => (await send(new DescribeTimeToLiveCommand({ TableName: "mortal" }))).TimeToLiveDescription
    expect(await described()).toEqual({ TimeToLiveStatus: "DISABLED" })
    await set("ttl", true)
    expect(await described()).toEqual({ TimeToLiveStatus: "ENABLED", AttributeName: "ttl" })
    await expect(set("other", true)).rejects.toThrow(/active on a different AttributeName/)
    await set("ttl", false)
    expect(await described()).toEqual({ TimeToLiveStatus: "DISABLED" })
  })

  test("tags can be set and read", async () => {
    const { TableArn } = await createTable(client(), "tagged", { Tags: [{ Key: "a", Value: "1" }] })
    await send(new TagResourceCommand({ ResourceArn: TableArn, Tags: [{ Key: "b", Value: "2" }] }))
    expect((await send(new ListTagsOfResourceCommand({ ResourceArn: TableArn }))).Tags).toEqual([
      { Key: "a", Value: "1" },
      { Key: "b", Value: "2" },
    ])
  })

  test("what is not built is an unknown operation", async () => {
    await expect(send(new ExecuteStatementCommand({ Statement: "SELECT * FROM things" }))).rejects.toMatchObject({
      name: "UnknownOperationException",
    })
  })
})

describe("single items", () => {
  test("an item comes back with every type it was put with", async () => {
    const item = {
      pk: S("types"),
      sk: S("1"),
      n: N("12345678901234567890.123456789"),
      b: { B: new Uint8Array([0, 1, 255]) },
      yes: { BOOL: true },
      nothing: { NULL: true },
      text: { SS: ["a", "b"] },
      numbers: { NS: ["1", "2.5"] },
      list: { L: [N(1), { M: { deep: { L: [] } } }] },
      empty: S(""),
    }
    await put(item)
    expect(await get("types", "1")).toEqual(item)
  })

  test("names that every JavaScript object has are attributes like others", async () => {
    await put({ pk: S("names"), sk: S("1") })
    const refused = update("names", "1", { UpdateExpression: "SET x = valueOf" })
    await expect(refused).rejects.toThrow(/does not exist in the item/)
    const condition = { ConditionExpression: "attribute_not_exists(toString)", UpdateExpression: "SET toString = :v" }
    const { Attributes } = await update("names", "1", { ...condition, ExpressionAttributeValues: { ":v": S("x") } })
    expect(Attributes).toEqual({ pk: S("names"), sk: S("1"), toString: S("x") })
  })

  test("a projection gives what it names, in the structure it lies in", async () => {
    await put({ pk: S("project"), sk: S("1"), m: { M: { a: N(1), b: N(2) } }, l: { L: [N(0), N(1), N(2)] } })
    const input = { TableName, Key: { pk: S("project"), sk: S("1") }, ProjectionExpression: "m.b, l[2], l[0], nope" }
    expect((await send(new GetItemCommand(input))).Item).toEqual({ m: { M: { b: N(2) } }, l: { L: [N(0), N(2)] } })
  })

  test("a condition that fails refuses the write, and shows the item where it is asked to", async () => {
    await put({ pk: S("cond"), sk: S("1"), n: N(1) })
    const input = { TableName, Item: { pk: S("cond"), sk: S("1") }, ConditionExpression: "attribute_not_exists(pk)" }
    const silent = await send(new PutItemCommand(input)).catch((error) => error)
    expect(silent).toMatchObject({ name: "ConditionalCheckFailedException" })
    expect(silent.Item).toBeUndefined()
    const shown = new PutItemCommand({ ...input, ReturnValuesOnConditionCheckFailure: "ALL_OLD" })
    await expect(send(shown)).rejects.toMatchObject({ Item: { pk: S("cond"), sk: S("1"), n: N(1) } })
    expect(await get("cond", "1")).toMatchObject({ n: N(1) })
  })

  test.each([
    ["n = :one AND NOT n <> :one", true],
    ["n > :one OR n BETWEEN :one AND :two", true],
    ["n IN (:two, :one)", true],
    ["size(l) = :two AND size(s) = :six", true],
    ["contains(l, :one) AND contains(ss, :a) AND contains(s, :a)", true],
    ["begins_with(s, :a) AND attribute_type(m, :map)", true],
    ["m = :m AND l = :l AND ss = :ss", true],
    ["m.x = :one AND l[1] = :two", true],
    ["attribute_not_exists(m.y) AND attribute_exists(l[1])", true],
    ["nope = nada", false],
    ["nope <> :one", true],
    ["nope < :one", false],
    ["s > :one", false],
    ["l = :m", false],
  ])("the condition %s is %s", async (ConditionExpression, holds) => {
    const item = {
      pk: S("conds"),
      sk: S("1"),
      ...{ n: N(1), s: S("aé…"), l: { L: [N(1), N(2)] }, m: { M: { x: N("1.0") } }, ss: { SS: ["b", "a"] } },
    }
    await put(item)
    const all = {
      ":one": N(1),
      ":two": N(2),
      ":six": N(6),
      ":a": S("a"),
      ":map": S("M"),
      ":m": { M: { x: N(1) } },
      ":l": { L: [N(1), N("2.00")] },
      ":ss": { SS: ["a", "b"] },
    }
    const used = Object.entries(all).filter(([name]) => new RegExp(`${name}\\b`).test(ConditionExpression))
    const values = used.length ? { ExpressionAttributeValues: Object.fromEntries(used) } : {}
    const attempt = send(new PutItemCommand({ TableName, Item: item, ConditionExpression, ...values })).then(
      () => true,
      (error) => error.name !== "ConditionalCheckFailedException" && error,
    )
    expect(await attempt).toBe(holds)
  })

  test("an update reads the item as it was, whatever its other parts do", async () => {
    const item = { pk: S("up"), sk: S("1"), n: N(1), m: { M: { x: N(1) } }, l: { L: [N(0), N(1), N(2), N(3)] } }
    await put({ ...item, ss: { SS: ["p", "q"] }, gone: S("x") })
    const { Attributes } = await update("up", "1", {
      UpdateExpression:
        "SET #m.x = #m.x + :one, kept = gone, q = if_not_exists(q, :one), more = list_append(l, :l), l[9] = :one REMOVE gone, l[0], l[2] ADD n :one, fresh :one DELETE ss :s",
      ExpressionAttributeNames: { "#m": "m" },
      ExpressionAttributeValues: { ":one": N(1), ":l": { L: [N(4)] }, ":s": { SS: ["p"] } },
    })
    expect(Attributes).toEqual({
      ...{ pk: S("up"), sk: S("1"), n: N(2), m: { M: { x: N(2) } }, kept: S("x"), q: N(1), fresh: N(1) },
      ...{ more: { L: [0, 1, 2, 3, 4].map(N) }, l: { L: [N(1), N(3), N(1)] }, ss: { SS: ["q"] } },
    })
    expect(await get("up", "1")).toEqual(Attributes)
  })

  test("a set that loses its last element is gone", async () => {
    await put({ pk: S("set"), sk: S("1"), ss: { SS: ["p"] } })
    const values = { ExpressionAttributeValues: { ":s": { SS: ["p", "z"] } } }
    expect((await update("set", "1", { UpdateExpression: "DELETE ss :s", ...values })).Attributes).toEqual({
      pk: S("set"),
      sk: S("1"),
    })
  })

  test("ReturnValues gives the item or what was updated, before or after", async () => {
    await put({ pk: S("ret"), sk: S("1"), n: N(1), x: S("x") })
    const returned = async (ReturnValues: UpdateItemCommandInput["ReturnValues"]) => {
      const values = { ExpressionAttributeValues: { ":one": N(1) } }
      return (await update("ret", "1", { UpdateExpression: "ADD n :one", ReturnValues, ...values })).Attributes
    }
    expect(await returned("NONE")).toBeUndefined()
    expect(await returned("UPDATED_OLD")).toEqual({ n: N(2) })
    expect(await returned("UPDATED_NEW")).toEqual({ n: N(4) })
    expect(await returned("ALL_OLD")).toMatchObject({ n: N(4), x: S("x") })
    const removed = { UpdateExpression: "REMOVE x", ReturnValues: "UPDATED_NEW" as const }
    expect((await update("ret", "1", removed)).Attributes).toBeUndefined()
    const deleted = new DeleteItemCommand({ TableName, Key: { pk: S("ret"), sk: S("1") }, ReturnValues: "ALL_OLD" })
    expect((await send(deleted)).Attributes).toEqual({ pk: S("ret"), sk: S("1"), n: N(5) })
    expect((await send(deleted)).Attributes).toBeUndefined()
  })

  test.each([
    ["an update of a key", { UpdateExpression: "SET pk = :v" }, /part of the key/],
    ["a path into what is not there", { UpdateExpression: "SET a.b = :v" }, /document path .* invalid for update/],
    ["a wrong operand", { UpdateExpression: "SET n = s + :v" }, /incorrect data type/],
    ["an index key of a wrong type", { UpdateExpression: "SET onepk = :v" }, /Type mismatch for Index Key onepk/],
    [
      "an empty index key",
      { UpdateExpression: "SET onepk = :v", value: S("") },
      /attempted to update a secondary index key to a value that is not supported/,
    ],
    ["an unused value", { UpdateExpression: "REMOVE s" }, /unused in expressions/],
    ["a reserved word", { UpdateExpression: "SET status = :v" }, /reserved keyword/],
    ["a syntax error", { UpdateExpression: "SET = :v" }, /Syntax error/],
    ["two paths that overlap", { UpdateExpression: "SET m = :v REMOVE m.x" }, /overlap/],
  ])(
    "%s is refused",
    async (_, { value = N(1), ...input }: { UpdateExpression: string; value?: { S: string } | { N: string } }, message) => {
      await put({ pk: S("bad"), sk: S("1"), s: S("text"), n: N(1) })
      const refused = update("bad", "1", { ...input, ExpressionAttributeValues: { ":v": value } })
      await expect(refused).rejects.toMatchObject({ name: "ValidationException", message: expect.stringMatching(message) })
    },
  )

  test("an item over 400 KB is refused, counted in bytes and not in characters", async () => {
    await put({ pk: S("big"), sk: S("1"), s: S("é".repeat(204_000)) })
    await expect(put({ pk: S("big"), sk: S("2"), s: S("é".repeat(205_000)) })).rejects.toThrow(
      /exceeded the maximum allowed size/,
    )
    const grow = update("big", "1", {
      UpdateExpression: "SET t = :t",
      ExpressionAttributeValues: { ":t": S("x".repeat(2_000)) },
    })
    await expect(grow).rejects.toThrow(/exceeded the maximum allowed size/)
  })

  test("parameters from before expressions are refused, not ignored", async () => {
    const item = { pk: S("old"), sk: S("1") }
    const command = new PutItemCommand({ TableName, Item: item, Expected: { pk: { Exists: false } } })
    await expect(send(command)).rejects.toThrow(/Expected is a legacy parameter/)
  })

  test("of 20 conditional updates at once exactly one wins", async () => {
    await put({ pk: S("lock"), sk: S("1"), v: N(0) })
    const attempts = Array.from({ length: 20 }, () =>
      update("lock", "1", {
        UpdateExpression: "SET v = :new",
        ConditionExpression: "v = :old",
        ExpressionAttributeValues: { ":new": N(1), ":old": N(0) },
      }),
    )
    const results = await Promise.allSettled(attempts)
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1)
  })
})

describe("batches", () => {
  test("25 items are written and read in one call each", async () => {
    const all = Array.from({ length: 25 }, (_, index) => ({ pk: S("batch"), sk: S(String(index)) }))
    await send(new BatchWriteItemCommand({ RequestItems: { [TableName]: all.map((Item) => ({ PutRequest: { Item } })) } }))
    const wanted = { [TableName]: { Keys: [...all, { pk: S("batch"), sk: S("nope") }], ProjectionExpression: "sk" } }
    const read = await send(new BatchGetItemCommand({ RequestItems: wanted }))
    expect(read.Responses![TableName]).toEqual(all.map(({ sk }) => ({ sk })))
    expect(read.UnprocessedKeys).toEqual({})
    const gone = all.slice(1).map((Key) => ({ DeleteRequest: { Key } }))
    await send(new BatchWriteItemCommand({ RequestItems: { [TableName]: gone } }))
    expect((await query("pk = :p", { ":p": S("batch") })).Items).toEqual([all[0]])
  })

  test("a batch with an item twice, or more than 25, writes nothing", async () => {
    const put = (sk: number) => ({ PutRequest: { Item: { pk: S("twice"), sk: S(String(sk)) } } })
    const write = (puts: object[]) => send(new BatchWriteItemCommand({ RequestItems: { [TableName]: puts as never } }))
    await expect(write([put(1), put(2), put(1)])).rejects.toThrow(/contains duplicates/)
    await expect(write(Array.from({ length: 26 }, (_, sk) => put(sk)))).rejects.toMatchObject({ name: "ValidationException" })
    expect((await query("pk = :p", { ":p": S("twice") })).Count).toBe(0)
  })

  test("what would pass 16 MB comes back as keys that were not processed", async () => {
    const Keys = Array.from({ length: 45 }, (_, index) => ({ pk: S("heavy"), sk: S(String(index)) }))
    for (const key of Keys) await put({ ...key, s: S("x".repeat(400_000)) })
    const first = await send(new BatchGetItemCommand({ RequestItems: { [TableName]: { Keys } } }))
    const left = first.UnprocessedKeys![TableName]!.Keys!
    expect(first.Responses![TableName]!.length + left.length).toBe(45)
    const second = await send(new BatchGetItemCommand({ RequestItems: first.UnprocessedKeys }))
    expect(second.Responses![TableName]).toHaveLength(left.length)
  })
})
