/** Putting, getting and deleting single items, and what an item may be. */
import {
  type Case,
  get,
  invalid,
  item,
  key,
  L,
  M,
  N,
  names,
  notFound,
  put,
  remove,
  S,
  SS,
  unmet,
  update,
  values,
} from "./case.ts"

const deep = (levels: number): ReturnType<typeof L> => (levels ? L(deep(levels - 1)) : N(1))

export const items: Case[] = [
  { name: "a put answers with nothing", send: put(), back: {} },
  {
    name: "a put answers with the old item on demand",
    given: [put("1", { n: N(1) })],
    send: put("1", {}, { ReturnValues: "ALL_OLD" }),
    back: { Attributes: item("1", { n: N(1) }) },
  },
  { name: "a put of what was not there has no old item", send: put("1", {}, { ReturnValues: "ALL_OLD" }), back: {} },
  {
    name: "a put replaces the whole item",
    given: [put("1", { n: N(1) }), put("1", { x: S("y") })],
    send: get(),
    back: { Item: item("1", { x: S("y") }) },
  },
  {
    name: "every type comes back as it went",
    given: [
      put("1", {
        n: N("1.5"),
        yes: { BOOL: false },
        none: { NULL: true },
        texts: SS("a", "b"),
        numbers: { NS: ["1", "2"] },
        list: L(S(""), M({})),
        bytes: { B: new Uint8Array([1, 2]) },
      }),
    ],
    send: get(),
    back: {
      Item: item("1", {
        n: N("1.5"),
        yes: { BOOL: false },
        none: { NULL: true },
        texts: SS("a", "b"),
        numbers: { NS: ["1", "2"] },
        list: L(S(""), M({})),
        bytes: { B: [1, 2] as never },
      }),
    },
  },
  {
    name: "a number is normalised",
    given: [put("1", { n: N("0012.3400"), e: N("1e3"), z: N("-0"), s: N("1E-3") })],
    send: get(),
    back: { Item: item("1", { n: N("12.34"), e: N(1000), z: N(0), s: N("0.001") }) },
  },
  {
    name: "38 digits are kept",
    given: [put("1", { n: N("12345678901234567890123456789012345678") })],
    send: get(),
    back: { Item: item("1", { n: N("12345678901234567890123456789012345678") }) },
  },
  {
    name: "39 digits are refused",
    send: put("1", { n: N("123456789012345678901234567890123456789") }),
    back: invalid("Attempting to store more than 38 significant digits in a Number"),
  },
  {
    name: "a number that is too large is refused",
    send: put("1", { n: N("1e126") }),
    back: invalid("Number overflow. Attempting to store a number with magnitude larger than supported range"),
  },
  {
    name: "a number that is too small is refused",
    send: put("1", { n: N("1e-131") }),
    back: invalid("Number underflow. Attempting to store a number with magnitude smaller than supported range"),
  },
  {
    name: "what is no number is refused",
    send: put("1", { n: N("one") }),
    back: invalid("The parameter cannot be converted to a numeric value: one"),
  },
  {
    name: "an empty number is refused",
    send: put("1", { n: N("") }),
    back: invalid("The parameter cannot be converted to a numeric value"),
  },
  {
    name: "an empty text is an attribute like others",
    given: [put("1", { s: S("") })],
    send: get(),
    back: { Item: item("1", { s: S("") }) },
  },
  {
    name: "an empty set is refused",
    send: put("1", { s: SS() }),
    back: invalid("One or more parameter values were invalid: An string set  may not be empty"),
  },
  {
    name: "a set with an element twice is refused",
    send: put("1", { s: SS("a", "a") }),
    back: invalid("One or more parameter values were invalid: Input collection [a, a] contains duplicates."),
  },
  {
    name: "a set of numbers knows equal ones",
    send: put("1", { s: { NS: ["1", "1.0"] } }),
    back: invalid("Input collection contains duplicates"),
  },
  {
    name: "NULL can be nothing but true",
    send: put("1", { s: { NULL: false } as never }),
    back: invalid("One or more parameter values were invalid: Null attribute value types must have the value of true"),
  },
  {
    name: "a key attribute has to be there",
    send: ["PutItem", { TableName: "$table", Item: { pk: S("a") } }],
    back: invalid("One or more parameter values were invalid: Missing the key sk in the item"),
  },
  {
    name: "a key attribute has its type",
    send: ["PutItem", { TableName: "$table", Item: { pk: S("a"), sk: N(1) } }],
    back: invalid("One or more parameter values were invalid: Type mismatch for key sk expected: S actual: N"),
  },
  {
    name: "a key attribute is not empty",
    send: put(""),
    back: invalid(
      "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: sk",
    ),
  },
  {
    name: "a partition key has at most 2,048 bytes",
    send: ["PutItem", { TableName: "$table", Item: { pk: S("x".repeat(2049)), sk: S("1") } }],
    back: invalid("One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes"),
  },
  {
    name: "a sort key has at most 1,024 bytes",
    send: put("é".repeat(513)),
    back: invalid(
      "One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 bytes",
    ),
  },
  {
    name: "the key of an index has its type",
    send: put("1", { onepk: N(1), onesk: S("x") }),
    back: invalid(
      "One or more parameter values were invalid: Type mismatch for Index Key onepk Expected: S Actual: N IndexName: one",
    ),
  },
  {
    name: "the key of an index is not empty",
    send: put("1", { onepk: S(""), onesk: S("x") }),
    back: invalid(
      "One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty string value. IndexName: one, IndexKey: onepk",
    ),
  },
  {
    name: "an item over 400 KB is refused",
    send: put("1", { s: S("x".repeat(409_600)) }),
    back: invalid("Item size has exceeded the maximum allowed size"),
  },
  { name: "an item of 400 KB is taken", send: put("1", { s: S("x".repeat(409_600 - 7)) }), back: {} },
  { name: "31 levels of nesting are taken", send: put("1", { l: deep(31) }), back: {} },
  {
    name: "33 levels of nesting are refused",
    send: put("1", { l: deep(33) }),
    back: invalid(
      "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit",
    ),
  },
  {
    name: "a put answers with no new item",
    send: put("1", {}, { ReturnValues: "ALL_NEW" }),
    back: invalid("ReturnValues can only be ALL_OLD or NONE"),
  },
  { name: "a get of nothing is empty", send: get(), back: {} },
  {
    name: "a get needs the whole key",
    send: ["GetItem", { TableName: "$table", Key: { pk: S("a") } }],
    back: invalid("The provided key element does not match the schema"),
  },
  {
    name: "a get takes nothing but the key",
    send: ["GetItem", { TableName: "$table", Key: { ...key(), x: S("x") } }],
    back: invalid("The provided key element does not match the schema"),
  },
  {
    name: "a get of a key of another type is refused",
    send: ["GetItem", { TableName: "$table", Key: { pk: S("a"), sk: N(1) } }],
    back: invalid("The provided key element does not match the schema"),
  },
  { name: "a get of no table is refused", send: ["GetItem", { TableName: "nowhere", Key: key() }], back: notFound() },
  {
    name: "a table name of two letters is refused",
    send: ["GetItem", { TableName: "ab", Key: key() }],
    back: invalid(
      "1 validation error detected: Value 'ab' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 3",
    ),
  },
  {
    name: "a projection keeps the structure",
    given: [put("1", { m: M({ x: N(1), y: N(2) }), l: L(N(1), N(2), N(3)) })],
    send: get("1", { ProjectionExpression: "m.y, l[2], l[0], nope.z" }),
    back: { Item: { m: M({ y: N(2) }), l: L(N(1), N(3)) } },
  },
  {
    name: "a projection takes names for what is reserved",
    given: [put("1", { name: S("x"), "a.b": N(1) })],
    send: get("1", { ProjectionExpression: "#n, #ab", ...names({ n: "name", ab: "a.b" }) }),
    back: { Item: { name: S("x"), "a.b": N(1) } },
  },
  {
    name: "a reserved word is refused",
    send: get("1", { ProjectionExpression: "name" }),
    back: invalid("Invalid ProjectionExpression: Attribute name is a reserved keyword; reserved keyword: name"),
  },
  {
    name: "paths that overlap are refused",
    send: get("1", { ProjectionExpression: "m, m.x" }),
    back: invalid(
      "Invalid ProjectionExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [m], path two: [m, x]",
    ),
  },
  {
    name: "paths that conflict are refused",
    send: get("1", { ProjectionExpression: "m[0], m.x" }),
    back: invalid(
      "Invalid ProjectionExpression: Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [m, [0]], path two: [m, x]",
    ),
  },
  {
    name: "a name that is not defined is refused",
    send: get("1", { ProjectionExpression: "#n" }),
    back: invalid(
      "Invalid ProjectionExpression: An expression attribute name used in the document path is not defined; attribute name: #n",
    ),
  },
  {
    name: "a name that is not used is refused",
    send: get("1", { ProjectionExpression: "n", ...names({ x: "x" }) }),
    back: invalid("Value provided in ExpressionAttributeNames unused in expressions: keys: {#x}"),
  },
  {
    name: "names without an expression are refused",
    send: get("1", names({ x: "x" })),
    back: invalid("ExpressionAttributeNames can only be specified when using expressions"),
  },
  {
    name: "a projection that cannot be parsed is refused",
    send: get("1", { ProjectionExpression: "a,, b" }),
    back: invalid('Invalid ProjectionExpression: Syntax error; Expected "#", "_", or [a-zA-Z] but "," found.'),
  },
  {
    name: "an empty projection is refused",
    send: get("1", { ProjectionExpression: "" }),
    back: invalid("Invalid ProjectionExpression: The expression can not be empty;"),
  },
  {
    name: "a deletion answers with the old item on demand",
    given: [put("1", { n: N(1) })],
    send: remove("1", { ReturnValues: "ALL_OLD" }),
    back: { Attributes: item("1", { n: N(1) }) },
  },
  { name: "a deletion of nothing is no error", send: remove("1", { ReturnValues: "ALL_OLD" }), back: {} },
  {
    name: "a deletion answers with no new item",
    send: remove("1", { ReturnValues: "ALL_NEW" }),
    back: invalid("ReturnValues can only be ALL_OLD or NONE"),
  },
  {
    name: "a deletion under a condition that fails keeps the item",
    given: [put("1", { n: N(1) })],
    send: remove("1", { ConditionExpression: "n > :n", ...values({ n: N(1) }), ReturnValuesOnConditionCheckFailure: "ALL_OLD" }),
    back: unmet(item("1", { n: N(1) })),
  },
  { name: "an update without an expression makes the item", send: update(undefined, undefined), back: { Attributes: key() } },
  {
    name: "a batch writes and deletes",
    given: [
      put("1"),
      [
        "BatchWriteItem",
        { RequestItems: { $table: [{ DeleteRequest: { Key: key("1") } }, { PutRequest: { Item: item("2") } }] } },
      ],
    ],
    send: ["Scan", { TableName: "$table" }],
    see: ({ Items }) => Items,
    back: [key("2")],
  },
  {
    name: "a batch with an item twice is refused",
    send: [
      "BatchWriteItem",
      { RequestItems: { $table: [{ DeleteRequest: { Key: key("1") } }, { PutRequest: { Item: item("1") } }] } },
    ],
    back: invalid("Provided list of item keys contains duplicates"),
  },
  {
    name: "a batch of 26 is refused",
    send: [
      "BatchWriteItem",
      { RequestItems: { $table: Array.from({ length: 26 }, (_, index) => ({ PutRequest: { Item: item(String(index)) } })) } },
    ],
    see: ({ error }) => ({ error }),
    back: { error: "ValidationException" },
  },
  {
    name: "a batch of nothing is refused",
    send: ["BatchWriteItem", { RequestItems: {} }],
    back: invalid(
      "1 validation error detected: Value '{}' at 'requestItems' failed to satisfy constraint: Member must have length greater than or equal to 1",
    ),
  },
  {
    name: "a batch into no table is refused",
    send: ["BatchWriteItem", { RequestItems: { nowhere: [{ PutRequest: { Item: item("1") } }] } }],
    back: notFound(),
  },
  {
    name: "a batch gets what is there",
    given: [put("1"), put("2")],
    send: ["BatchGetItem", { RequestItems: { $table: { Keys: [key("2"), key("3"), key("1")], ProjectionExpression: "sk" } } }],
    see: ({ Responses, UnprocessedKeys }) => ({
      found: Responses.$table.map((one: { sk: { S: string } }) => one.sk.S).sort(),
      UnprocessedKeys,
    }),
    back: { found: ["1", "2"], UnprocessedKeys: {} },
  },
  {
    name: "a batch with a key twice is refused",
    send: ["BatchGetItem", { RequestItems: { $table: { Keys: [key("1"), key("1")] } } }],
    back: invalid("Provided list of item keys contains duplicates"),
  },
  {
    name: "a batch of 101 keys is refused",
    send: ["BatchGetItem", { RequestItems: { $table: { Keys: Array.from({ length: 101 }, (_, index) => key(String(index))) } } }],
    see: ({ error }) => ({ error }),
    back: { error: "ValidationException" },
  },
]
