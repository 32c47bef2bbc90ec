/** Evaluates what dynalite's parsers make of condition, filter and projection expressions. */
import { attribute, equal, type Item, order, typeOf, type Value, type ValueType } from "./value.ts"

/** Names and list indexes from the item inwards. */
export type Path = (string | number)[]

interface FunctionCall {
  type: "function" | "add" | "subtract"
  name?: string
  args: Operand[]
}

export type Operand = Path | Value | FunctionCall

export interface Expression {
  /** `and`, `or`, `not`, `function`, or a comparison: `=`, `<>`, `<`, `<=`, `>`, `>=`, `in`, `between`. */
  type: string
  name?: string
  args: (Expression | Operand)[]
}

export interface Condition {
  expression: Expression
}

export interface UpdateSection {
  type: "set" | "remove" | "add" | "delete"
  path: Path
  val?: Operand
}

export const isPath = (operand: Operand): operand is Path => Array.isArray(operand)
export const isCall = (operand: Operand): operand is FunctionCall => "type" in operand

/** What lies at `path`, if anything does. */
export function lookUp(path: Path, item: Item): Value | undefined {
  let value: Value | undefined = { M: item }
  for (const piece of path) {
    value = typeof piece === "number" ? value.L?.[piece] : value.M && attribute(value.M, piece)
    if (!value) return undefined
  }
  return value
}

/** Whether the item meets the condition. No condition is always met; no item is one without attributes. */
export const meets = (condition: Condition | undefined, item: Item = {}) => !condition || holds(condition.expression, item)

function holds(expression: Expression, item: Item): boolean {
  const both = expression.args as Expression[]
  if (expression.type === "and") return holds(both[0]!, item) && holds(both[1]!, item)
  if (expression.type === "or") return holds(both[0]!, item) || holds(both[1]!, item)
  if (expression.type === "not") return !holds(both[0]!, item)
  const values = (expression.args as Operand[]).map((operand) => evaluate(operand, item))
  return compare(expression.type === "function" ? expression.name! : expression.type, values)
}

function evaluate(operand: Operand, item: Item): Value | undefined {
  if (isPath(operand)) return lookUp(operand, item)
  if (!isCall(operand)) return operand
  const size = lengthOf(evaluate(operand.args[0]!, item))
  return size === undefined ? undefined : { N: String(size) }
}

/** What the function `size` gives: bytes of text and binary, elements of everything that has some. */
function lengthOf(value: Value | undefined): number | undefined {
  if (!value) return undefined
  if (value.S !== undefined) return Buffer.byteLength(value.S)
  if (value.B !== undefined) return Buffer.byteLength(value.B, "base64")
  if (value.M) return Object.keys(value.M).length
  return (value.SS ?? value.NS ?? value.BS ?? value.L)?.length
}

function compare(comparison: string, [left, right, upper, ...more]: (Value | undefined)[]): boolean {
  const ordered = (test: (difference: number) => boolean) => {
    const difference = order(left, right)
    return difference !== undefined && test(difference)
  }
  switch (comparison) {
    case "=":
      return same(left, right)
    case "<>":
      return !same(left, right)
    case "<":
      return ordered((difference) => difference < 0)
    case "<=":
      return ordered((difference) => difference <= 0)
    case ">":
      return ordered((difference) => difference > 0)
    case ">=":
      return ordered((difference) => difference >= 0)
    case "in":
      return [right, upper, ...more].some((candidate) => same(left, candidate))
    case "between":
      return ordered((difference) => difference >= 0) && (order(left, upper) ?? 1) <= 0
    case "attribute_exists":
      return left !== undefined
    case "attribute_not_exists":
      return left === undefined
    case "attribute_type":
      return left !== undefined && typeOf(left) === (right?.S as ValueType)
    case "begins_with":
      return beginsWith(left, right)
    case "contains":
      return contains(left, right)
    default:
      throw new Error(`The parser made a comparison "${comparison}", which nothing here evaluates`)
  }
}

/** An attribute that is not there equals nothing, not even another one that is not there. */
const same = (left: Value | undefined, right: Value | undefined) => left !== undefined && equal(left, right)

function beginsWith(value: Value | undefined, start: Value | undefined) {
  if (value?.S !== undefined && start?.S !== undefined) return value.S.startsWith(start.S)
  if (value?.B === undefined || start?.B === undefined) return false
  const bytes = Buffer.from(start.B, "base64")
  return Buffer.from(value.B, "base64").subarray(0, bytes.length).equals(bytes)
}

function contains(value: Value | undefined, part: Value | undefined) {
  if (!value || !part) return false
  if (value.L) return value.L.some((element) => equal(element, part))
  if (part.S !== undefined) return (value.S ?? value.SS)?.includes(part.S) ?? false
  if (part.N !== undefined) return value.NS?.includes(part.N) ?? false
  if (part.B === undefined) return false
  if (value.B !== undefined) return Buffer.from(value.B, "base64").includes(Buffer.from(part.B, "base64"))
  return value.BS?.includes(part.B) ?? false
}

/** The item with nothing but what lies at `paths`, in the structure it has there. Lists close up in the order of their indexes. */
export function project(item: Item, paths: Path[] | undefined): Item {
  if (!paths) return item
  const picked: Item = {}
  const lists: Value[] = []
  for (const path of paths) {
    const value = lookUp(path, item)
    if (value) place({ M: picked }, path, value, lists)
  }
  for (const list of lists) list.L = Object.values(list.L!)
  return picked
}

function place(into: Value, path: Path, value: Value, lists: Value[]) {
  let container = into
  for (const [depth, piece] of path.entries()) {
    const slots = (container.L ?? container.M) as Record<string | number, Value>
    if (depth === path.length - 1) slots[piece] = value
    else if (!Object.hasOwn(slots, piece)) slots[piece] = emptyFor(path[depth + 1]!, lists)
    container = slots[piece]!
  }
}

function emptyFor(piece: string | number, lists: Value[]): Value {
  if (typeof piece === "string") return { M: {} }
  const list = { L: [] }
  lists.push(list)
  return list
}
