/** Carries out a parsed update expression. */
import { AwsError } from "../service.ts"
import { Big, type Decimal } from "./dynalite.ts"
import { isCall, isPath, lookUp, type Operand, type Path, type UpdateSection } from "./expression.ts"
import { type Item, typeOf, type Value, type ValueType } from "./value.ts"

const invalid = (message: string) => new AwsError("ValidationException", message)
const wrongType = () => invalid("An operand in the update expression has an incorrect data type")

/**
 * The item after the update. Every action sees the item as it was before, which stays untouched.
 * ValidationException if an operand is missing or of another type, or a path leads nowhere.
 */
export function applyUpdate(before: Item, sections: UpdateSection[]): Item {
  const after = structuredClone(before)
  const lists = new Set<Value>()
  for (const section of sections) write(after, section.path, outcome(section, before), lists)
  for (const list of lists) list.L = Object.values(list.L!)
  return after
}

/** The new value at the section's path; undefined takes it away. */
function outcome({ type, path, val }: UpdateSection, before: Item): Value | undefined {
  if (type === "remove") return undefined
  if (type === "set") return structuredClone(resolve(val!, before))
  const existing = lookUp(path, before)
  const operand = val as Value
  if (existing && typeOf(existing) !== typeOf(operand)) throw wrongType()
  return type === "add" ? add(existing, operand) : without(existing, operand)
}

function add(existing: Value | undefined, operand: Value): Value {
  if (operand.N !== undefined) return number(new Big(existing?.N ?? "0").plus(operand.N))
  const type = setType(operand)
  return { [type]: [...new Set([...(existing?.[type] ?? []), ...operand[type]!])] }
}

function without(existing: Value | undefined, operand: Value): Value | undefined {
  if (!existing) return undefined
  const type = setType(operand)
  const left = existing[type]!.filter((element) => !operand[type]!.includes(element))
  return left.length ? { [type]: left } : undefined
}

function setType(value: Value): "SS" | "NS" | "BS" {
  const type: ValueType = typeOf(value)
  if (type === "SS" || type === "NS" || type === "BS") return type
  throw wrongType()
}

function resolve(operand: Operand, item: Item): Value {
  if (isPath(operand)) {
    const value = lookUp(operand, item)
    if (!value) throw invalid("The provided expression refers to an attribute that does not exist in the item")
    return value
  }
  if (!isCall(operand)) return operand
  const [first, second] = operand.args as [Operand, Operand]
  if (operand.name === "if_not_exists") return lookUp(first as Path, item) ?? resolve(second, item)
  return combine(operand.name ?? operand.type, resolve(first, item), resolve(second, item))
}

function combine(operator: string, left: Value, right: Value): Value {
  if (operator === "list_append") {
    if (!left.L || !right.L) throw wrongType()
    return { L: [...left.L, ...right.L] }
  }
  if (left.N === undefined || right.N === undefined) throw wrongType()
  return number(operator === "add" ? new Big(left.N).plus(right.N) : new Big(left.N).minus(right.N))
}

/** Numbers have at most 38 digits and a magnitude from 1E-130 to 9.9E+125. */
function number(value: Decimal): Value {
  if (value.e > 125) throw invalid("Number overflow. Attempting to store a number with magnitude larger than supported range")
  if (value.e < -130) throw invalid("Number underflow. Attempting to store a number with magnitude smaller than supported range")
  if (value.c.length > 38) throw invalid("Attempting to store more than 38 significant digits in a Number")
  return { N: value.toFixed() }
}

/** Puts or takes away what lies at `path`. Lists that were touched are closed up at the end, so that indexes mean what they meant before. */
function write(item: Item, path: Path, value: Value | undefined, lists: Set<Value>) {
  const parent = lookUp(path.slice(0, -1), item)
  const last = path.at(-1)!
  if (typeof last === "string" && parent?.M) {
    if (value) parent.M[last] = value
    else delete parent.M[last]
  } else if (typeof last === "number" && parent?.L) {
    lists.add(parent)
    if (value) parent.L[last] = value
    else delete parent.L[last]
  } else throw invalid("The document path provided in the update expression is invalid for update")
}
