import fc from "fast-check"
import { bodyOf, type Operation, operations, type Parameter } from "./document.ts"
import { type Known, prefixOf } from "./known.ts"
import { arbitraryOf, id, likeExample, spoiled } from "./values.ts"

/** Requests to the operations of the document: as it says, and otherwise. */

export interface Call {
  operation: Operation
  path: Record<string, string>
  query: Record<string, unknown>
  headers: Record<string, string>
  body: unknown
}

/** The same ones for the same seed. What deletes or cancels comes less often, so that there is something left to ask for. */
export const callsOf = (count: number, seed: number): Call[] =>
  fc.sample(
    fc.oneof(...operations.map((each) => ({ weight: /^DELETE|cancel$/.test(each.name) ? 1 : 2, arbitrary: callOf(each) }))),
    { numRuns: count, seed },
  )

const callOf = (operation: Operation): fc.Arbitrary<Call> =>
  fc.record({
    operation: fc.constant(operation),
    path: fc.record(Object.fromEntries(placed(operation, "path").map(({ name }) => [name, id(prefixOf(name)!)]))),
    query: queryOf(operation),
    headers: headersOf(operation),
    body: requestBodyOf(operation),
  })

const placed = ({ parameters }: Operation, place: Parameter["in"]) => parameters.filter((parameter) => parameter.in === place)

function requestBodyOf(operation: Operation): fc.Arbitrary<unknown> {
  const schema = bodyOf(operation)
  if (!schema) return fc.constant(undefined)
  const good = [likeExample(schema), arbitraryOf(schema)]
  return fc.oneof(
    ...good.map((arbitrary) => ({ weight: 2, arbitrary })),
    ...good.map((arbitrary) => ({ weight: 1, arbitrary: spoiled(arbitrary) })),
  )
}

const oneIn = (n: number) => fc.nat(n - 1).map((drawn) => drawn === 0)

function queryOf(operation: Operation): fc.Arbitrary<Record<string, unknown>> {
  const fields = placed(operation, "query").map(({ name, schema }): [string, fc.Arbitrary<unknown>] => [
    name,
    fc.oneof({ weight: 5, arbitrary: arbitraryOf(schema, name) }, { weight: 1, arbitrary: fc.string({ unit: "binary" }) }),
  ])
  const known = fc.record(Object.fromEntries(fields), { requiredKeys: [] })
  return fc
    .tuple(known, oneIn(2), oneIn(30))
    .map(([query, isPlain, isSpoiled]) => (isPlain ? {} : isSpoiled ? { ...query, nobodyKnows: "1" } : withoutStream(query)))
}

/** A stream stays open for minutes: it has tests of its own. */
const withoutStream = ({ stream, ...query }: Record<string, unknown>) =>
  stream === undefined || stream === true ? query : { ...query, stream }

function headersOf(operation: Operation): fc.Arbitrary<Record<string, string>> {
  const values: Record<string, fc.Arbitrary<string>> = {
    "Idempotency-Key": fc.oneof(fc.constantFrom("one", "two", ""), fc.uuid()),
    "If-Match": fc.constantFrom("*", '"stale"', "nonsense"),
  }
  const known = placed(operation, "header").map(({ name }): [string, fc.Arbitrary<string>] => [name, values[name]!])
  return fc.tuple(fc.record(Object.fromEntries(known)), oneIn(4)).map(([headers, isSent]) => (isSent ? headers : {}))
}

/** What is sent: about things that are known by now. */
export function requestOf({ operation, path, query, headers, body }: Call, known: Known) {
  const search = new URLSearchParams(
    Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]),
  ).toString()
  const url = operation.name.replace(/\{(\w+)\}/g, (_, name: string) => segment(path[name]!))
  return {
    name: known.fill(search ? `${url}?${search}` : url),
    body: body === undefined ? undefined : known.fill(JSON.stringify(body)),
    headers,
  }
}

/** Dots alone would be another path, half a character none at all. */
const segment = (text: string) => encodeURIComponent(text.toWellFormed().replace(/^\.+$/, "dots"))
