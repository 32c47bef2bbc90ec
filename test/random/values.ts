import fc from "fast-check"
import { resolved, type Schema } from "./document.ts"
import { placeholder, prefixOf } from "./known.ts"

/** Values for the schemas of a document: as it says, and spoiled. */

export const id = (prefix: string): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 9, arbitrary: fc.nat(1_000).map((nth) => placeholder(prefix, nth)) },
    { weight: 1, arbitrary: fc.string({ unit: "binary", minLength: 1, maxLength: 300 }) },
  )

/** What the schema says is right. What it cannot say (that two fields exclude each other, for instance) may be wrong. */
export function arbitraryOf(schema: Schema, name = ""): fc.Arbitrary<unknown> {
  const { nullable, ...plain } = resolved(schema)
  const value = plainOf(plain, name)
  return nullable ? fc.oneof({ weight: 4, arbitrary: value }, { weight: 1, arbitrary: fc.constant(null) }) : value
}

function plainOf(schema: Schema, name: string): fc.Arbitrary<unknown> {
  const { minimum = -1_000, maximum = 1_000_000 } = schema
  const alternatives = schema.oneOf ?? schema.allOf
  if (alternatives) return fc.oneof(...alternatives.map((one) => arbitraryOf(one, name)))
  if (schema.enum) return fc.constantFrom(...schema.enum)
  switch (schema.type) {
    case "string":
      return stringOf(schema, name)
    case "integer":
      return fc.integer({ min: minimum, max: maximum })
    case "number":
      return fc.double({ min: minimum, max: maximum, noNaN: true })
    case "boolean":
      return fc.boolean()
    case "array":
      return arrayOf(schema, name)
    case "object":
      return objectOf(schema)
    default:
      return fc.jsonValue({ maxDepth: 2 })
  }
}

/** What a field of this name takes, where its schema cannot say it. */
export const words: Record<string, string[]> = {
  url: ["https://hooks.example.com/acme/tools.git", "https://hooks.example.com:8443/ä%20b"],
  skill: ["owner/repo", "owner/repo/skill", "https://example.com/acme/skills.git#v2"],
  mountingPoint: ["website", "vendor/library", "./code/", "漢字"],
  tag: ["main", "v1.2.3", "feature/ä"],
  target: ["bin/run", "./scripts/setup.sh"],
  postCloneScriptPath: ["scripts/setup.sh"],
  providerApiKey: ["sk-of-nobody"],
  anthropic: ["sk-ant-of-nobody"],
}

export const anyName = ["Reporter", "漢字 ä 🐭", "data.csv", " a ", "שלום"]

function stringOf({ format, pattern, minLength = 0, maxLength = 1_000 }: Schema, name: string): fc.Arbitrary<string> {
  const prefix = prefixOf(name)
  if (prefix) return id(prefix)
  if (format === "date-time") return fc.date({ noInvalidDate: true }).map((date) => date.toISOString())
  if (pattern) return fc.stringMatching(new RegExp(pattern))
  const text = fc.string({ unit: "binary", minLength, maxLength: Math.max(minLength, Math.min(maxLength, 40)) })
  return fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...(words[name] ?? anyName)) }, { weight: 1, arbitrary: text })
}

const arrayOf = ({ items = {}, minItems = 0, maxItems = 3 }: Schema, name: string) =>
  fc.array(arbitraryOf(items, name), { minLength: minItems, maxLength: Math.max(minItems, Math.min(maxItems, 3)) })

function objectOf({ properties, required = [], additionalProperties }: Schema): fc.Arbitrary<object> {
  if (!properties) {
    const values = typeof additionalProperties === "object" ? arbitraryOf(additionalProperties) : fc.jsonValue({ maxDepth: 2 })
    return fc.dictionary(fc.string({ maxLength: 10 }), values, { maxKeys: 3 })
  }
  const optional = Object.keys(properties).filter((name) => !required.includes(name))
  const field = (name: string) => arbitraryOf(properties[name]!, name)
  // Few at a time: of many, one would always be in the way of another.
  return fc.subarray(optional, { maxLength: Math.min(optional.length, 3) }).chain((chosen) => {
    const fields = [...required, ...chosen].map((name): [string, fc.Arbitrary<unknown>] => [name, field(name)])
    return fc.record(Object.fromEntries(fields))
  })
}

/** The documented example, about ids that there are, with some fields that the schema knows besides. */
export const likeExample = (schema: Schema): fc.Arbitrary<unknown> =>
  fc
    .tuple(
      aboutKnown(schema.example),
      fc.nat(2).chain((n) => (n ? fc.constant({}) : arbitraryOf({ ...schema, required: [] }))),
    )
    .map(([example, more]) => ({ ...(more as object), ...(example as object) }))

/** The same value with placeholders for the ids in it. */
const aboutKnown = (example: unknown) =>
  fc.array(fc.nat(1_000), { minLength: 8, maxLength: 8 }).map((drawn) => {
    const next = drawn.values()
    return JSON.parse(JSON.stringify(example), (name, value: unknown) => {
      const prefix = prefixOf(name)
      if (!prefix) return value
      const one = placeholder(prefix, next.next().value ?? 0)
      return Array.isArray(value) ? [one] : one
    }) as unknown
  })

/** What nobody should send. */
const junk = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    0,
    -1,
    1e21,
    0.1,
    "",
    " ",
    "\u0000",
    "\ud800",
    "__proto__",
    [],
    {},
    [[]],
    "x".repeat(300_000),
  ),
  fc.jsonValue({ maxDepth: 1 }),
)

/** A value with one part of it replaced, taken away, or joined by a field that nobody knows. */
export const spoiled = (value: fc.Arbitrary<unknown>) =>
  fc
    .tuple(value, fc.nat(1_000), junk, fc.constantFrom("replace", "remove", "add"))
    .map(([good, at, part, how]) => spoil(structuredClone(good), at, part, how))

function spoil(whole: unknown, at: number, part: unknown, how: string): unknown {
  const places = placesIn(whole)
  if (!places.length) return part
  const { holder, key } = places[at % places.length]!
  if (how === "replace") holder[key] = part
  else if (how === "remove") delete holder[key]
  else holder.fieldThatNobodyKnows = part
  return whole
}

/** Every place in a value where something stands. */
export function placesIn(value: unknown): { holder: Record<string, unknown>; key: string }[] {
  if (typeof value !== "object" || value === null) return []
  const holder = value as Record<string, unknown>
  return Object.keys(holder).flatMap((key) => [{ holder, key }, ...placesIn(holder[key])])
}
