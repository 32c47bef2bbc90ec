/** Conditions of writes: what holds of an item, and what is no condition. */
import { type Case, type Item, invalid, item, L, M, N, names, put, S, SS, unmet, update, values } from "./case.ts"

const there = put("1", {
  n: N(5),
  s: S("hello"),
  l: L(N(1), S("x")),
  m: M({ x: N("1.0"), y: M({ z: S("deep") }) }),
  ss: SS("a", "b"),
  ns: { NS: ["1", "2"] },
  b: { B: new Uint8Array([1, 2, 3]) },
  yes: { BOOL: true },
  nothing: { NULL: true },
})

/** Whether the condition holds of the item above. */
const holds = (ConditionExpression: string, back: boolean, all?: Item, options: object = {}): Case => ({
  name: `the condition ${ConditionExpression}`,
  given: [there],
  send: put("1", {}, { ConditionExpression, ...(all && values(all)), ...options }),
  see: ({ error }) => (error === undefined ? true : error === "ConditionalCheckFailedException" ? false : error),
  back,
})

/** What DynamoDB says of a condition that it does not take. */
const refused = (name: string, back: object, ConditionExpression: string, all?: Item, options: object = {}): Case => ({
  name,
  given: [there],
  send: put("1", {}, { ConditionExpression, ...(all && values(all)), ...options }),
  back,
})

export const conditions: Case[] = [
  holds("n = :v", true, { v: N("5.0") }),
  holds("n <> :v", false, { v: N(5) }),
  holds("n < :v", true, { v: N(10) }),
  holds("s < :v", true, { v: S("help") }),
  holds("s < :v OR s >= :v", false, { v: N(5) }),
  holds("nope <> :v", true, { v: N(5) }),
  holds("nope = nada", false),
  holds("NOT nope = :v", true, { v: N(5) }),
  holds("n BETWEEN :a AND :b", true, { a: N(5), b: N(6) }),
  holds("n IN (:a, :b)", true, { a: S("5"), b: N(5) }),
  holds("attribute_exists(m.y.z) AND attribute_not_exists(m.y.q)", true),
  holds("attribute_exists(l[1]) AND attribute_not_exists(l[2])", true),
  holds("attribute_type(nothing, :t)", true, { t: S("NULL") }),
  holds("begins_with(s, :v)", true, { v: S("hel") }),
  holds("begins_with(b, :v)", true, { v: { B: new Uint8Array([1, 2]) } }),
  holds("begins_with(n, :v)", false, { v: S("5") }),
  holds("contains(s, :v)", true, { v: S("ell") }),
  holds("contains(ss, :v)", true, { v: S("a") }),
  holds("contains(ns, :v)", true, { v: N("1.0") }),
  holds("contains(l, :v)", true, { v: S("x") }),
  holds("contains(ss, s)", false),
  holds("contains(n, :v)", false, { v: N(5) }),
  holds("size(s) = :v", true, { v: N(5) }),
  holds("size(m) = :a AND size(l) = :a AND size(ss) = :a AND size(b) > :a", true, { a: N(2) }),
  holds("size(n) = :v", false, { v: N(1) }),
  holds("size(nope) = :v", false, { v: N(1) }),
  holds("m = :m", true, { m: M({ y: M({ z: S("deep") }), x: N(1) }) }),
  holds("l = :l", false, { l: L(S("x"), N(1)) }),
  holds("ss = :s", true, { s: SS("b", "a") }),
  holds("yes = :t AND NOT (nothing = :t OR n = :t)", true, { t: { BOOL: true } }),
  holds("n = :a OR n = :b AND s = :c", true, { a: N(5), b: N(6), c: S("no") }),
  holds("NOT n = :a AND n = :b", true, { a: N(6), b: N(5) }),
  holds("#n = :v", true, { v: N(5) }, names({ n: "n" })),
  holds(":v = n", true, { v: N(5) }),
  holds("n >= m.x", true),

  refused("a failed condition says so", unmet(), "n = :v", { v: N(6) }),
  refused(
    "a failed condition shows the item on demand",
    unmet(
      item("1", {
        n: N(5),
        s: S("hello"),
        l: L(N(1), S("x")),
        m: M({ x: N(1), y: M({ z: S("deep") }) }),
        ss: SS("a", "b"),
        ns: { NS: ["1", "2"] },
        b: { B: [1, 2, 3] as never },
        yes: { BOOL: true },
        nothing: { NULL: true },
      }),
    ),
    "n = :v AND attribute_not_exists(s)",
    { v: N(6) },
    { ReturnValuesOnConditionCheckFailure: "ALL_OLD" },
  ),
  {
    name: "a failed condition has no item to show where there is none",
    send: put("1", {}, { ConditionExpression: "attribute_exists(pk)", ReturnValuesOnConditionCheckFailure: "ALL_OLD" }),
    back: unmet(),
  },
  refused(
    "a value that is not defined is refused",
    invalid("Invalid ConditionExpression: An expression attribute value used in expression is not defined; attribute value: :w"),
    "n = :v AND n = :w",
    { v: N(6) },
  ),
  refused(
    "a value that is not used is refused",
    invalid("Value provided in ExpressionAttributeValues unused in expressions: keys: {:w}"),
    "n = :v",
    { v: N(6), w: N(7) },
  ),
  refused(
    "a value without a type is refused",
    invalid(
      "ExpressionAttributeValues contains invalid value: Supplied AttributeValue is empty, must contain exactly one of the supported datatypes for key :v",
    ),
    "n = :v",
    { v: {} as never },
  ),
  refused(
    "a condition that cannot be parsed is refused",
    invalid('Invalid ConditionExpression: Syntax error; Expected "#", "(", ":", "_", or [a-zA-Z] but "=" found.'),
    "n = = :v",
    { v: N(6) },
  ),
  refused("an empty condition is refused", invalid("Invalid ConditionExpression: The expression can not be empty;"), ""),
  refused(
    "a condition of a bare path is refused",
    invalid(
      'Invalid ConditionExpression: Syntax error; Expected "(", ".", "<", "<=", "<>", "=", ">", ">=", "BETWEEN", "IN", "[", "_", [0-9], or [a-zA-Z] but end of input found.',
    ),
    "n",
  ),
  refused(
    "an unknown function is refused",
    invalid("Invalid ConditionExpression: Invalid function name; function: exists"),
    "exists(n)",
  ),
  refused(
    "a function with too many operands is refused",
    invalid(
      "Invalid ConditionExpression: Incorrect number of operands for operator or function; operator or function: attribute_exists, number of operands: 2",
    ),
    "attribute_exists(n, s)",
  ),
  refused(
    "a function needs a path",
    invalid("Invalid ConditionExpression: Operator or function requires a document path; operator or function: attribute_exists"),
    "attribute_exists(:v)",
    { v: N(6) },
  ),
  refused(
    "a comparison with itself is refused",
    invalid(
      "Invalid ConditionExpression: The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [n]",
    ),
    "n = n",
  ),
  refused(
    "an operand of the wrong type is refused",
    invalid(
      "Invalid ConditionExpression: Incorrect operand type for operator or function; operator or function: begins_with, operand type: N",
    ),
    "begins_with(s, :v)",
    { v: N(6) },
  ),
  refused(
    "a type that there is not is refused",
    invalid(
      "Invalid ConditionExpression: Invalid attribute type name found; type: NUMBER, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
    ),
    "attribute_type(n, :v)",
    { v: S("NUMBER") },
  ),
  refused(
    "BETWEEN takes bounds of one type",
    invalid(
      "Invalid ConditionExpression: The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: {N:1}, upper bound operand: AttributeValue: {S:2}",
    ),
    "n BETWEEN :a AND :b",
    { a: N(1), b: S("2") },
  ),
  refused(
    "BETWEEN takes its lower bound first",
    invalid(
      "Invalid ConditionExpression: The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {N:2}, upper bound operand: AttributeValue: {N:1}",
    ),
    "n BETWEEN :a AND :b",
    { a: N(2), b: N(1) },
  ),
  refused(
    "size is compared, not a condition",
    invalid("Invalid ConditionExpression: The function is not allowed to be used this way in an expression; function: size"),
    "size(s)",
  ),
  refused(
    "brackets twice are refused",
    invalid("Invalid ConditionExpression: The expression has redundant parentheses;"),
    "((n = :v))",
    { v: N(5) },
  ),
  {
    name: "IN takes at most 100 candidates",
    given: [there],
    send: put(
      "1",
      {},
      {
        ConditionExpression: `n IN (${Array.from({ length: 101 }, (_, index) => `:v${index}`).join(", ")})`,
        ...values(Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`v${index}`, N(index)]))),
      },
    ),
    see: ({ error }) => ({ error }),
    back: { error: "ValidationException" },
  },
  {
    name: "an expression has at most 4 KB",
    given: [there],
    send: put("1", {}, { ConditionExpression: `attribute_exists(${"n".repeat(4096)})` }),
    see: ({ error }) => ({ error }),
    back: { error: "ValidationException" },
  },
  {
    name: "a condition of an update looks at the item before it",
    given: [there],
    send: update("SET n = :b", { a: N(5), b: N(6) }, { ConditionExpression: "n = :a", ReturnValues: "UPDATED_NEW" }),
    back: { Attributes: { n: N(6) } },
  },
]
