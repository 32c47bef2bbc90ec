import { checkElement, matchesElement } from "./operators.ts"

/**
 * Event patterns as EventBridge rules and Lambda's event filters write them: an object that mirrors the event, with a list of
 * accepted values or match expressions in every leaf.
 */
export type Pattern = Record<string, unknown>

type Scalar = string | number | boolean | null

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** What stands at a leaf, with lists taken apart. Objects are no leaves, so for a leaf they are as good as absent. */
const scalars = (value: unknown): Scalar[] => {
  if (value === undefined || isObject(value)) return []
  return Array.isArray(value) ? value.flatMap(scalars) : [value as Scalar]
}

/** The objects that a nested pattern is held against: one of a list has to satisfy it by itself. */
const objects = (value: unknown): Record<string, unknown>[] => {
  if (!Array.isArray(value)) return [isObject(value) ? value : {}]
  const found = value.flat(Number.POSITIVE_INFINITY).filter(isObject)
  return found.length > 0 ? found : [{}]
}

const isAlternatives = (key: string, value: unknown): value is Pattern[] => key === "$or" && Array.isArray(value)

/** Whether `event` satisfies `pattern`, which has passed `validate`. */
export const matches = (pattern: Pattern, event: Record<string, unknown>): boolean =>
  Object.entries(pattern).every(([key, expected]) => {
    if (isAlternatives(key, expected)) return expected.some((alternative) => matches(alternative, event))
    const found = Object.hasOwn(event, key) ? event[key] : undefined
    if (isObject(expected)) return objects(found).some((object) => matches(expected, object))
    const values = scalars(found)
    return Array.isArray(expected) && expected.some((element) => matchesElement(values, element))
  })

const fault = (path: string, reason: string) => new Error(`Event pattern is not valid. Reason: ${reason}${path && ` at ${path}`}`)

const validateAlternatives = (value: unknown, path: string) => {
  if (!Array.isArray(value) || value.length < 2 || !value.every(isObject))
    throw fault(path, "$or takes a list of two or more patterns")
  for (const [index, alternative] of value.entries()) validateAt(alternative, `${path}[${index}]`)
}

const validateLeaf = (value: unknown, path: string) => {
  if (!Array.isArray(value)) throw fault(path, "a value must be an object or a list")
  if (value.length === 0) throw fault(path, "a list may not be empty")
  const reason = value.map(checkElement).find(Boolean)
  if (reason) throw fault(path, reason)
}

const validateAt = (pattern: unknown, path: string) => {
  if (!isObject(pattern)) throw fault(path, "a pattern is an object")
  if (Object.keys(pattern).length === 0) throw fault(path, "an empty object is not allowed")
  for (const [key, value] of Object.entries(pattern)) {
    const below = path === "" ? key : `${path}.${key}`
    if (key === "$or") validateAlternatives(value, below)
    else if (isObject(value)) validateAt(value, below)
    else validateLeaf(value, below)
  }
}

/** Throws an error that says what and where, for a pattern that EventBridge would refuse. */
export function validate(pattern: unknown): asserts pattern is Pattern {
  validateAt(pattern, "")
}
