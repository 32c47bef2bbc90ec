import { bodyOf, type Operation, resolved, type Schema } from "./document.ts"
import { prefixOf } from "./known.ts"
import { anyName, words } from "./values.ts"

/** Where in a request an id may stand. */
export interface Place {
  in: "path" | "query" | "body"
  /** Of the parameter or the field. */
  name: string
  /** Of the field in the body, as problems write it: `skills.0.sshKeyId`. */
  at: string
}

export function placesOf(operation: Operation): Place[] {
  const parameters = operation.parameters
    .filter(({ name, in: place }) => place !== "header" && prefixOf(name))
    .map(({ name, in: place }) => ({ in: place as "path" | "query", name, at: name }))
  const body = bodyOf(operation)
  return [...parameters, ...(body ? fieldsOf(body, []) : [])]
}

function fieldsOf(schema: Schema, path: string[]): Place[] {
  const { properties = {}, items } = resolved(schema)
  const entries = items ? [["0", items] as const] : Object.entries(properties)
  return entries.flatMap(([key, field]) => fieldOf(field, [...path, key]))
}

function fieldOf(schema: Schema, path: string[]): Place[] {
  // Of a list of ids it is the list that has the name.
  const name = path.findLast((key) => key !== "0")!
  const isId = resolved(schema).type === "string" && prefixOf(name) !== undefined
  return isId ? [{ in: "body", name: name.replace(/s$/, ""), at: path.join(".") }] : fieldsOf(schema, path)
}

/** What cannot stand in a body beside a field. */
const excluded: Record<string, string> = { containerId: "runtime", containerVersionId: "runtime" }

/** The documented body with this id at this place of it. */
export function bodyWith(operation: Operation, { at }: Place, id: string) {
  const { properties, example } = bodyOf(operation)!
  const [field, ...path] = at.split(".") as [string, ...string[]]
  const { [excluded[field] ?? ""]: _, ...others } = example as Record<string, unknown>
  return { ...others, [field]: withId(properties![field]!, path, id) }
}

/** The smallest value with this id in it. */
function withId(schema: Schema, [key, ...path]: string[], id: string): unknown {
  if (key === undefined) return id
  const { items, properties, required = [] } = resolved(schema)
  if (items) return [withId(items, path, id)]
  const others = required.filter((name) => name !== key).map((name) => [name, (words[name] ?? anyName)[0]])
  return { ...Object.fromEntries(others), [key]: withId(properties![key]!, path, id) }
}
