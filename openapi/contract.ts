/**
 * Holds a document against a contract: the operations that the product must offer, as data. What the document has beyond the contract
 * is allowed (more operations, more optional fields, more fields in answers, more values); whatever the contract has must be there and
 * be the same.
 */

/** A JSON Schema, as either side writes it. */
type Schema = Record<string, unknown>

interface ContractOperation {
  method: string
  path: string
  auth: boolean
  query?: { properties?: Record<string, Schema>; required?: string[] }
  request?: { required: boolean; schema?: Schema }
  responses: Record<string, { content?: Record<string, Schema> }>
}

export interface Contract {
  operations: ContractOperation[]
}

interface Findings {
  /** `GET /api/v1/webhooks`: operations that are not there at all. */
  missing: string[]
  /** Sentences on what differs in those that are. */
  different: string[]
}

/** What a schema comes to, whichever way it is written: OpenAPI 3.0 and JSON Schema say the same things differently. */
interface Shape {
  nullable: boolean
  types: Set<string>
  values?: Set<unknown>
  format?: unknown
  properties?: Record<string, Schema>
  required: Set<string>
  items?: Schema
  /** Objects of which it is one. */
  variants?: Shape[]
}

type Direction = "request" | "response"

const parts = (value: unknown) => (Array.isArray(value) ? (value as Schema[]) : [])

/** Compares a document with a contract. */
export function holdAgainst(contract: Contract, document: object): Findings {
  const findings: Findings = { missing: [], different: [] }
  const api = document as Api
  for (const operation of contract.operations) {
    const name = `${operation.method.toUpperCase()} ${operation.path}`
    const own = operationOf(api, operation)
    if (own) findings.different.push(...differences(api, name, operation, own))
    else findings.missing.push(name)
  }
  return findings
}

interface Api {
  paths: Record<string, Record<string, OwnOperation>>
  security?: object[]
}

interface OwnOperation {
  security?: object[]
  parameters?: Schema[]
  requestBody?: Schema
  responses?: Record<string, Schema>
}

/** Names of path parameters are each side's own. */
const nameless = (path: string) => path.replace(/\{[^}]+\}/g, "{}")

const operationOf = ({ paths }: Api, { method, path }: ContractOperation) =>
  Object.entries(paths).find(([own]) => nameless(own) === nameless(path))?.[1][method]

function differences(api: Api, name: string, wanted: ContractOperation, own: OwnOperation): string[] {
  const compare = comparison(api)
  const needsKey = (own.security ?? api.security ?? []).some((scheme) => Object.keys(scheme).length > 0)
  return [
    ...(needsKey === wanted.auth ? [] : [`${name}: must ${wanted.auth ? "" : "not "}need a key`]),
    ...queryDifferences(compare, name, wanted, own),
    ...bodyDifferences(compare, name, wanted, own),
    ...Object.entries(wanted.responses).flatMap(([status, { content = {} }]) =>
      answerDifferences(compare, `${name} -> ${status}`, content, compare.resolve(own.responses?.[status])),
    ),
  ]
}

type Compare = ReturnType<typeof comparison>

function queryDifferences({ resolve, compare }: Compare, name: string, { query }: ContractOperation, own: OwnOperation) {
  const parameters = parts(own.parameters).map(resolve)
  return Object.entries(query?.properties ?? {}).flatMap(([key, schema]) => {
    const at = `${name} ?${key}`
    const found = parameters.find((one) => one?.in === "query" && one.name === key)
    if (!found) return [`${at}: is missing`]
    const isRequired = query?.required?.includes(key) ?? false
    return [
      ...((found.required ?? false) === isRequired ? [] : [`${at}: must be ${isRequired ? "required" : "optional"}`]),
      ...compare(schema, found.schema as Schema, at, "request"),
    ]
  })
}

function bodyDifferences({ resolve, compare }: Compare, name: string, { request }: ContractOperation, own: OwnOperation) {
  if (!request?.schema) return []
  const at = `${name} body`
  const body = resolve(own.requestBody)
  const schema = schemaIn(body, "application/json")
  if (!schema) return [`${at}: is missing`]
  const isSame = (body?.required ?? false) === request.required
  return [
    ...(isSame ? [] : [`${at}: must be ${request.required ? "required" : "optional"}`]),
    ...compare(request.schema, schema, at, "request"),
  ]
}

function answerDifferences({ compare }: Compare, at: string, content: Record<string, Schema>, own: Schema | undefined) {
  if (!own) return [`${at}: is missing`]
  return Object.entries(content).flatMap(([media, schema]) => {
    const found = schemaIn(own, media)
    if (!found) return [`${at} ${media}: is missing`]
    return media === "application/json" ? compare(schema, found, at, "response") : []
  })
}

const schemaIn = (holder: Schema | undefined, media: string) =>
  (holder?.content as Record<string, { schema?: Schema }> | undefined)?.[media]?.schema

/** Comparison of a contract's schemas with those of a document, whose references it follows. */
function comparison(document: object) {
  const resolve = (schema: Schema | undefined): Schema | undefined => {
    if (typeof schema?.$ref !== "string") return schema
    const { $ref, ...beside } = schema
    const steps = String($ref).replace(/^#\//, "").split("/")
    const target = steps.reduce<unknown>((part, step) => (part as Schema | undefined)?.[step], document)
    if (!target) throw new Error(`${$ref} leads nowhere`)
    return { ...resolve(target as Schema), ...beside }
  }
  const shape = (schema: Schema | undefined) => shapeOf(schema ?? {}, (one) => resolve(one) ?? {})

  const compare = (wanted: Schema, own: Schema | undefined, at: string, direction: Direction): string[] => {
    if (!own) return [`${at}: is missing`]
    return compareShapes(shape(wanted), shape(own), at, direction)
  }

  const compareShapes = (wanted: Shape, own: Shape, at: string, direction: Direction): string[] => [
    ...nullDifference(wanted, own, at, direction),
    ...(wanted.variants ? variantDifferences(wanted, own, at, direction) : plainDifferences(wanted, own, at, direction)),
  ]

  /** Each variant of the contract, known by the values of the property that tells them apart, must have its own here. */
  const variantDifferences = (wanted: Shape, own: Shape, at: string, direction: Direction): string[] => {
    const [theirs, ours] = [tagged(wanted, shape), tagged(own, shape)]
    if (!theirs || !ours || theirs.tag !== ours.tag) return [`${at}: must be told apart by ${theirs?.tag ?? "a property"}`]
    return [...theirs.variants].flatMap(([value, variant]) => {
      const found = ours.variants.get(value)
      if (!found) return [`${at}: lacks ${theirs.tag}=${String(value)}`]
      const names = Object.keys(variant.properties ?? {}).filter((name) => name !== theirs.tag)
      return names.flatMap((name) => propertyDifferences(variant, found, name, `${at}<${String(value)}>`, direction))
    })
  }

  const plainDifferences = (wanted: Shape, own: Shape, at: string, direction: Direction): string[] => {
    // An object may have been divided into variants: each of them has to keep what was promised of the whole.
    if (own.variants && wanted.properties)
      return own.variants.flatMap((variant) =>
        Object.keys(wanted.properties ?? {})
          .filter((name) => variant.properties?.[name])
          .flatMap((name) => propertyDifferences(wanted, variant, name, at, direction)),
      )
    if (wanted.values) return valueDifferences(wanted.values, own.values, at)
    const types = [...wanted.types]
    if (!types.every((type) => own.types.has(type)))
      return [`${at}: must be ${types.join(" or ")}, is ${[...own.types].join(" or ") || "anything"}`]
    return [
      ...(wanted.format === "date-time" && own.format !== "date-time" ? [`${at}: must be a date-time`] : []),
      ...(wanted.properties ? objectDifferences(wanted, own, at, direction) : []),
      ...(wanted.items ? compare(wanted.items, own.items, `${at}[]`, direction) : []),
    ]
  }

  const objectDifferences = (wanted: Shape, own: Shape, at: string, direction: Direction): string[] => {
    if (!own.properties) return [`${at}: must name its properties`]
    const names = Object.keys(wanted.properties ?? {})
    const demanded = direction === "request" ? [...own.required].filter((name) => !wanted.required.has(name)) : []
    return [
      ...names.flatMap((name) => propertyDifferences(wanted, own, name, at, direction)),
      ...demanded.map((name) => `${at}.${name}: must not be required`),
    ]
  }

  const propertyDifferences = (wanted: Shape, own: Shape, name: string, at: string, direction: Direction): string[] => {
    const [theirs, ours] = [wanted.properties![name]!, own.properties?.[name]]
    if (!ours) return [`${at}.${name}: is missing`]
    const mayBeAbsent = direction === "response" && wanted.required.has(name) && !own.required.has(name)
    return [...(mayBeAbsent ? [`${at}.${name}: must always be there`] : []), ...compare(theirs, ours, `${at}.${name}`, direction)]
  }

  return { resolve, compare }
}

/** A request may take null where the contract does not; an answer may not give it. */
function nullDifference(wanted: Shape, own: Shape, at: string, direction: Direction): string[] {
  if (wanted.nullable === own.nullable || (direction === "request" && own.nullable)) return []
  return [`${at}: must ${wanted.nullable ? "" : "not "}be nullable`]
}

function valueDifferences(wanted: Set<unknown>, own: Set<unknown> | undefined, at: string): string[] {
  if (!own) return [`${at}: must be one of ${[...wanted].join(", ")}`]
  return [...wanted].filter((value) => !own.has(value)).map((value) => `${at}: lacks the value ${String(value)}`)
}

/** The variants of a shape by the values of the property that tells them apart, if one does. */
function tagged(whole: Shape, shape: (schema: Schema) => Shape) {
  const variants = whole.variants ?? (whole.properties ? [whole] : [])
  const valuesOf = (variant: Shape, name: string) => {
    const schema = variant.properties?.[name]
    return schema && variant.required.has(name) ? shape(schema).values : undefined
  }
  const tag = Object.keys(variants[0]?.properties ?? {}).find((name) => variants.every((variant) => valuesOf(variant, name)))
  if (tag === undefined) return undefined
  const entries = variants.flatMap((variant) => [...valuesOf(variant, tag)!].map((value) => [value, variant] as const))
  return { tag, variants: new Map(entries) }
}

type Resolve = (schema: Schema) => Schema

function shapeOf(raw: Schema, resolve: Resolve): Shape {
  const schema = resolve(raw)
  const alternatives = parts(schema.anyOf ?? schema.oneOf)
  if (alternatives.length) return joined(alternatives, schema.nullable === true, resolve)
  if (schema.allOf) return merged(schema, resolve)
  return simple(schema)
}

const isNull = ({ types }: Shape) => types.size === 1 && types.has("null")

/** One of several: null among them makes it nullable, values and simple types run together, objects stay variants. */
function joined(alternatives: Schema[], isNullable: boolean, resolve: Resolve): Shape {
  const all = alternatives.map((one) => shapeOf(one, resolve))
  const shapes = all.filter((one) => !isNull(one)).flatMap((one) => one.variants ?? [one])
  const nullable = isNullable || all.some((one) => one.nullable || isNull(one))
  const types = new Set(shapes.flatMap((one) => [...one.types]))
  if (shapes.length === 1) return { ...shapes[0]!, nullable }
  const base = { nullable, types, required: new Set<string>() }
  if (shapes.every(({ values }) => values)) return { ...base, values: new Set(shapes.flatMap(({ values }) => [...values!])) }
  if (shapes.every(({ properties, items }) => !properties && !items)) return base
  return { ...base, variants: shapes }
}

/** All of several: what each of them says holds. */
function merged({ allOf, ...rest }: Schema, resolve: Resolve): Shape {
  const shapes = [simple(rest), ...parts(allOf).map((one) => shapeOf(one, resolve))]
  const properties = Object.assign({}, ...shapes.map((one) => one.properties ?? {})) as Record<string, Schema>
  return {
    ...(Object.assign({}, ...shapes) as Shape),
    nullable: shapes.some(({ nullable }) => nullable),
    types: new Set(shapes.flatMap(({ types }) => [...types])),
    required: new Set(shapes.flatMap(({ required }) => [...required])),
    ...(Object.keys(properties).length ? { properties } : {}),
  }
}

function simple(schema: Schema): Shape {
  const types = new Set([schema.type ?? []].flat().map((type) => (type === "integer" ? "number" : String(type))))
  const given = "const" in schema ? [schema.const] : (schema.enum as unknown[] | undefined)
  const nullable = schema.nullable === true || (types.size > 1 && types.has("null")) || (given?.includes(null) ?? false)
  if (types.size > 1) types.delete("null")
  const values = given?.filter((value) => value !== null)
  if (values && types.size === 0) for (const value of values) types.add(typeof value)
  if (schema.properties) types.add("object")
  if (schema.items) types.add("array")
  return {
    nullable,
    types,
    required: new Set(schema.required as string[] | undefined),
    ...(values?.length ? { values: new Set(values) } : {}),
    ...(schema.format ? { format: schema.format } : {}),
    ...(schema.properties ? { properties: schema.properties as Record<string, Schema> } : {}),
    ...(schema.items ? { items: schema.items as Schema } : {}),
  }
}
