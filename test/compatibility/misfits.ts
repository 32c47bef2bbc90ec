/** The part of JSON Schema in which zod describes the agent API. */
export interface Schema {
  type?: string | string[]
  properties?: Record<string, Schema>
  required?: string[]
  additionalProperties?: boolean | Schema
  propertyNames?: Schema
  items?: Schema
  anyOf?: Schema[]
  oneOf?: Schema[]
  enum?: unknown[]
  const?: unknown
  pattern?: string
  format?: string
  default?: unknown
  minLength?: number
  maxLength?: number
  minItems?: number
  maxItems?: number
  minimum?: number
  maximum?: number
  exclusiveMinimum?: number
}

/** Why something that `said` allows may not be understood by whoever knows `heard`. Nothing where everything is. */
export function misfits(said: Schema, heard: Schema, at = ""): string[] {
  const choices = said.anyOf ?? said.oneOf
  if (choices) return choices.flatMap((choice) => misfits(choice, heard, at))
  const wanted = heard.anyOf ?? heard.oneOf
  if (wanted) {
    const tried = wanted.map((choice) => misfits(said, choice, at))
    return tried.some((wrong) => !wrong.length) ? [] : tried.toSorted((a, b) => a.length - b.length)[0]!
  }
  return [...ofValue(said, heard, at), ...ofObject(said, heard, at), ...ofArray(said, heard, at)]
}

function ofValue(said: Schema, heard: Schema, at: string): string[] {
  const strange = heard.type ? kinds(said).filter((kind) => !takes(kinds(heard), kind)) : []
  if (strange.length) return [`${at} may be ${strange.join(", ")} and not only ${kinds(heard).join(", ")}`]
  const known = words(heard)
  const unheard = known && (words(said)?.filter((word) => !known.includes(word)) ?? ["any"])
  return [
    ...(unheard ?? []).map((word) => `${at} may be ${JSON.stringify(word)}`),
    ...(["pattern", "format"] as const)
      .filter((rule) => !words(said) && heard[rule] !== undefined && heard[rule] !== said[rule])
      .map((rule) => `${at} has another ${rule}`),
    ...upper.filter((rule) => (said[rule] ?? Infinity) > (heard[rule] ?? Infinity)).map((rule) => `${at} has another ${rule}`),
    ...lower.filter((rule) => (said[rule] ?? -Infinity) < (heard[rule] ?? -Infinity)).map((rule) => `${at} has another ${rule}`),
  ]
}

const kinds = ({ type = "anything" }: Schema) => [type].flat()

const takes = (heard: string[], said: string) => heard.includes(said) || (said === "integer" && heard.includes("number"))

const upper = ["maxLength", "maxItems", "maximum"] as const
const lower = ["minLength", "minItems", "minimum", "exclusiveMinimum"] as const

const words = ({ enum: list, const: one }: Schema) => list ?? (one === undefined ? undefined : [one])

function ofObject(said: Schema, heard: Schema, at: string): string[] {
  const { properties: fields = {}, required = [] } = heard
  const rest = typeof said.additionalProperties === "object" ? said.additionalProperties : undefined
  const restHeard = typeof heard.additionalProperties === "object" ? heard.additionalProperties : undefined
  return [
    ...required.filter((name) => !said.required?.includes(name)).map((name) => `${at}.${name} may be missing`),
    ...Object.entries(said.properties ?? {}).flatMap(([name, field]) => {
      if (fields[name]) return misfits(field, fields[name], `${at}.${name}`)
      return heard.additionalProperties === false ? [`${at}.${name} is refused`] : []
    }),
    ...(rest && restHeard ? misfits(rest, restHeard, `${at}.*`) : []),
  ]
}

const ofArray = (said: Schema, heard: Schema, at: string) =>
  said.items && heard.items ? misfits(said.items, heard.items, `${at}[]`) : []

/** The fields of an old schema, also of those that may be missing, that a new one has no more. */
export function dropped(old: Schema, now: Schema): string[] {
  const today = fieldsOf(now)
  return [...fieldsOf(old)].filter((field) => !today.has(field)).map((field) => `${field} is gone`)
}

function fieldsOf(schema: Schema, at = ""): Set<string> {
  const inner = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].flatMap((choice) => [...fieldsOf(choice, at)])
  const own = Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const path = `${at}.${name}`
    return [path, ...fieldsOf(field, path)]
  })
  return new Set([...inner, ...own, ...(schema.items ? fieldsOf(schema.items, `${at}[]`) : [])])
}
