/** Tables: their making, description, change and end; time to live and tags. */
import { type Answer, type Case, found, invalid, key, notFound, put, query, type Request, S, seen } from "./case.ts"

const hash = (AttributeName: string) => ({ AttributeName, KeyType: "HASH" })
const range = (AttributeName: string) => ({ AttributeName, KeyType: "RANGE" })
const text = (...names: string[]) => names.map((AttributeName) => ({ AttributeName, AttributeType: "S" }))

/** A table of its own besides the case's, which is `$table`. */
const create = (more: object = {}): Request => [
  "CreateTable",
  { TableName: "$table-2", BillingMode: "PAY_PER_REQUEST", AttributeDefinitions: text("id"), KeySchema: [hash("id")], ...more },
]
const index = (IndexName: string, more: object = {}) => ({
  IndexName,
  KeySchema: [hash("id")],
  Projection: { ProjectionType: "ALL" },
  ...more,
})
const refused = (name: string, back: object, more: object): Case => ({ name, send: create(more), back })
const described = ({ Table, TableDescription, ...error }: Answer) => {
  const { TableName, TableStatus, KeySchema, AttributeDefinitions, ItemCount, BillingModeSummary, StreamSpecification } =
    Table ?? TableDescription ?? {}
  if (!Table && !TableDescription) return error
  return {
    TableName,
    TableStatus,
    KeySchema,
    AttributeDefinitions,
    ItemCount,
    mode: BillingModeSummary?.BillingMode,
    StreamSpecification,
  }
}
const describe: Request = ["DescribeTable", { TableName: "$table" }]
const ttl = (AttributeName: string, Enabled: boolean): Request => [
  "UpdateTimeToLive",
  { TableName: "$table", TimeToLiveSpecification: { AttributeName, Enabled } },
]

export const tables: Case[] = [
  {
    name: "a table that is made says what it is",
    send: create({ StreamSpecification: { StreamEnabled: true, StreamViewType: "KEYS_ONLY" } }),
    see: described,
    back: {
      TableName: "$table-2",
      TableStatus: "CREATING",
      KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
      AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
      ItemCount: 0,
      mode: "PAY_PER_REQUEST",
      StreamSpecification: { StreamEnabled: true, StreamViewType: "KEYS_ONLY" },
    },
  },
  {
    name: "a table is described",
    given: [put()],
    send: describe,
    see: described,
    back: {
      TableName: "$table",
      TableStatus: "ACTIVE",
      KeySchema: [
        { AttributeName: "pk", KeyType: "HASH" },
        { AttributeName: "sk", KeyType: "RANGE" },
      ],
      AttributeDefinitions: [
        { AttributeName: "pk", AttributeType: "S" },
        { AttributeName: "sk", AttributeType: "S" },
        { AttributeName: "onepk", AttributeType: "S" },
        { AttributeName: "onesk", AttributeType: "S" },
        { AttributeName: "fewpk", AttributeType: "S" },
        { AttributeName: "fewsk", AttributeType: "S" },
        { AttributeName: "lsi", AttributeType: "S" },
      ],
      ItemCount: 1,
      mode: "PAY_PER_REQUEST",
      StreamSpecification: { StreamEnabled: true, StreamViewType: "NEW_AND_OLD_IMAGES" },
    },
  },
  {
    name: "indexes are described",
    send: describe,
    see: ({ Table }) =>
      [...Table.GlobalSecondaryIndexes, ...Table.LocalSecondaryIndexes]
        .map(({ IndexName, IndexStatus, KeySchema, Projection }) => ({ IndexName, IndexStatus, KeySchema, Projection }))
        .sort((a, b) => (a.IndexName < b.IndexName ? -1 : 1)),
    back: [
      {
        IndexName: "few",
        IndexStatus: "ACTIVE",
        KeySchema: [
          { AttributeName: "fewpk", KeyType: "HASH" },
          { AttributeName: "fewsk", KeyType: "RANGE" },
        ],
        Projection: { ProjectionType: "INCLUDE", NonKeyAttributes: ["n"] },
      },
      {
        IndexName: "local",
        KeySchema: [
          { AttributeName: "pk", KeyType: "HASH" },
          { AttributeName: "lsi", KeyType: "RANGE" },
        ],
        Projection: { ProjectionType: "KEYS_ONLY" },
      },
      {
        IndexName: "one",
        IndexStatus: "ACTIVE",
        KeySchema: [
          { AttributeName: "onepk", KeyType: "HASH" },
          { AttributeName: "onesk", KeyType: "RANGE" },
        ],
        Projection: { ProjectionType: "ALL" },
      },
    ],
  },
  {
    name: "a name is taken",
    send: [
      "CreateTable",
      { TableName: "$table", BillingMode: "PAY_PER_REQUEST", AttributeDefinitions: text("id"), KeySchema: [hash("id")] },
    ],
    back: { error: "ResourceInUseException", message: "Table already exists: $table" },
  },
  refused(
    "a key needs a definition",
    invalid(
      "One or more parameter values were invalid: Some index key attributes are not defined in AttributeDefinitions. Keys: [nope], AttributeDefinitions: [id]",
    ),
    { KeySchema: [hash("nope")] },
  ),
  refused(
    "a definition needs a key",
    invalid(
      "One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions",
    ),
    { AttributeDefinitions: text("id", "more") },
  ),
  refused("a key begins with its partition", invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type"), {
    KeySchema: [range("id")],
  }),
  refused("a key has two different parts", invalid("Invalid KeySchema: Some index key attribute have no definition"), {
    KeySchema: [hash("id"), range("id")],
  }),
  refused(
    "a local index needs a table with a sort key",
    invalid(
      "One or more parameter values were invalid: Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex",
    ),
    {
      LocalSecondaryIndexes: [index("local", { KeySchema: [hash("id"), range("id2")] })],
      AttributeDefinitions: text("id", "id2"),
    },
  ),
  refused(
    "two indexes of one name are refused",
    invalid("One or more parameter values were invalid: Duplicate index name: twice"),
    { GlobalSecondaryIndexes: [index("twice"), index("twice")] },
  ),
  refused(
    "an empty list of indexes is refused",
    invalid("One or more parameter values were invalid: List of GlobalSecondaryIndexes is empty"),
    { GlobalSecondaryIndexes: [] },
  ),
  refused(
    "an index that includes needs to be told what",
    invalid("One or more parameter values were invalid: ProjectionType is INCLUDE, but NonKeyAttributes is not specified"),
    { GlobalSecondaryIndexes: [index("some", { Projection: { ProjectionType: "INCLUDE" } })] },
  ),
  refused(
    "an index that holds everything names nothing",
    invalid("One or more parameter values were invalid: ProjectionType is ALL, but NonKeyAttributes is specified"),
    { GlobalSecondaryIndexes: [index("all", { Projection: { ProjectionType: "ALL", NonKeyAttributes: ["x"] } })] },
  ),
  refused(
    "a throughput and payment by request do not go together",
    invalid(
      "One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
    ),
    { ProvisionedThroughput: { ReadCapacityUnits: 1, WriteCapacityUnits: 1 } },
  ),
  {
    name: "a name of a table has letters that are allowed",
    send: ["DescribeTable", { TableName: "no spaces" }],
    back: invalid(
      "1 validation error detected: Value 'no spaces' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
    ),
  },
  {
    name: "a table that is not there is not described",
    send: ["DescribeTable", { TableName: "nowhere" }],
    back: notFound("Requested resource not found: Table: nowhere not found"),
  },
  {
    name: "a table that is not there is not deleted",
    send: ["DeleteTable", { TableName: "nowhere" }],
    back: notFound("Requested resource not found: Table: nowhere not found"),
  },
  {
    name: "a deletion tells of the table that goes",
    send: ["DeleteTable", { TableName: "$table" }],
    see: (answer) => described(answer).TableStatus,
    back: "DELETING",
  },
  {
    name: "a deleted table is not there",
    given: [["DeleteTable", { TableName: "$table" }]],
    send: ["GetItem", { TableName: "$table", Key: key() }],
    back: notFound(),
  },
  {
    name: "a protected table is not deleted",
    given: [["UpdateTable", { TableName: "$table", DeletionProtectionEnabled: true }]],
    send: ["DeleteTable", { TableName: "$table" }],
    see: ({ error }) => ({ error }),
    back: { error: "ValidationException" },
  },
  {
    name: "an index added later holds what was there",
    given: [
      put("1", { color: S("red") }),
      [
        "UpdateTable",
        {
          TableName: "$table",
          AttributeDefinitions: text("color"),
          GlobalSecondaryIndexUpdates: [{ Create: index("color", { KeySchema: [hash("color")] }) }],
        },
      ],
    ],
    send: query("color = :c", { c: S("red") }, { IndexName: "color" }),
    see: (answer) => (answer.error ? answer : seen(answer)),
    back: found("1"),
  },
  {
    name: "an index that is removed is not there",
    given: [["UpdateTable", { TableName: "$table", GlobalSecondaryIndexUpdates: [{ Delete: { IndexName: "one" } }] }]],
    send: query("onepk = :c", { c: S("red") }, { IndexName: "one" }),
    back: invalid("The table does not have the specified index: one"),
  },
  {
    name: "an index of a name that is taken is refused",
    send: [
      "UpdateTable",
      {
        TableName: "$table",
        AttributeDefinitions: text("color"),
        GlobalSecondaryIndexUpdates: [{ Create: index("one", { KeySchema: [hash("color")] }) }],
      },
    ],
    see: ({ error }) => ({ error }),
    back: { error: "ValidationException" },
  },
  {
    name: "an index that is not there is not removed",
    send: ["UpdateTable", { TableName: "$table", GlobalSecondaryIndexUpdates: [{ Delete: { IndexName: "none" } }] }],
    see: ({ error }) => ({ error }),
    back: { error: "ResourceNotFoundException" },
  },
  {
    name: "an update of a table that is not there is refused",
    send: ["UpdateTable", { TableName: "nowhere", DeletionProtectionEnabled: true }],
    see: ({ error }) => ({ error }),
    back: { error: "ResourceNotFoundException" },
  },
  {
    name: "an update of a table that changes nothing is refused",
    send: ["UpdateTable", { TableName: "$table" }],
    see: ({ error }) => ({ error }),
    back: { error: "ValidationException" },
  },
  {
    name: "a stream that is on is not switched on",
    send: ["UpdateTable", { TableName: "$table", StreamSpecification: { StreamEnabled: true, StreamViewType: "KEYS_ONLY" } }],
    see: ({ error }) => ({ error }),
    back: { error: "ValidationException" },
  },
  {
    name: "time to live is off at first",
    send: ["DescribeTimeToLive", { TableName: "$table" }],
    back: { TimeToLiveDescription: { TimeToLiveStatus: "DISABLED" } },
  },
  {
    name: "time to live is switched on",
    given: [ttl("ends", true)],
    send: ["DescribeTimeToLive", { TableName: "$table" }],
    back: { TimeToLiveDescription: { TimeToLiveStatus: "ENABLED", AttributeName: "ends" } },
  },
  {
    name: "time to live is by one attribute",
    given: [ttl("ends", true)],
    send: ttl("other", true),
    see: ({ error }) => ({ error }),
    back: { error: "ValidationException" },
  },
  {
    name: "time to live is not switched off where it is off",
    send: ttl("ends", false),
    see: ({ error }) => ({ error }),
    back: { error: "ValidationException" },
  },
  {
    name: "time to live is not switched on twice",
    given: [ttl("ends", true)],
    send: ttl("ends", true),
    see: ({ error }) => ({ error }),
    back: { error: "ValidationException" },
  },
  {
    name: "time to live of no table is refused",
    send: ["DescribeTimeToLive", { TableName: "nowhere" }],
    back: notFound("Requested resource not found: Table: nowhere not found"),
  },
]
