/** Transactions: all or nothing, with a reason for each part. */
import {
  type Case,
  cancelled,
  fine,
  get,
  invalid,
  item,
  key,
  L,
  N,
  notFound,
  put,
  S,
  transact,
  txCheck,
  txDelete,
  txPut,
  txUpdate,
  unmetReason,
  values,
  wrong,
} from "./case.ts"

const ifNew = { ConditionExpression: "attribute_not_exists(pk)" }
const show = { ReturnValuesOnConditionCheckFailure: "ALL_OLD" }
const all = (...sks: string[]): Case["send"] => [
  "TransactGetItems",
  { TransactItems: sks.map((sk) => ({ Get: { TableName: "$table", Key: key(sk) } })) },
]
const many = (count: number) => Array.from({ length: count }, (_, index) => txPut(String(index)))
const large = (count: number) => Array.from({ length: count }, (_, index) => txPut(String(index), { s: S("x".repeat(400_000)) }))

export const transactions: Case[] = [
  { name: "a transaction answers with nothing", send: transact([txPut("1")]), back: {} },
  {
    name: "puts, updates, deletions and checks happen together",
    given: [
      put("2", { n: N(1) }),
      put("3"),
      put("4"),
      transact([
        txPut("1", {}, ifNew),
        txUpdate("2", "ADD n :o", { o: N(1) }),
        txDelete("3"),
        txCheck("4", "attribute_exists(pk)"),
      ]),
    ],
    send: all("1", "2", "3", "4"),
    back: { Responses: [{ Item: key() }, { Item: item("2", { n: N(2) }) }, {}, { Item: key("4") }] },
  },
  {
    name: "a failed condition cancels, with a reason for each part",
    given: [put("1", { n: N(1) })],
    send: transact([txPut("2"), txPut("1", {}, ifNew), txCheck("3", "attribute_exists(pk)")]),
    back: cancelled(fine, unmetReason(), unmetReason()),
  },
  {
    name: "a failed condition shows the item on demand",
    given: [put("1", { n: N(1) })],
    send: transact([txPut("2"), txPut("1", {}, { ...ifNew, ...show })]),
    back: cancelled(fine, unmetReason(item("1", { n: N(1) }))),
  },
  {
    name: "a failed check shows the item on demand",
    given: [put("1", { n: N(1) })],
    send: transact([txCheck("1", "attribute_not_exists(pk)", show)]),
    back: cancelled(unmetReason(item("1", { n: N(1) }))),
  },
  {
    name: "a failed update shows the item on demand",
    given: [put("1", { n: N(1) })],
    send: transact([txUpdate("1", "SET n = :v", { v: N(2) }, { ...ifNew, ...show })]),
    back: cancelled(unmetReason(item("1", { n: N(1) }))),
  },
  {
    name: "a failed deletion shows the item on demand",
    given: [put("1", { n: N(1) })],
    send: transact([txDelete("1", { ...ifNew, ...show })]),
    back: cancelled(unmetReason(item("1", { n: N(1) }))),
  },
  {
    name: "a cancelled transaction writes nothing",
    given: [put("1", { n: N(1) }), ["!TransactWriteItems", { TransactItems: [txPut("2"), txPut("1", {}, ifNew)] }]],
    send: all("1", "2"),
    back: { Responses: [{ Item: item("1", { n: N(1) }) }, {}] },
  },
  {
    name: "an update that its item does not allow cancels",
    given: [put("1", { s: S("x") })],
    send: transact([txPut("2"), txUpdate("1", "ADD s :v", { v: N(1) })]),
    back: cancelled(fine, wrong("An operand in the update expression has an incorrect data type")),
  },
  {
    name: "an update of what is not there by a path that leads nowhere cancels",
    send: transact([txUpdate("1", "SET m.x = :v", { v: N(1) })]),
    back: cancelled(wrong("The document path provided in the update expression is invalid for update")),
  },
  {
    name: "an append to what is no list cancels",
    given: [put("1", { s: S("x") })],
    send: transact([txUpdate("1", "SET s = list_append(s, :v)", { v: L(N(1)) })]),
    back: cancelled(wrong("An operand in the update expression has an incorrect data type")),
  },
  {
    name: "an item twice is refused",
    send: transact([txPut("1"), txDelete("1")]),
    back: invalid("Transaction request cannot include multiple operations on one item"),
  },
  {
    name: "101 parts are refused",
    send: transact(many(101)),
    see: ({ error }) => ({ error }),
    back: { error: "ValidationException" },
  },
  { name: "100 parts are taken", send: transact(many(100)), back: {} },
  {
    name: "no part is refused",
    send: transact([]),
    back: invalid(
      "1 validation error detected: Value at 'transactItems' failed to satisfy constraint: Member must have length greater than or equal to 1",
    ),
  },
  {
    name: "more than 4 MB is refused",
    send: transact(large(11)),
    see: ({ error }) => ({ error }),
    back: { error: "ValidationException" },
  },
  {
    name: "a part of two kinds is refused",
    send: transact([{ ...txPut("1"), ...txDelete("2") }]),
    back: invalid("TransactItems can only contain one of Check, Put, Update or Delete"),
  },
  {
    name: "a part of no kind is refused",
    send: transact([{}]),
    back: invalid("TransactItems can only contain one of Check, Put, Update or Delete"),
  },
  {
    name: "a check needs a condition",
    send: transact([{ ConditionCheck: { TableName: "$table", Key: key() } }]),
    see: ({ error }) => ({ error }),
    back: { error: "ValidationException" },
  },
  {
    name: "an update needs an expression",
    send: transact([{ Update: { TableName: "$table", Key: key() } }]),
    see: ({ error }) => ({ error }),
    back: { error: "ValidationException" },
  },
  {
    name: "a table that is not there is refused",
    send: transact([txPut("1"), { Delete: { TableName: "nowhere", Key: key("2") } }]),
    back: notFound(),
  },
  {
    name: "a put without its key is refused",
    send: transact([txPut("1"), { Put: { TableName: "$table", Item: { pk: S("a") } } }]),
    back: cancelled(fine, wrong("One or more parameter values were invalid: Missing the key sk in the item")),
  },
  {
    name: "a put with the wrong type in the key of an index is refused",
    send: transact([txPut("1"), txPut("2", { onepk: N(1) })]),
    back: cancelled(
      fine,
      wrong("One or more parameter values were invalid: Type mismatch for Index Key onepk Expected: S Actual: N IndexName: one"),
    ),
  },
  {
    name: "a key of the wrong shape is refused",
    send: transact([txPut("1"), { Delete: { TableName: "$table", Key: { pk: S("a") } } }]),
    back: cancelled(fine, wrong("The provided key element does not match the schema")),
  },
  {
    name: "an item over 400 KB is refused in a transaction",
    send: transact([txPut("1", { s: S("x".repeat(410_000)) })]),
    back: invalid("Item size has exceeded the maximum allowed size"),
  },
  {
    name: "a condition that cannot be parsed is refused in a transaction",
    send: transact([txPut("1", {}, { ConditionExpression: "n = = n" })]),
    back: invalid('Invalid ConditionExpression: Syntax error; Expected "#", "(", ":", "_", or [a-zA-Z] but "=" found.'),
  },
  {
    name: "a value that is not used is refused in a transaction",
    send: transact([txPut("1", {}, { ...ifNew, ...values({ v: N(1) }) })]),
    back: invalid("Value provided in ExpressionAttributeValues unused in expressions: keys: {:v}"),
  },
  {
    name: "an update of a key is refused in a transaction",
    send: transact([txUpdate("1", "SET sk = :v", { v: S("2") })]),
    back: cancelled(
      wrong("One or more parameter values were invalid: Cannot update attribute sk. This attribute is part of the key"),
    ),
  },
  {
    name: "a token makes it happen once",
    given: [0, 1].map(() => transact([txUpdate("1", "ADD n :o", { o: N(1) })], { ClientRequestToken: "once" })),
    send: get(),
    back: { Item: item("1", { n: N(1) }) },
  },
  {
    name: "a token with other parts is refused",
    given: [transact([txPut("1")], { ClientRequestToken: "other" })],
    send: transact([txPut("2")], { ClientRequestToken: "other" }),
    see: ({ error }) => ({ error }),
    back: { error: "IdempotentParameterMismatchException" },
  },
  {
    name: "a token of 37 letters is refused",
    send: transact([txPut("1")], { ClientRequestToken: "x".repeat(37) }),
    see: ({ error }) => ({ error }),
    back: { error: "ValidationException" },
  },
  {
    name: "a token of a cancelled transaction may come again",
    given: [
      ["!TransactWriteItems", { TransactItems: [txCheck("1", "attribute_exists(pk)")], ClientRequestToken: "again" }],
      put("1"),
    ],
    send: transact([txCheck("1", "attribute_exists(pk)")], { ClientRequestToken: "again" }),
    back: {},
  },
  {
    name: "reads come in their order, absent ones empty",
    given: [put("1", { n: N(1) })],
    send: all("2", "1"),
    back: { Responses: [{}, { Item: item("1", { n: N(1) }) }] },
  },
  {
    name: "reads may project",
    given: [put("1", { n: N(1), m: N(2) })],
    send: ["TransactGetItems", { TransactItems: [{ Get: { TableName: "$table", Key: key(), ProjectionExpression: "m" } }] }],
    back: { Responses: [{ Item: { m: N(2) } }] },
  },
  {
    name: "the same read twice is refused",
    send: all("1", "1"),
    back: invalid("Transaction request cannot include multiple operations on one item"),
  },
  {
    name: "a read of no table is refused",
    send: ["TransactGetItems", { TransactItems: [{ Get: { TableName: "nowhere", Key: key() } }] }],
    back: notFound(),
  },
  {
    name: "a read with half a key is refused",
    send: ["TransactGetItems", { TransactItems: [{ Get: { TableName: "$table", Key: { pk: S("a") } } }] }],
    back: cancelled(wrong("The provided key element does not match the schema")),
  },
  {
    name: "101 reads are refused",
    send: all(...Array.from({ length: 101 }, (_, index) => String(index))),
    see: ({ error }) => ({ error }),
    back: { error: "ValidationException" },
  },
  {
    name: "the same put again changes nothing but is no error",
    given: [put("1", { n: N(1) }), transact([{ Put: { TableName: "$table", Item: item("1", { n: N(1) }) } }])],
    send: get(),
    back: { Item: item("1", { n: N(1) }) },
  },
]
