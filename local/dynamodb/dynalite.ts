/**
 * What we take from dynalite 4.0.0, pinned exactly since these are its insides: the validations of every operation with their
 * words, the expression parsers, and the encoding of keys as text that sorts as DynamoDB sorts. Nothing else here knows dynalite.
 */
import { createRequire } from "node:module"
import { AwsError } from "../service.ts"
import type { Condition, Path, UpdateSection } from "./expression.ts"
import { checkCandidates, checkExpressionSizes, checkKeySizes } from "./limits.ts"
import type { KeyElement, Schema } from "./table.ts"
import type { Item, Value } from "./value.ts"

/** What dynalite throws, or gives back, for a request that DynamoDB would refuse. */
interface Refusal {
  body: { __type: string; message?: string; Message?: string }
}

interface Database {
  validateKey(key: Item, schema: Schema): Refusal | undefined
  validateKeyPiece(key: Item, name: string, type: string, isHash: boolean): Refusal | undefined
  validateItem(item: Item, schema: Schema): Refusal | undefined
  validateUpdates(legacy: undefined, updates: Updates, schema: Schema): Refusal | undefined
  validateKeyPaths(nested: Record<string, boolean> | undefined, schema: Schema): Refusal | undefined
  createKey(item: Item, schema: Schema, keys?: KeyElement[]): string
  hashPrefix(value: string, type: string): string
  toRangeStr(value: Value): string
}

interface Validations {
  checkTypes(input: object, types: object): object
  checkValidations(input: object, types: object, custom: unknown, store: object): void
}

/** A number of big.js. */
export interface Decimal {
  /** Decimal digits, exponent of the first one, and sign. */
  c: number[]
  e: number
  s: number
  cmp(other: string): number
  plus(other: string): Decimal
  minus(other: string): Decimal
  toFixed(): string
}

const load = createRequire(import.meta.url)
const database: Database = load("dynalite/db")
const validations: Validations = load("dynalite/validations")

/** Decimal numbers of any precision. */
export const Big: new (text: string) => Decimal = createRequire(load.resolve("dynalite/db"))("big.js")

const rules = Object.fromEntries(
  ["BatchGetItem", "BatchWriteItem", "CreateTable", "DeleteItem", "DeleteTable", "DescribeTable", "GetItem", "ListTables"]
    .concat(["PutItem", "Query", "Scan", "UpdateItem"])
    .map((operation) => [operation, load(`dynalite/validations/${operation[0]!.toLowerCase()}${operation.slice(1)}`)]),
) as Record<string, { types: object; custom?: unknown }>

/** What the parsers make of the expressions of a request. `nestedPaths` holds the names that are looked into. */
export interface Parsed {
  _condition?: Condition
  _filter?: Condition & { pathHeads: Record<string, boolean>; nestedPaths: Record<string, boolean> }
  _projection?: { paths: Path[]; nestedPaths: Record<string, boolean> }
  _updates?: Updates
}

export interface Updates {
  sections: UpdateSection[]
  paths: Path[]
  nestedPaths: Record<string, boolean>
}

/** Item sizes are checked by us: dynalite counts characters where DynamoDB counts bytes. */
const noLimits = { options: { maxItemSize: Number.POSITIVE_INFINITY } }

/** Checks the input of an operation as DynamoDB does before it looks at any data, and parses its expressions. */
export function parse<Request>(operation: string, input: object): Request & Parsed {
  const { types, custom } = rules[operation]!
  checkExpressionSizes(input)
  try {
    const request = validations.checkTypes({ ...input }, types) as Request & Parsed
    validations.checkValidations(request, types, custom, noLimits)
    checkCandidates("ConditionExpression", request._condition)
    checkCandidates("FilterExpression", request._filter)
    return request
  } catch (error) {
    throw isRefusal(error) ? problem(error) : error
  }
}

/** The key has the table's key attributes, all of them, and nothing else. */
export function checkKey(key: Item, schema: Schema) {
  pass(database.validateKey(key, schema))
  checkKeySizes(key, schema)
}

/** One attribute of a key is there, of its type and within its size. */
export const checkKeyPiece = (key: Item, name: string, type: string, isHash: boolean) =>
  pass(database.validateKeyPiece(key, name, type, isHash))

/** The item has a valid key, and attributes that are keys of an index have their type. */
export function checkItem(item: Item, schema: Schema) {
  pass(database.validateItem(item, schema))
  checkKeySizes(item, schema)
}

/** An update touches no key attribute. */
export const checkUpdates = (updates: Updates, schema: Schema) => pass(database.validateUpdates(undefined, updates, schema))

/** An expression does not look into an attribute that is a key, and so has no insides. */
export const checkPaths = (nested: Record<string, boolean> | undefined, schema: Schema) =>
  pass(database.validateKeyPaths(nested, schema))

/** Where an item lies, as text. Items of one partition are next to each other in the order of their sort key. */
export const keyText = (item: Item, schema: Schema, keys?: KeyElement[]) => database.createKey(item, schema, keys)

/** What the keys of all items of one partition begin with. */
export function partitionText(value: Value) {
  const [type, content] = Object.entries(value)[0] as [string, string]
  return `${database.hashPrefix(content, type)}/${database.toRangeStr(value)}/`
}

/** The part of a key that stands for a sort key's value. */
export const sortText = (value: Value) => database.toRangeStr(value)

function pass(refusal: Refusal | undefined) {
  if (refusal) throw problem(refusal)
}

const isRefusal = (error: unknown): error is Refusal => error instanceof Error && "body" in error

const problem = ({ body }: Refusal) => new AwsError(body.__type.split("#").at(-1)!, body.message ?? body.Message ?? "")
