/**
 * Random operations, sent to our DynamoDB and to dynoxide: both must answer the same and keep the same. Always the same few, unless
 * `DORMOUSE_FUZZ_RUNS` asks for more; then the seed is a new one, or `DORMOUSE_FUZZ_SEED`. What dynoxide is known to do otherwise
 * (`test/differences.ts`) is not sent.
 */
import { isDeepStrictEqual } from "node:util"
import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type Item, key, L, M, N, type Request, S, SS } from "./test/conformance/case.ts"
import { answersOf, codes, type Side } from "./test/conformance.ts"
import { type Dynoxide, program, startDynoxide } from "./test/dynoxide.ts"
import { type Served, serve } from "./testing.ts"

const { DORMOUSE_FUZZ_RUNS, DORMOUSE_FUZZ_SEED } = process.env
const runs = Number(DORMOUSE_FUZZ_RUNS ?? 25)
const seed = Number(DORMOUSE_FUZZ_SEED ?? (DORMOUSE_FUZZ_RUNS ? Date.now() % 2 ** 31 : 1))

const sk = fc.constantFrom("1", "2", "3", "10")
const number = fc.oneof(fc.integer({ min: -5, max: 5 }), fc.constantFrom("0.1", "-2.50", "1e3", "123456789012345678")).map(N)
const text = fc.constantFrom("", "a", "ab", "é", "~").map(S)
const set = fc.subarray(["a", "b", "c"], { minLength: 1 }).map((all) => SS(...all))
const plain = fc.oneof(
  number,
  text,
  fc.boolean().map((BOOL) => ({ BOOL })),
)
const value = fc.oneof(
  plain,
  set,
  fc.array(fc.oneof(plain, fc.constant({ NULL: true })), { maxLength: 3 }).map((all) => L(...all)),
  fc.dictionary(fc.constantFrom("x", "y"), plain).map((all) => M(all as Item)),
)
const place = fc.record(
  { onepk: fc.constantFrom("p", "q").map(S), onesk: fc.constantFrom("1", "2").map(S) },
  { requiredKeys: [] },
)
const item = fc
  .tuple(sk, place, fc.dictionary(fc.constantFrom("n", "s", "l", "m"), value))
  .map(([at, places, rest]): Item => ({ ...key(at), ...places, ...rest }))

const TableName = "$table"
const values = (all: Item) => ({ ExpressionAttributeValues: all })

const condition = fc.oneof(
  fc.constant({}),
  fc.constantFrom("attribute_exists(pk)", "attribute_not_exists(n)", "size(l) >= n", "NOT contains(s, n)").map((one) => ({
    ConditionExpression: one,
  })),
  fc
    .tuple(
      fc.constantFrom("n = :c", "n <> :c", "m.x < :c", "n >= :c OR s = :c", "contains(l, :c)", "n IN (:c)", "s BETWEEN :c AND s"),
      plain,
    )
    .map(([ConditionExpression, c]) => ({ ConditionExpression, ...values({ ":c": c as never }) })),
)

const change = fc.oneof(
  fc.tuple(fc.constantFrom("SET n = :v", "SET m.x = :v", "SET s = if_not_exists(s, :v)", "SET l[0] = :v"), value),
  fc.tuple(fc.constantFrom("SET n = n + :v", "SET n = :v - n", "ADD n :v", "ADD n :v REMOVE l, s", "SET s = n ADD n :v"), number),
  fc.tuple(fc.constant("SET onepk = :v"), fc.constantFrom("p", "q").map(S)),
  fc.tuple(fc.constantFrom("ADD s :v", "DELETE s :v", "ADD s :v REMOVE m"), set),
  fc.tuple(
    fc.constantFrom("SET l = list_append(l, :v)", "SET l = list_append(if_not_exists(l, :v), :v)"),
    fc.array(plain, { maxLength: 2 }).map((all) => L(...all)),
  ),
)

/** Condition and change in one request, with the values of both. */
const updateOf = fc.tuple(sk, change, condition).map(([at, [UpdateExpression, v], { ...guard }]) => ({
  TableName,
  Key: key(at),
  ...guard,
  UpdateExpression,
  ...values({ ":v": v as never, ...(guard as ReturnType<typeof values>).ExpressionAttributeValues }),
}))
const putOf = fc.tuple(item, condition).map(([Item, guard]) => ({ TableName, Item, ...guard }))
const removeOf = fc.tuple(sk, condition).map(([at, guard]) => ({ TableName, Key: key(at), ...guard }))

const returns = <Name extends string>(...names: Name[]) => fc.constantFrom(...names).map((ReturnValues) => ({ ReturnValues }))
const part = fc.oneof(
  putOf.map((Put) => ({ Put })),
  updateOf.map((Update) => ({ Update })),
  removeOf.map((Delete) => ({ Delete })),
)

/** No item may be twice in a transaction. */
const placeOf = (one: { Put?: { Item: Item }; Update?: { Key: Item }; Delete?: { Key: Item } }) =>
  (one.Put?.Item ?? one.Update?.Key ?? one.Delete!.Key).sk!.S

const request: fc.Arbitrary<Request> = fc.oneof(
  fc.tuple(putOf, returns("NONE", "ALL_OLD")).map(([input, more]): Request => ["PutItem", { ...input, ...more }]),
  fc.tuple(removeOf, returns("NONE", "ALL_OLD")).map(([input, more]): Request => ["DeleteItem", { ...input, ...more }]),
  fc.tuple(updateOf, returns("NONE", "ALL_NEW")).map(([input, more]): Request => ["UpdateItem", { ...input, ...more }]),
  fc
    .uniqueArray(part, { minLength: 1, maxLength: 3, selector: placeOf })
    .map((TransactItems): Request => ["TransactWriteItems", { TransactItems }]),
  fc
    .record({ Limit: fc.integer({ min: 1, max: 4 }), ScanIndexForward: fc.boolean() }, { requiredKeys: [] })
    .map((page): Request => ["Query", { TableName, KeyConditionExpression: "pk = :p", ...values({ ":p": S("a") }), ...page }]),
  fc
    .tuple(fc.constantFrom("sk > :s", "begins_with(sk, :s)", "sk <= :s"), sk)
    .map(
      ([range, at]): Request => [
        "Query",
        { TableName, KeyConditionExpression: `pk = :p AND ${range}`, ...values({ ":p": S("a"), ":s": S(at) }) },
      ],
    ),
  fc
    .constantFrom("p", "q")
    .map(
      (at): Request => [
        "Query",
        { TableName, IndexName: "one", KeyConditionExpression: "onepk = :p", ...values({ ":p": S(at) }) },
      ],
    ),
)

describe.runIf(program)("ours and dynoxide", () => {
  let ours: Served
  let other: Dynoxide
  beforeAll(async () => {
    ours = await serve()
    other = await startDynoxide()
  })
  afterAll(async () => {
    await ours.close()
    await other.stop()
  })

  test(
    `random operations have the same answers and the same end (seed ${seed})`,
    async () => {
      const story = fc.asyncProperty(fc.array(request, { minLength: 5, maxLength: 25 }), async (requests) => {
        const all: Request[] = [...requests, ["Scan", { TableName }]]
        const [mine, theirs] = await Promise.all([ours, other].map((side: Side) => answersOf(side, all)))
        for (const [at, answer] of mine!.entries())
          if (!isDeepStrictEqual(codes(answer), codes(theirs![at])))
            expect({ to: all[at], answer }).toEqual({ to: all[at], answer: theirs![at] })
      })
      await fc.assert(story, { numRuns: runs, seed })
    },
    10_000 + runs * 500,
  )
})
