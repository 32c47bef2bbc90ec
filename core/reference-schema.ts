import { escaped, inline } from "./reference-html.ts"

/** A JSON Schema as OpenAPI 3.0 writes it. */
export interface Schema {
  $ref?: string
  type?: string
  format?: string
  description?: string
  example?: unknown
  default?: unknown
  enum?: unknown[]
  nullable?: boolean
  properties?: Record<string, Schema>
  required?: string[]
  additionalProperties?: boolean | Schema
  items?: Schema
  oneOf?: Schema[]
  anyOf?: Schema[]
  allOf?: Schema[]
  minLength?: number
  maxLength?: number
  minimum?: number
  maximum?: number
  minItems?: number
  maxItems?: number
}

type Schemas = Record<string, Schema>

/** How deep fields of fields are shown; below that, the name of the schema leads on. */
const deepest = 4

const nameOf = (ref: string) => ref.split("/").at(-1)!

/** The schema behind a reference, or one that only adds words to it. */
export function resolve(all: Schemas, schema: Schema): Schema {
  if (schema.$ref)
    return { ...resolve(all, all[nameOf(schema.$ref)] ?? {}), ...(schema.description ? { description: schema.description } : {}) }
  const [only, ...others] = schema.allOf ?? []
  if (!only || others.length) return schema
  const { allOf: _, ...rest } = schema
  return { ...resolve(all, only), ...rest }
}

/** Every alternative of a schema, where it has some. */
const variantsOf = (schema: Schema) => schema.oneOf ?? schema.anyOf ?? []

/** What a value is, in a few words, with links to what has a name. */
export function typeOf(schema: Schema): string {
  const orNull = schema.nullable ? " or null" : ""
  if (schema.$ref) return `<a href="#schema-${escaped(nameOf(schema.$ref))}">${escaped(nameOf(schema.$ref))}</a>${orNull}`
  if (schema.allOf?.length === 1) return typeOf(schema.allOf[0]!) + orNull
  const variants = variantsOf(schema)
  if (variants.length) return [...new Set(variants.map(typeOf))].join(" or ") + orNull
  if (schema.type === "array") return `array of ${typeOf(schema.items ?? {})}${orNull}`
  return `${escaped(schema.type ?? "any value")}${schema.format ? ` <span class="format">${escaped(schema.format)}</span>` : ""}${orNull}`
}

/** The bounds of a value, in words. */
function boundsOf(schema: Schema): string {
  const between = (low: number | undefined, high: number | undefined, unit: string) => {
    const [from, to] = [low?.toLocaleString("en"), high?.toLocaleString("en")]
    if (from !== undefined && to !== undefined) return `${from} to ${to}${unit}`
    return from === undefined ? to && `at most ${to}${unit}` : `at least ${from}${unit}`
  }
  const bounds = [
    between(schema.minimum, schema.maximum, ""),
    between(schema.minLength, schema.maxLength, " characters"),
    between(schema.minItems, schema.maxItems, " items"),
    schema.default === undefined ? undefined : `${JSON.stringify(schema.default)} when left out`,
  ]
  return bounds
    .filter(Boolean)
    .map((bound) => `<span class="bound">${escaped(bound!)}</span>`)
    .join(" ")
}

const valuesOf = (schema: Schema) =>
  schema.enum ? `<p class="values">${schema.enum.map((value) => `<code>${escaped(String(value))}</code>`).join(" ")}</p>` : ""

/** A value: its type, bounds and words. */
export const describe = (schema: Schema) => ({
  facts: `<span class="type">${typeOf(schema)}</span> ${boundsOf(schema)}`,
  words: `${schema.description ? `<p>${inline(schema.description)}</p>` : ""}${valuesOf(schema)}`,
})

/** The fields of an object, or of each of its alternatives; nothing for what has none. */
export function fieldsOf(all: Schemas, given: Schema, depth = 0): string {
  const schema = resolve(all, given)
  const variants = variantsOf(schema).filter((variant) => resolve(all, variant).properties)
  if (variants.length > 1)
    return variants
      .map((variant, i) => `<div class="variant"><p>${i ? "or" : "either"}</p>${fieldsOf(all, variant, depth)}</div>`)
      .join("")
  const { properties, required = [] } = variants[0] ? resolve(all, variants[0]) : schema
  if (!properties) return valuesOf(schema)
  const fields = Object.entries(properties).map(([name, field]) => fieldOf(all, name, field, required.includes(name), depth))
  return `<ul class="fields">${fields.join("")}</ul>`
}

function fieldOf(all: Schemas, name: string, field: Schema, isRequired: boolean, depth: number): string {
  const { facts, words } = describe(field)
  const inner = depth < deepest ? fieldsOf(all, insideOf(all, field), depth + 1) : ""
  const below = inner.includes("<ul") ? `<details><summary>Its fields</summary>${inner}</details>` : ""
  return `<li><div><code class="name">${escaped(name)}</code> ${facts}${isRequired ? ' <span class="required">required</span>' : ""}</div>${words}${below}</li>`
}

const insideOf = (all: Schemas, field: Schema): Schema => {
  const schema = resolve(all, field)
  return schema.type === "array" && schema.items ? insideOf(all, schema.items) : schema
}

/** A value that would do: the documented one, or the plainest. */
export function exampleOf(all: Schemas, given: Schema): unknown {
  const schema = resolve(all, given)
  if (schema.example !== undefined) return schema.example
  if (schema.enum) return schema.enum[0]
  const [variant] = variantsOf(schema)
  if (variant) return exampleOf(all, variant)
  if (schema.properties) {
    const wanted = Object.entries(schema.properties).filter(([name]) => schema.required?.includes(name))
    return Object.fromEntries(wanted.map(([name, field]) => [name, exampleOf(all, field)]))
  }
  return plainest[schema.type ?? ""]
}

const plainest: Record<string, unknown> = { string: "…", number: 1, integer: 1, boolean: true, array: [], object: {} }
