/** Attribute values as DynamoDB's JSON writes them, and what DynamoDB knows about them: size, equality, order. */
import { Big } from "./dynalite.ts"

/** Exactly one of the fields is set. Numbers are decimal text, binary is base64. */
export interface Value {
  S?: string
  N?: string
  B?: string
  BOOL?: boolean
  NULL?: boolean
  SS?: string[]
  NS?: string[]
  BS?: string[]
  L?: Value[]
  M?: Item
}

export type Item = Record<string, Value>
export type ValueType = keyof Value

export const typeOf = (value: Value) => Object.keys(value)[0] as ValueType

/** The attribute of this name; names that every JavaScript object has are no attributes. */
export const attribute = (item: Item, name: string): Value | undefined => (Object.hasOwn(item, name) ? item[name] : undefined)

/** Size of an item in bytes by DynamoDB's rules: the UTF-8 of every name and the size of every value. */
export const sizeOf = (item: Item): number =>
  Object.entries(item).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + sizeOfValue(value), 0)

const containerBytes = 3
const elementBytes = 1

function sizeOfValue(value: Value): number {
  if (value.S !== undefined) return Buffer.byteLength(value.S)
  if (value.N !== undefined) return sizeOfNumber(value.N)
  if (value.B !== undefined) return Buffer.byteLength(value.B, "base64")
  if (value.SS) return sum(value.SS, (text) => Buffer.byteLength(text))
  if (value.NS) return sum(value.NS, sizeOfNumber)
  if (value.BS) return sum(value.BS, (binary) => Buffer.byteLength(binary, "base64"))
  if (value.L) return containerBytes + sum(value.L, (element) => elementBytes + sizeOfValue(element))
  if (value.M) return containerBytes + Object.keys(value.M).length * elementBytes + sizeOf(value.M)
  return 1
}

const sum = <Element>(elements: Element[], size: (element: Element) => number) =>
  elements.reduce((total, element) => total + size(element), 0)

/** One byte, one for every two decimal digits as they lie in base 100, one for a minus sign. Zero is one byte. */
function sizeOfNumber(text: string) {
  const { c: digits, e: exponent, s: sign } = new Big(text)
  if (digits.length === 1 && digits[0] === 0) return 1
  const straddles = digits.length % 2 === 0 && exponent % 2 === 0
  return 1 + Math.ceil(digits.length / 2) + (straddles ? 1 : 0) + (sign === -1 ? 1 : 0)
}

/** Whether two values are the same. Sets have no order. */
export function equal(left: Value | undefined, right: Value | undefined): boolean {
  if (!left || !right) return left === right
  const type = typeOf(left)
  if (type !== typeOf(right)) return false
  if (type === "M") return equalItems(left.M!, right.M!)
  if (type === "L") return left.L!.length === right.L!.length && left.L!.every((value, index) => equal(value, right.L![index]))
  if (type === "SS" || type === "NS" || type === "BS") return equalSets(left[type]!, right[type]!)
  return left[type] === right[type]
}

const equalItems = (left: Item, right: Item) =>
  Object.keys(left).length === Object.keys(right).length &&
  Object.entries(left).every(([name, value]) => equal(value, attribute(right, name)))

const equalSets = (left: string[], right: string[]) =>
  left.length === right.length && left.every((element) => right.includes(element))

/** Negative, zero or positive as `left` comes before, with or after `right`; undefined if the two have no order. */
export function order(left: Value | undefined, right: Value | undefined): number | undefined {
  if (!left || !right) return undefined
  if (left.N !== undefined && right.N !== undefined) return new Big(left.N).cmp(right.N)
  if (left.S !== undefined && right.S !== undefined) return Buffer.compare(Buffer.from(left.S), Buffer.from(right.S))
  if (left.B !== undefined && right.B !== undefined)
    return Buffer.compare(Buffer.from(left.B, "base64"), Buffer.from(right.B, "base64"))
  return undefined
}
