import { BlockList, isIP } from "node:net"

/** The match expressions that may stand in the leaf of an event pattern, each with its rule of form and its rule of matching. */

type Scalar = string | number | boolean | null

interface Operator {
  /** What is wrong with the argument, in words, or nothing. */
  check(argument: unknown): string | undefined
  match(value: Scalar, argument: never): boolean
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
const isText = (value: unknown): value is string => typeof value === "string"
const isNumber = (value: unknown): value is number => typeof value === "number"
const isCaseless = (value: unknown): value is Caseless => isObject(value) && isText(value["equals-ignore-case"]) && single(value)
const single = (value: object) => Object.keys(value).length === 1
const listOf = <Item>(value: Item | Item[]): Item[] => (Array.isArray(value) ? value : [value])

interface Caseless {
  "equals-ignore-case": string
}

/** `prefix` and `suffix` differ only in the end that they look at. */
const affix = (name: string, found: (text: string, part: string) => boolean): Operator => ({
  check: (argument) => (isText(argument) || isCaseless(argument) ? undefined : `${name} takes a string`),
  match: (value, argument: string | Caseless) => {
    if (!isText(value)) return false
    if (isText(argument)) return found(value, argument)
    return found(value.toLowerCase(), argument["equals-ignore-case"].toLowerCase())
  },
})

/** The literal pieces between the unescaped stars, or nothing when an escape is not one. */
const pieces = (wildcard: string): string[] | undefined => {
  const done: string[] = []
  let piece = ""
  for (let i = 0; i < wildcard.length; i++) {
    const sign = wildcard.charAt(i)
    if (sign === "*") {
      done.push(piece)
      piece = ""
    } else if (sign === "\\") {
      i++
      if (!["*", "\\"].includes(wildcard.charAt(i))) return undefined
      piece += wildcard.charAt(i)
    } else piece += sign
  }
  return [...done, piece]
}

/** Looks for the pieces one after another, without going back: linear where a regular expression could take for ever. */
const matchesWildcard = (text: string, wildcard: string): boolean => {
  const [first = "", ...rest] = pieces(wildcard) ?? []
  const last = rest.pop()
  if (last === undefined) return text === first
  if (!text.startsWith(first) || !text.endsWith(last)) return false
  let from = first.length
  for (const piece of rest) {
    const at = text.indexOf(piece, from)
    if (at < 0) return false
    from = at + piece.length
  }
  return from <= text.length - last.length
}

const comparisons: Record<string, (value: number, bound: number) => boolean> = {
  "=": (value, bound) => value === bound,
  "<": (value, bound) => value < bound,
  "<=": (value, bound) => value <= bound,
  ">": (value, bound) => value > bound,
  ">=": (value, bound) => value >= bound,
}
const largest = 5_000_000_000

const checkNumeric = (argument: unknown): string | undefined => {
  const form = 'numeric takes a comparison and a number, such as [">", 0], or a range, such as [">", 0, "<=", 5]'
  if (!Array.isArray(argument) || (argument.length !== 2 && argument.length !== 4)) return form
  const [first, low, second, high] = argument
  const known = (sign: unknown) => isText(sign) && sign in comparisons
  const bounded = (bound: unknown) => isNumber(bound) && Math.abs(bound) <= largest
  if (!known(first)) return `numeric does not know the comparison ${JSON.stringify(first)}`
  if (!bounded(low)) return `numeric takes numbers between -${largest} and ${largest}`
  if (argument.length === 2) return undefined
  if (!String(first).startsWith(">") || !known(second) || !String(second).startsWith("<")) return form
  if (!bounded(high)) return `numeric takes numbers between -${largest} and ${largest}`
  return low < high ? undefined : "the bottom of a numeric range must be less than its top"
}

const matchesNumeric = (value: Scalar, argument: (string | number)[]): boolean => {
  if (!isNumber(value)) return false
  for (let i = 0; i < argument.length; i += 2) {
    if (!comparisons[String(argument[i])]?.(value, Number(argument[i + 1]))) return false
  }
  return true
}

const family = (address: string) => (isIP(address) === 6 ? "ipv6" : "ipv4")
const subnets = new Map<string, BlockList>()

const subnet = (cidr: string): BlockList => {
  const known = subnets.get(cidr)
  if (known) return known
  const [address = "", bits] = cidr.split("/")
  const list = new BlockList()
  list.addSubnet(address, Number(bits), family(address))
  subnets.set(cidr, list)
  return list
}

const checkCidr = (argument: unknown): string | undefined => {
  const [, address = "", bits] = /^([^/]+)\/(\d{1,3})$/.exec(isText(argument) ? argument : "") ?? []
  const version = isIP(address)
  return version !== 0 && Number(bits) <= (version === 4 ? 32 : 128) ? undefined : "cidr takes a block such as 10.0.0.0/24"
}

const matchesCidr = (value: Scalar, cidr: string): boolean => {
  if (!isText(value) || isIP(value) === 0 || family(value) !== family(cidr.split("/")[0] ?? "")) return false
  return subnet(cidr).check(value, family(value))
}

/** What may stand inside `anything-but` instead of plain values. Each takes one argument or a list of them. */
const excluding = ["prefix", "suffix", "equals-ignore-case", "wildcard"]

const checkAnythingBut = (argument: unknown): string | undefined => {
  if (isText(argument) || isNumber(argument)) return undefined
  if (Array.isArray(argument)) {
    return argument.length > 0 && (argument.every(isText) || argument.every(isNumber))
      ? undefined
      : "anything-but takes a list of strings or a list of numbers, which may not be empty"
  }
  const [name, inner] = isObject(argument) && single(argument) ? Object.entries(argument)[0]! : ["", undefined]
  if (!excluding.includes(name)) return `anything-but takes values or one of ${excluding.join(", ")}`
  const list = listOf(inner)
  if (list.length === 0) return `${name} inside anything-but may not be empty`
  if (list.includes("")) return `${name} inside anything-but may not be an empty string`
  return list.map((item) => operators[name]?.check(item)).find(Boolean)
}

const matchesAnythingBut = (value: Scalar, argument: unknown): boolean => {
  if (!isObject(argument)) return !listOf(argument).includes(value)
  return !Object.entries(argument).some(([name, inner]) => listOf(inner).some((item) => matchesOperator(value, name, item)))
}

const operators: Record<string, Operator> = {
  prefix: affix("prefix", (text, part) => text.startsWith(part)),
  suffix: affix("suffix", (text, part) => text.endsWith(part)),
  "equals-ignore-case": {
    check: (argument) => (isText(argument) ? undefined : "equals-ignore-case takes a string"),
    match: (value, argument: string) => isText(value) && value.toLowerCase() === argument.toLowerCase(),
  },
  wildcard: {
    check: (argument) => {
      const parts = isText(argument) ? pieces(argument) : undefined
      if (!parts) return "wildcard takes a string in which a backslash stands before * or \\ only"
      return parts.slice(1, -1).includes("") ? "wildcard may not hold two stars in a row" : undefined
    },
    match: (value, argument: string) => isText(value) && matchesWildcard(value, argument),
  },
  numeric: { check: checkNumeric, match: matchesNumeric },
  cidr: { check: checkCidr, match: matchesCidr },
  "anything-but": { check: checkAnythingBut, match: matchesAnythingBut },
}

const matchesOperator = (value: Scalar, name: string, argument: unknown): boolean =>
  operators[name]?.match(value, argument as never) ?? false

/** What is wrong with one element of a leaf, or nothing. */
export const checkElement = (element: unknown): string | undefined => {
  if (Array.isArray(element)) return "a leaf may not hold a list inside its list"
  if (!isObject(element)) return undefined
  const [name = "", ...others] = Object.keys(element)
  if (others.length > 0 || name === "") return "a match expression has exactly one operator"
  if (name === "exists") return typeof element.exists === "boolean" ? undefined : "exists takes true or false"
  if (!Object.hasOwn(operators, name)) return `there is no match operator ${JSON.stringify(name)}`
  return operators[name]?.check(element[name])
}

/** Whether the values found at a leaf (none when it is absent) satisfy one element of the pattern's list. */
export const matchesElement = (values: Scalar[], element: unknown): boolean => {
  if (!isObject(element)) return values.some((value) => value === element)
  const [name = ""] = Object.keys(element)
  if (name === "exists") return element.exists === values.length > 0
  return values.some((value) => matchesOperator(value, name, element[name]))
}
