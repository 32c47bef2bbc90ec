/** Consumed capacity, by DynamoDB's rules. */
import {
  type Case,
  get,
  item,
  key,
  N,
  put,
  query,
  type Request,
  remove,
  S,
  scan,
  transact,
  txCheck,
  txDelete,
  txPut,
  txUpdate,
  units,
  update,
} from "./case.ts"

const total = { ReturnConsumedCapacity: "TOTAL" }
const apart = { ReturnConsumedCapacity: "INDEXES" }
const kb = (count: number) => ({ s: S("x".repeat(count * 1024)) })
const one = { onepk: S("x"), onesk: S("y") }

const costs = (name: string, back: unknown, send: Request, given: Request[] = []): Case => ({
  name,
  given,
  send,
  see: ({ ConsumedCapacity }) => ConsumedCapacity,
  back,
})

export const capacity: Case[] = [
  costs("nothing is told unasked", null, put()),
  costs("a small put", units(1), put("1", {}, total)),
  costs("a put of 3 KB and a bit", units(4), put("1", kb(3), total)),
  costs("a put over a larger item", units(4), put("1", {}, total), [put("1", kb(3))]),
  costs("a put into an index", units(2), put("1", one, total)),
  costs(
    "a put into an index, apart",
    { ...units(2), Table: { CapacityUnits: 1 }, GlobalSecondaryIndexes: { one: { CapacityUnits: 1 } } },
    put("1", one, apart),
  ),
  costs(
    "a put into a local index, apart",
    { ...units(2), Table: { CapacityUnits: 1 }, LocalSecondaryIndexes: { local: { CapacityUnits: 1 } } },
    put("1", { lsi: S("l") }, apart),
  ),
  costs(
    "a move within an index",
    { ...units(3), Table: { CapacityUnits: 1 }, GlobalSecondaryIndexes: { one: { CapacityUnits: 2 } } },
    put("1", { ...one, onesk: S("z") }, apart),
    [put("1", one)],
  ),
  costs(
    "a change that an index does not hold",
    { ...units(1), Table: { CapacityUnits: 1 } },
    update("SET m = :v", { v: N(1) }, apart),
    [put("1", { fewpk: S("x"), fewsk: S("y"), n: N(1) })],
  ),
  costs(
    "a change that an index holds",
    { ...units(2), Table: { CapacityUnits: 1 }, GlobalSecondaryIndexes: { few: { CapacityUnits: 1 } } },
    update("SET n = :v", { v: N(2) }, apart),
    [put("1", { fewpk: S("x"), fewsk: S("y"), n: N(1) })],
  ),
  costs(
    "a deletion from an index",
    { ...units(2), Table: { CapacityUnits: 1 }, GlobalSecondaryIndexes: { one: { CapacityUnits: 1 } } },
    remove("1", apart),
    [put("1", one)],
  ),
  costs("a deletion of nothing", units(1), remove("1", total)),
  costs("a deletion of 3 KB and a bit", units(4), remove("1", total), [put("1", kb(3))]),
  costs("a get of 4 KB and a bit", units(1), get("1", total), [put("1", kb(4))]),
  costs("a consistent get of 4 KB and a bit", units(2), get("1", { ...total, ConsistentRead: true }), [put("1", kb(4))]),
  costs("a get of nothing", units(0.5), get("1", total)),
  costs("a get of one attribute costs the whole item", units(1.5), get("1", { ...total, ProjectionExpression: "pk" }), [
    put("1", kb(8)),
  ]),
  costs(
    "a query by all that it reads, rounded once",
    units(1.5),
    query("pk = :p", { p: S("a") }, total),
    ["1", "2", "3"].map((sk) => put(sk, kb(3))),
  ),
  costs(
    "a query by all that it reads, whatever the filter keeps",
    units(1.5),
    query("pk = :p", { p: S("a"), s: S("no") }, { ...total, FilterExpression: "s = :s" }),
    ["1", "2", "3"].map((sk) => put(sk, kb(3))),
  ),
  costs(
    "a consistent query",
    units(3),
    query("pk = :p", { p: S("a") }, { ...total, ConsistentRead: true }),
    ["1", "2", "3"].map((sk) => put(sk, kb(3))),
  ),
  costs(
    "a query of an index by what the index holds",
    { ...units(0.5), Table: { CapacityUnits: 0 }, GlobalSecondaryIndexes: { few: { CapacityUnits: 0.5 } } },
    query("fewpk = :p", { p: S("x") }, { ...apart, IndexName: "few" }),
    [put("1", { ...kb(9), fewpk: S("x"), fewsk: S("y") })],
  ),
  costs("a query of nothing", units(0.5), query("pk = :p", { p: S("a") }, total)),
  costs(
    "a scan of 9 KB",
    units(1.5),
    scan(total),
    ["1", "2", "3"].map((sk) => put(sk, kb(3))),
  ),
  costs(
    "a batch of gets, item by item",
    [units(2)],
    ["BatchGetItem", { RequestItems: { $table: { Keys: [key("1"), key("2"), key("3")] } }, ...total }],
    [put("1", kb(4)), put("2")],
  ),
  costs(
    "a batch of writes, item by item",
    [units(3)],
    [
      "BatchWriteItem",
      { RequestItems: { $table: [{ PutRequest: { Item: item("1", kb(1)) } }, { DeleteRequest: { Key: key("2") } }] }, ...total },
    ],
  ),
  costs("a transaction costs twice", [{ ...units(6), WriteCapacityUnits: 6 }], transact([txPut("1"), txPut("2", kb(1))], total)),
  costs(
    "every kind of part costs",
    [{ ...units(8), WriteCapacityUnits: 8 }],
    transact(
      [txPut("1"), txUpdate("2", "ADD n :v", { v: N(1) }), txDelete("3"), txCheck("4", "attribute_not_exists(pk)")],
      total,
    ),
  ),
  costs(
    "a transaction's indexes cost once",
    [
      {
        ...units(3),
        WriteCapacityUnits: 3,
        Table: { WriteCapacityUnits: 2, CapacityUnits: 2 },
        GlobalSecondaryIndexes: { one: { WriteCapacityUnits: 1, CapacityUnits: 1 } },
      },
    ],
    transact([txPut("1", one)], apart),
  ),
  costs(
    "a transaction of reads costs twice",
    [{ ...units(6), ReadCapacityUnits: 6 }],
    ["TransactGetItems", { TransactItems: ["1", "2"].map((sk) => ({ Get: { TableName: "$table", Key: key(sk) } })), ...total }],
    [put("1", kb(4))],
  ),
  costs(
    "a token that comes again costs reads",
    [{ ...units(2), ReadCapacityUnits: 2 }],
    transact([txPut("1")], { ...total, ClientRequestToken: "repeated" }),
    [transact([txPut("1")], { ...total, ClientRequestToken: "repeated" })],
  ),
]
