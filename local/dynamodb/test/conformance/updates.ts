/** Update expressions: what they make of an item, what they answer, and what they refuse. */
import { type Case, get, type Item, invalid, item, key, L, M, N, names, put, S, SS, update } from "./case.ts"

const there = put("1", {
  n: N(1),
  s: S("x"),
  l: L(N(0), N(1), N(2)),
  m: M({ x: N(1), y: M({ z: S("deep") }) }),
  ss: SS("p", "q"),
  ns: { NS: ["1"] },
})

/** What the expression makes of some attributes of the item above. */
const makes = (name: string, back: Record<string, unknown>, expression: string, all?: Item): Case => ({
  name,
  given: [there],
  send: update(expression, all),
  see: (answer) =>
    answer.error ? answer : Object.fromEntries(Object.keys(back).map((one) => [one, answer.Attributes?.[one] ?? "absent"])),
  back,
})

const refused = (name: string, back: object, expression: string, all?: Item, options: object = {}, given = [there]): Case => ({
  name,
  given,
  send: update(expression, all, options),
  back,
})

export const updates: Case[] = [
  makes("SET gives a value", { n: N(2), fresh: S("new") }, "SET n = :v, fresh = :w", { v: N(2), w: S("new") }),
  makes("SET copies from elsewhere, as it was before", { n: S("x"), s: N(1) }, "SET n = s, s = n"),
  makes(
    "SET reaches into maps and lists",
    { m: M({ x: N(1), y: M({ z: S("v") }), fresh: S("v") }), l: L(N(0), S("v"), N(2)) },
    "SET m.y.z = :v, l[1] = :v, m.fresh = :v",
    { v: S("v") },
  ),
  makes("SET behind the end of a list appends", { l: L(N(0), N(1), N(2), S("seven"), S("nine")) }, "SET l[9] = :a, l[7] = :b", {
    a: S("nine"),
    b: S("seven"),
  }),
  makes("SET adds and subtracts", { n: N("1.1"), d: N("-0.9") }, "SET n = n + :v, d = :v - n", { v: N("0.1") }),
  makes(
    "SET appends and prepends",
    { l: L(N(0), N(1), N(2), S("v")), f: L(S("v"), N(0), N(1), N(2)) },
    "SET l = list_append(l, :v), f = list_append(:v, l)",
    { v: L(S("v")) },
  ),
  makes(
    "if_not_exists takes what is there, else the other",
    { n: N(1), q: N(14) },
    "SET n = if_not_exists(n, :v), q = if_not_exists(q, :v) + :v",
    { v: N(7) },
  ),
  makes("REMOVE takes attributes away", { n: "absent", m: M({ y: M({ z: S("deep") }) }) }, "REMOVE n, m.x, nope"),
  makes("REMOVE closes a list up", { l: L(N(1)) }, "REMOVE l[0], l[2]"),
  makes("REMOVE and SET of one list count by the list before", { l: L(N(1), S("v")) }, "SET l[2] = :v REMOVE l[0]", {
    v: S("v"),
  }),
  makes("ADD counts, also from nothing", { n: N(6), fresh: N(5) }, "ADD n :v, fresh :v", { v: N(5) }),
  makes("ADD joins sets", { ss: SS("p", "q", "r"), fresh: SS("q", "r") }, "ADD ss :v, fresh :v", { v: SS("q", "r") }),
  makes("DELETE takes elements from a set", { ss: SS("p") }, "DELETE ss :v", { v: SS("q", "z") }),
  makes("DELETE of the last element takes the set away", { ns: "absent" }, "DELETE ns :v", { v: { NS: ["1.0"] } }),
  makes("DELETE from nothing does nothing", { nope: "absent" }, "DELETE nope :v", { v: SS("q") }),
  makes("ADD reaches into maps", { m: M({ x: N(6), y: M({ z: S("deep") }) }) }, "ADD m.x :v", { v: N(5) }),
  makes("words are read in any case", { n: N(5), s: "absent" }, "set n = :v remove s", { v: N(5) }),
  {
    name: "an update of what is not there makes it",
    send: update("SET n = :v", { v: N(1) }),
    back: { Attributes: item("1", { n: N(1) }) },
  },
  {
    name: "an update of what is not there has no old item",
    send: update("SET n = :v", { v: N(1) }, { ReturnValues: "ALL_OLD" }),
    back: {},
  },
  {
    name: "a REMOVE on what is not there makes the bare item",
    given: [update("REMOVE n", undefined)],
    send: get(),
    back: { Item: key() },
  },
  {
    name: "a DELETE on what is not there makes the bare item",
    given: [update("DELETE ss :v", { v: SS("a") })],
    send: get(),
    back: { Item: key() },
  },
  {
    name: "NONE answers with nothing",
    given: [there],
    send: update("SET n = :v", { v: N(2) }, { ReturnValues: "NONE" }),
    back: {},
  },
  {
    name: "UPDATED_NEW answers with what was written, after it",
    given: [there],
    send: update("SET n = :v, m.x = :v REMOVE s", { v: N(2) }, { ReturnValues: "UPDATED_NEW" }),
    back: { Attributes: { n: N(2), m: M({ x: N(2) }) } },
  },
  {
    name: "UPDATED_OLD answers with what was written, before it",
    given: [there],
    send: update("SET n = :v, fresh = :v, m.x = :v REMOVE s", { v: N(2) }, { ReturnValues: "UPDATED_OLD" }),
    back: { Attributes: { n: N(1), m: M({ x: N(1) }), s: S("x") } },
  },
  {
    name: "UPDATED_NEW of nothing but a REMOVE is empty",
    given: [there],
    send: update("REMOVE s", undefined, { ReturnValues: "UPDATED_NEW" }),
    back: {},
  },
  {
    name: "UPDATED_OLD of something new is empty",
    given: [there],
    send: update("SET fresh = :v", { v: N(2) }, { ReturnValues: "UPDATED_OLD" }),
    back: {},
  },
  {
    name: "UPDATED_NEW of an element of a list",
    given: [there],
    send: update("SET l[1] = :v", { v: N(9) }, { ReturnValues: "UPDATED_NEW" }),
    back: { Attributes: { l: L(N(9)) } },
  },
  {
    name: "ALL_OLD answers with the item before",
    given: [put("1", { n: N(1) })],
    send: update("SET n = :v", { v: N(2) }, { ReturnValues: "ALL_OLD" }),
    back: { Attributes: item("1", { n: N(1) }) },
  },

  refused(
    "a key cannot be updated",
    invalid("One or more parameter values were invalid: Cannot update attribute sk. This attribute is part of the key"),
    "SET sk = :v",
    { v: S("2") },
  ),
  refused(
    "a key cannot be removed",
    invalid("One or more parameter values were invalid: Cannot update attribute pk. This attribute is part of the key"),
    "REMOVE pk",
  ),
  refused(
    "a key of an index keeps its type",
    invalid("One or more parameter values were invalid: Type mismatch for Index Key onepk Expected: S Actual: N IndexName: one"),
    "SET onepk = :v",
    { v: N(1) },
  ),
  refused(
    "a key of an index is not emptied",
    invalid(
      "One or more parameter values are not valid. The update expression attempted to update a secondary index key to a value that is not supported. The AttributeValue for a key attribute cannot contain an empty string value.",
    ),
    "SET onepk = :v",
    { v: S("") },
  ),
  refused(
    "a path that leads nowhere is refused",
    invalid("The document path provided in the update expression is invalid for update"),
    "SET nope.deep = :v",
    { v: N(1) },
  ),
  refused(
    "a path into a value is refused",
    invalid("The document path provided in the update expression is invalid for update"),
    "SET s.x = :v",
    { v: N(1) },
  ),
  {
    name: "a path into NULL is refused",
    given: [put("1", { m: { NULL: true } })],
    send: update("SET m.x = :v", { v: N(1) }),
    back: invalid("The document path provided in the update expression is invalid for update"),
  },
  refused(
    "a removal by a path that leads nowhere is refused",
    invalid("The document path provided in the update expression is invalid for update"),
    "REMOVE nope[0]",
  ),
  refused(
    "a path into an element of no list is refused",
    invalid("The document path provided in the update expression is invalid for update"),
    "REMOVE m[0]",
  ),
  refused(
    "an operand that is not there is refused",
    invalid("The provided expression refers to an attribute that does not exist in the item"),
    "SET n = nope + :v",
    { v: N(1) },
  ),
  refused(
    "a copy of what is not there is refused",
    invalid("The provided expression refers to an attribute that does not exist in the item"),
    "SET n = nope",
  ),
  refused(
    "a sum of a text is refused",
    invalid("An operand in the update expression has an incorrect data type"),
    "SET n = s + :v",
    { v: N(1) },
  ),
  refused(
    "a sum with a text is refused",
    invalid(
      "Invalid UpdateExpression: Incorrect operand type for operator or function; operator or function: +, operand type: S",
    ),
    "SET n = n + :v",
    { v: S("1") },
  ),
  refused(
    "list_append takes lists",
    invalid(
      "Invalid UpdateExpression: Incorrect operand type for operator or function; operator or function: list_append, operand type: N",
    ),
    "SET l = list_append(l, :v)",
    { v: N(1) },
  ),
  refused(
    "list_append to what is no list is refused",
    invalid("An operand in the update expression has an incorrect data type"),
    "SET l = list_append(n, :v)",
    { v: L(N(1)) },
  ),
  refused(
    "ADD takes numbers and sets",
    invalid("Invalid UpdateExpression: Incorrect operand type for operator or function; operator: ADD, operand type: STRING"),
    "ADD s :v",
    { v: S("1") },
  ),
  refused(
    "ADD of a number to a text is refused",
    invalid("An operand in the update expression has an incorrect data type"),
    "ADD s :v",
    { v: N(1) },
  ),
  refused(
    "DELETE takes sets",
    invalid("Invalid UpdateExpression: Incorrect operand type for operator or function; operator: DELETE, operand type: STRING"),
    "DELETE ss :v",
    { v: S("p") },
  ),
  refused(
    "DELETE of a set of another type is refused",
    invalid("An operand in the update expression has an incorrect data type"),
    "DELETE ss :v",
    { v: { NS: ["1"] } },
  ),
  refused(
    "two writes of one path are refused",
    invalid(
      "Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [n], path two: [n]",
    ),
    "SET n = :v REMOVE n",
    { v: N(1) },
  ),
  refused(
    "writes of paths that overlap are refused",
    invalid(
      "Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [m], path two: [m, x]",
    ),
    "SET m = :v, m.x = :v",
    { v: N(1) },
  ),
  refused(
    "a section that comes twice is refused",
    invalid('Invalid UpdateExpression: The "SET" section can only be used once in an update expression;'),
    "SET n = :v SET s = :v",
    { v: N(1) },
  ),
  refused(
    "an update that cannot be parsed is refused",
    invalid('Invalid UpdateExpression: Syntax error; Expected ".", "=", or "[" but ":" found.'),
    "SET n :v",
    { v: N(1) },
  ),
  refused("an empty update is refused", invalid("Invalid UpdateExpression: The expression can not be empty;"), ""),
  refused(
    "a value that is not defined is refused in an update",
    invalid("Invalid UpdateExpression: An expression attribute value used in expression is not defined; attribute value: :w"),
    "SET n = :v + :w",
    { v: N(1) },
  ),
  refused(
    "an unknown function is refused in an update",
    invalid("Invalid UpdateExpression: Invalid function name; function: plus"),
    "SET n = plus(n, :v)",
    { v: N(1) },
  ),
  refused(
    "a condition's function is refused in an update",
    invalid("Invalid UpdateExpression: Invalid function name; function: size"),
    "SET n = size(l)",
  ),
  refused(
    "a number that overflows is refused",
    invalid(
      "ExpressionAttributeValues contains invalid value: Number overflow. Attempting to store a number with magnitude larger than supported range for key :v",
    ),
    "SET n = n + :v",
    { v: N("1e126") },
  ),
  refused(
    "a sum that overflows is refused",
    invalid("Number overflow. Attempting to store a number with magnitude larger than supported range"),
    "ADD n :v",
    { v: N("9e125") },
    {},
    [put("1", { n: N("9e125") })],
  ),
  refused(
    "a reserved word is refused in an update",
    invalid("Invalid UpdateExpression: Attribute name is a reserved keyword; reserved keyword: status"),
    "SET status = :v",
    { v: N(1) },
  ),
  {
    name: "an update needs the whole key",
    send: ["UpdateItem", { TableName: "$table", Key: { pk: S("a") } }],
    back: invalid("The provided key element does not match the schema"),
  },
  {
    name: "names stand for attributes with dots",
    given: [there],
    send: update("SET #d = :v", { v: N(1) }, { ...names({ d: "a.b" }), ReturnValues: "UPDATED_NEW" }),
    back: { Attributes: { "a.b": N(1) } },
  },
  {
    name: "an update that makes an item too large is refused",
    given: [put("1", { s: S("x".repeat(400_000)) })],
    send: [
      "UpdateItem",
      {
        TableName: "$table",
        Key: key(),
        UpdateExpression: "SET t = :v",
        ExpressionAttributeValues: { ":v": S("x".repeat(10_000)) },
      },
    ],
    back: invalid("Item size to update has exceeded the maximum allowed size"),
  },
]
