/** Query and Scan: ranges, order, pages, filters, indexes and segments. */
import { type Case, found, type Item, invalid, item, key, N, names, notFound, put, query, S, scan, seen, values } from "./case.ts"

const placed = ["1", "2", "3", "4"].map((sk) =>
  put(sk, { n: N(sk), onepk: S("x"), onesk: S(`s${9 - Number(sk)}`), lsi: S(`l${sk}`) }),
)
const sorted = ["a", "ab", "B", "é", "~", "task#1", "task#10", "task#2"].map((sk) => put(sk))
const of = S("a")

/** The sort keys that the condition finds. */
const finds = (name: string, back: object, expression: string, all: Item, options: object = {}, given = placed): Case => ({
  name,
  given,
  send: query(expression, all, options),
  see: (answer) => (answer.error ? answer : seen(answer)),
  back,
})

const refused = (name: string, back: object, expression: string, all: Item, options: object = {}): Case => ({
  name,
  send: query(expression, all, options),
  back,
})

export const queries: Case[] = [
  finds(
    "a partition comes in the order of the bytes of its sort keys",
    found("B", "a", "ab", "task#1", "task#10", "task#2", "~", "é"),
    "pk = :p",
    { p: of },
    {},
    sorted,
  ),
  finds(
    "a range by its start",
    found("task#1", "task#10"),
    "pk = :p AND begins_with(sk, :s)",
    { p: of, s: S("task#1") },
    {},
    sorted,
  ),
  finds("a range between two keys", found("2", "3"), "pk = :p AND sk BETWEEN :a AND :b", { p: of, a: S("2"), b: S("3") }),
  finds("a range below", found("1", "2"), "pk = :p AND sk < :a", { p: of, a: S("3") }),
  finds("a range up to", found("1", "2", "3"), "pk = :p AND sk <= :a", { p: of, a: S("3") }),
  finds("a range above", found("4"), "pk = :p AND sk > :a", { p: of, a: S("3") }),
  finds("one key", found("3"), "sk = :a AND pk = :p", { p: of, a: S("3") }),
  finds("conditions in brackets", found("3"), "(pk = :p) AND (sk = :a)", { p: of, a: S("3") }),
  finds("backwards", found("4", "3", "2", "1"), "pk = :p", { p: of }, { ScanIndexForward: false }),
  finds(
    "a page of two says where it goes on",
    { ...found("1", "2"), LastEvaluatedKey: key("2") },
    "pk = :p",
    { p: of },
    { Limit: 2 },
  ),
  finds(
    "a page that ends with the last item still says where it goes on",
    { ...found("1", "2", "3", "4"), LastEvaluatedKey: key("4") },
    "pk = :p",
    { p: of },
    { Limit: 4 },
  ),
  finds("a page goes on behind its start", found("3", "4"), "pk = :p", { p: of }, { ExclusiveStartKey: key("2") }),
  finds(
    "a page goes on backwards",
    found("2", "1"),
    "pk = :p",
    { p: of },
    { ExclusiveStartKey: key("3"), ScanIndexForward: false },
  ),
  finds(
    "a page may go on behind a key that is not there",
    found("3", "4"),
    "pk = :p",
    { p: of },
    { ExclusiveStartKey: key("25") },
  ),
  finds(
    "a filter counts what it read and what it kept",
    { ...found("3", "4"), ScannedCount: 4 },
    "pk = :p",
    { p: of, n: N(2) },
    { FilterExpression: "n > :n" },
  ),
  finds(
    "a limit is about what is read",
    { ...found(), LastEvaluatedKey: key("3"), ScannedCount: 3 },
    "pk = :p",
    { p: of, n: N(3) },
    { FilterExpression: "n > :n", Limit: 3 },
  ),
  finds("COUNT gives no items", { Count: 4, ScannedCount: 4 }, "pk = :p", { p: of }, { Select: "COUNT" }),
  finds("an index is in the order of its own key", found("4", "3", "2", "1"), "onepk = :p", { p: S("x") }, { IndexName: "one" }),
  finds(
    "a page of an index tells both keys",
    { ...found("4"), LastEvaluatedKey: item("4", { onepk: S("x"), onesk: S("s5") }) },
    "onepk = :p",
    { p: S("x") },
    { IndexName: "one", Limit: 1 },
  ),
  finds(
    "an index goes on behind its start",
    found("3", "2", "1"),
    "onepk = :p",
    { p: S("x") },
    { IndexName: "one", ExclusiveStartKey: { ...key("4"), onepk: S("x"), onesk: S("s5") } },
  ),
  finds(
    "a local index is in the order of its own key",
    found("3", "4"),
    "pk = :p AND lsi > :l",
    { p: of, l: S("l2") },
    { IndexName: "local" },
  ),
  finds("what lacks the key of an index is not in it", found("2"), "onepk = :p", { p: S("x") }, { IndexName: "one" }, [
    put("1", { onepk: S("x") }),
    put("2", { onepk: S("x"), onesk: S("y") }),
  ]),
  finds("nothing is found in an empty partition", found(), "pk = :p", { p: S("empty") }),
  {
    name: "an index that includes some gives those and the keys",
    given: [put("1", { fewpk: S("x"), fewsk: S("y"), n: N(1), more: N(2) })],
    send: query("fewpk = :p", { p: S("x") }, { IndexName: "few" }),
    see: ({ Items }) => Items,
    back: [item("1", { fewpk: S("x"), fewsk: S("y"), n: N(1) })],
  },
  {
    name: "a local index of keys gives the keys",
    given: placed.slice(0, 1),
    send: query("pk = :p", { p: of }, { IndexName: "local" }),
    see: ({ Items }) => Items,
    back: [item("1", { lsi: S("l1") })],
  },
  {
    name: "a local index fetches all on demand",
    given: placed.slice(0, 1),
    send: query("pk = :p", { p: of }, { IndexName: "local", Select: "ALL_ATTRIBUTES" }),
    see: ({ Items }) => Items,
    back: [item("1", { n: N(1), onepk: S("x"), onesk: S("s8"), lsi: S("l1") })],
  },
  {
    name: "a projection keeps what it names",
    given: placed.slice(0, 1),
    send: query("pk = :p", { p: of }, { ProjectionExpression: "n, #s", ...names({ s: "sk" }) }),
    see: ({ Items }) => Items,
    back: [{ n: N(1), sk: S("1") }],
  },

  refused("a query needs the partition key", invalid("Query condition missed key schema element: pk"), "sk = :s", { s: S("1") }),
  refused("a query needs the partition key to be equal", invalid("Query key condition not supported"), "pk > :p", { p: of }),
  refused("a query takes no other attribute", invalid("Query condition missed key schema element: sk"), "pk = :p AND n = :n", {
    p: of,
    n: N(1),
  }),
  refused("a query takes no OR", invalid("Invalid operator used in KeyConditionExpression: OR"), "pk = :p OR sk = :s", {
    p: of,
    s: S("1"),
  }),
  refused("a query takes no <>", invalid("Invalid operator used in KeyConditionExpression: <>"), "pk = :p AND sk <> :s", {
    p: of,
    s: S("1"),
  }),
  refused("a query takes no IN", invalid("Invalid operator used in KeyConditionExpression: IN"), "pk = :p AND sk IN (:s)", {
    p: of,
    s: S("1"),
  }),
  refused(
    "a query takes no contains",
    invalid("Invalid operator used in KeyConditionExpression: contains"),
    "pk = :p AND contains(sk, :s)",
    { p: of, s: S("1") },
  ),
  refused(
    "a query takes one condition for a key",
    invalid("KeyConditionExpressions must only contain one condition per key"),
    "pk = :p AND sk > :a AND sk < :b",
    { p: of, a: S("1"), b: S("2") },
  ),
  refused(
    "a query's value has the key's type",
    invalid("One or more parameter values were invalid: Condition parameter type does not match schema type"),
    "pk = :p",
    { p: N(1) },
  ),
  refused(
    "a query's value is not empty",
    invalid(
      "One or more parameter values were invalid: The AttributeValue for a key attribute cannot contain an empty string value. Key: pk",
    ),
    "pk = :p",
    { p: S("") },
  ),
  refused(
    "a filter does not look at the key",
    invalid("Filter Expression can only contain non-primary key attributes: Primary key attribute: sk"),
    "pk = :p",
    { p: of, s: S("1") },
    { FilterExpression: "sk = :s" },
  ),
  refused(
    "a filter that cannot be parsed is refused",
    invalid('Invalid FilterExpression: Syntax error; Expected "#", "(", ":", "_", or [a-zA-Z] but end of input found.'),
    "pk = :p",
    { p: of },
    { FilterExpression: "n >" },
  ),
  refused(
    "a limit is at least one",
    invalid(
      "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1",
    ),
    "pk = :p",
    { p: of },
    { Limit: 0 },
  ),
  refused(
    "an index that there is not is refused",
    invalid("The table does not have the specified index: none"),
    "pk = :p",
    { p: of },
    { IndexName: "none" },
  ),
  refused(
    "a global index is not read consistently",
    invalid("Consistent reads are not supported on global secondary indexes"),
    "onepk = :p",
    { p: of },
    { IndexName: "one", ConsistentRead: true },
  ),
  refused(
    "a global index does not fetch what it lacks",
    invalid(
      "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index few because its projection type is not ALL",
    ),
    "fewpk = :p",
    { p: of },
    { IndexName: "few", Select: "ALL_ATTRIBUTES" },
  ),
  refused(
    "a page that begins in another partition is refused",
    invalid("The provided starting key is outside query boundaries based on provided conditions"),
    "pk = :p",
    { p: of },
    { ExclusiveStartKey: { pk: S("b"), sk: S("1") } },
  ),
  refused(
    "a page that begins outside the range is refused",
    invalid("The provided starting key does not match the range key predicate"),
    "pk = :p AND sk > :s",
    { p: of, s: S("5") },
    { ExclusiveStartKey: key("3") },
  ),
  refused(
    "a page that begins with half a key is refused",
    invalid("The provided starting key is invalid"),
    "pk = :p",
    { p: of },
    { ExclusiveStartKey: { pk: of } },
  ),
  refused(
    "COUNT and a projection do not go together",
    invalid("Cannot specify the ProjectionExpression when choosing to get only the Count"),
    "pk = :p",
    { p: of },
    { Select: "COUNT", ProjectionExpression: "n" },
  ),
  refused(
    "SPECIFIC_ATTRIBUTES needs to be told which",
    invalid("Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"),
    "pk = :p",
    { p: of },
    { Select: "SPECIFIC_ATTRIBUTES" },
  ),
  refused(
    "ALL_PROJECTED_ATTRIBUTES needs an index",
    invalid("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName"),
    "pk = :p",
    { p: of },
    { Select: "ALL_PROJECTED_ATTRIBUTES" },
  ),
  refused(
    "a value that is not defined is refused in a query",
    invalid(
      "Invalid KeyConditionExpression: An expression attribute value used in expression is not defined; attribute value: :s",
    ),
    "pk = :p AND sk = :s",
    { p: of },
  ),
  refused(
    "BETWEEN takes its lower bound first in a query too",
    invalid(
      "Invalid KeyConditionExpression: The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {S:2}, upper bound operand: AttributeValue: {S:1}",
    ),
    "pk = :p AND sk BETWEEN :a AND :b",
    { p: of, a: S("2"), b: S("1") },
  ),
  {
    name: "a query needs a condition",
    send: ["Query", { TableName: "$table" }],
    back: invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."),
  },

  {
    name: "a scan finds all",
    given: placed,
    send: scan(),
    see: ({ Count, ScannedCount, LastEvaluatedKey }) => ({ Count, ScannedCount, LastEvaluatedKey }),
    back: { Count: 4, ScannedCount: 4 },
  },
  {
    name: "a scan filters by the key too",
    given: placed,
    send: scan({ FilterExpression: "sk > :s", ...values({ s: S("2") }) }),
    see: (answer) => ({ ...seen(answer), keys: seen(answer).keys.sort() }),
    back: { ...found("3", "4"), ScannedCount: 4 },
  },
  {
    name: "a scan of an index finds what is in it",
    given: [...placed, put("5")],
    send: scan({ IndexName: "one", Select: "COUNT" }),
    back: { Count: 4, ScannedCount: 4 },
  },
  {
    name: "a segment is below the number of segments",
    send: scan({ Segment: 3, TotalSegments: 3 }),
    back: invalid(
      "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 3 is not less than TotalSegments: 3",
    ),
  },
  {
    name: "segments need their number",
    send: scan({ Segment: 0 }),
    back: invalid("The TotalSegments parameter is required but was not present in the request when Segment parameter is present"),
  },
  {
    name: "the number of segments needs a segment",
    send: scan({ TotalSegments: 2 }),
    back: invalid("The Segment parameter is required but was not present in the request when parameter TotalSegments is present"),
  },
  { name: "a scan of no table is refused", send: ["Scan", { TableName: "nowhere" }], back: notFound() },
]
