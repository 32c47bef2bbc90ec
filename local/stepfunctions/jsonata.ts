import { createHash, randomUUID } from "node:crypto"
import jsonata from "jsonata"
import { millis } from "../../core/clock.ts"
import { StateError } from "./failure.ts"

/** JSONata as Step Functions speaks it: `{% … %}` inside of JSON, with six functions of its own and without `$eval`. */

/** Evaluation happens on the event loop, so one that does not end must be stopped. */
const guards = { timeout: 5_000, stack: 500 }

export const isExpression = (text: string) => /^\{%[\s\S]*%\}$/.test(text)

const compiled = new Map<string, jsonata.Expression>()

/** Compiles `{% … %}`, once. Throws an Error that says what is wrong with it. */
export const compile = (text: string): jsonata.Expression => {
  const known = compiled.get(text)
  if (known) return known
  const expression = parse(text)
  if (mentions(expression.ast(), "eval")) throw new Error(`${text} uses $eval, which Step Functions does not allow.`)
  for (const [name, implementation] of Object.entries(functions)) expression.registerFunction(name, implementation)
  compiled.set(text, expression)
  return expression
}

const parse = (text: string) => {
  try {
    return jsonata(text.slice(2, -2).trim(), guards)
  } catch (thrown) {
    throw new Error(`${text} is no JSONata: ${messageOf(thrown)}`)
  }
}

/** JSONata throws plain objects. */
const messageOf = (thrown: unknown) => String((thrown as { message?: unknown } | null)?.message ?? thrown)

const mentions = (node: unknown, variable: string): boolean => {
  if (typeof node !== "object" || node === null) return false
  if ("type" in node && node.type === "variable" && "value" in node && node.value === variable) return true
  return Object.values(node).some((part) => mentions(part, variable))
}

const hashes: Record<string, string> = {
  MD5: "md5",
  "SHA-1": "sha1",
  "SHA-256": "sha256",
  "SHA-384": "sha384",
  "SHA-512": "sha512",
}

const number = (value: unknown, what: string): number => {
  if (typeof value !== "number" || !Number.isFinite(value)) throw new Error(`${what} must be a number.`)
  return value
}

const formatTime = jsonata("$fromMillis(at, picture, timezone)")

/** A number in [0, 1) that only depends on the seed. */
const seeded = (seed: number) => createHash("sha256").update(String(seed)).digest().readUIntBE(0, 6) / 2 ** 48

/** The functions that Step Functions adds to JSONata, and JSONata's own clock set to ours. */
const functions = {
  uuid: () => randomUUID(),
  parse: (text: unknown) => {
    if (typeof text !== "string") throw new Error("$parse takes a string.")
    return JSON.parse(text)
  },
  hash: (text: unknown, algorithm: unknown) => {
    const name = hashes[String(algorithm)]
    if (!name || typeof text !== "string") throw new Error(`$hash takes a string and one of ${Object.keys(hashes).join(", ")}.`)
    return createHash(name).update(text).digest("hex")
  },
  partition: (list: unknown, size: unknown) => {
    const length = number(size, "The size of $partition")
    if (!Number.isInteger(length) || length < 1) throw new Error("$partition takes an array and a size of 1 or more.")
    // JSONata hands over a sequence of one as the one.
    const items: unknown[] = Array.isArray(list) ? list : [list]
    return Array.from({ length: Math.ceil(items.length / length) }, (_, part) => items.slice(part * length, (part + 1) * length))
  },
  range: (from: unknown, to: unknown, step: unknown) => {
    const [first, last, by] = [
      number(from, "The start of $range"),
      number(to, "The end of $range"),
      number(step, "The step of $range"),
    ]
    const length = by === 0 ? Number.NaN : Math.max(0, Math.floor((last - first) / by) + 1)
    if (!(length <= 1_000)) throw new Error("$range takes a step other than 0 and makes at most 1,000 numbers.")
    return Array.from({ length }, (_, index) => first + index * by)
  },
  random: (seed?: unknown) => (seed === undefined ? Math.random() : seeded(number(seed, "The seed of $random"))),
  millis: () => millis(),
  now: (picture?: unknown, timezone?: unknown) => formatTime.evaluate({ at: millis(), picture, timezone }),
}

export type Bindings = Record<string, unknown>

const evaluateOne = async (text: string, bindings: Bindings, location: string): Promise<unknown> => {
  const refuse = (why: string) =>
    new StateError(
      "States.QueryEvaluationError",
      `The JSONata expression '${text.slice(2, -2).trim()}' specified for the field '${location}' ${why}`,
      location,
    )
  let value: unknown
  try {
    value = await compile(text).evaluate(undefined, bindings)
  } catch (thrown) {
    throw refuse(`threw an error during evaluation. ${messageOf(thrown)}`)
  }
  if (value === undefined) throw refuse("returned nothing (undefined).")
  if (typeof value === "function") throw refuse("returned an unsupported result type.")
  // JSONata's arrays carry marks of their own; from here on it is plain JSON.
  return JSON.parse(JSON.stringify(value))
}

/** Evaluates every expression in a JSON template. `location` is its field's name, for errors. Throws `StateError`. */
export const evaluate = async (template: unknown, bindings: Bindings, location: string): Promise<unknown> => {
  if (typeof template === "string") return isExpression(template) ? evaluateOne(template, bindings, location) : template
  if (Array.isArray(template)) {
    return Promise.all(template.map((item, index) => evaluate(item, bindings, `${location}[${index}]`)))
  }
  if (typeof template !== "object" || template === null) return template
  const entries = Object.entries(template).map(
    async ([key, item]) => [key, await evaluate(item, bindings, `${location}/${key}`)] as const,
  )
  return Object.fromEntries(await Promise.all(entries))
}

/** As `evaluate`, for a field whose value must be of one kind. */
export const evaluateAs = async <Value>(
  template: unknown,
  bindings: Bindings,
  location: string,
  expected: { name: string; is: (value: unknown) => value is Value },
): Promise<Value> => {
  const value = await evaluate(template, bindings, location)
  if (expected.is(value)) return value
  const why = `The field '${location}' must be ${expected.name}, but its value is ${JSON.stringify(value).slice(0, 200)}.`
  throw new StateError("States.QueryEvaluationError", why, location)
}
