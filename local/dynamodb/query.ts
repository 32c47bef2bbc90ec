/** Query and Scan: which range of a table or index a request means. */
import { type Call, type Input, invalid, refuseLegacy } from "./call.ts"
import { checkKeyPiece, checkPaths, keyText, parse, partitionText, sortText } from "./dynalite.ts"
import { checkSelect, checkStartKey, indexOf, type PageRequest, page } from "./read.ts"
import type { Range } from "./store.ts"
import { entryText, type Index, type KeyElement, type Table, typeOfKey } from "./table.ts"
import { equal, type Item, order, type Value } from "./value.ts"

interface KeyCondition {
  ComparisonOperator: string
  AttributeValueList: Value[]
}

interface QueryRequest extends PageRequest {
  KeyConditions: Record<string, KeyCondition>
  ScanIndexForward?: boolean
}

/** Sorts after every key that begins with the same text, and before any other. */
const end = "~"
/** Sorts before every piece of a key, and after its end. */
const justAfter = "!"

const startText = (start: Item, table: Table, index: Index | undefined) =>
  index ? entryText(start, table, index) : keyText(start, table)

export function query(call: Call, input: Input) {
  refuseLegacy(input)
  const request = parse<QueryRequest>("Query", input)
  const table = call.store.table(request.TableName)
  const index = indexOf(table, request)
  const keys = (index ?? table).KeySchema
  checkSelect(request)
  checkConditions(request.KeyConditions, table, keys)
  checkFilter(request, table, keys)
  checkStartKey(request.ExclusiveStartKey, table, index)
  checkStartWithin(request, keys)
  return page(call, table, index, queryRange(request, table, index, keys), request)
}

function checkConditions(conditions: QueryRequest["KeyConditions"], table: Table, keys: KeyElement[]) {
  const names = keys.map(({ AttributeName }) => AttributeName)
  if (!conditions[names[0]!]) throw invalid(`Query condition missed key schema element: ${names[0]}`)
  for (const name of Object.keys(conditions)) {
    if (names.includes(name)) continue
    throw invalid(names[1] ? `Query condition missed key schema element: ${names[1]}` : "Query key condition not supported")
  }
  for (const [name, { ComparisonOperator, AttributeValueList }] of Object.entries(conditions)) {
    const type = typeOfKey(table, name)
    if (AttributeValueList.some((value) => value[type] === undefined))
      throw invalid("One or more parameter values were invalid: Condition parameter type does not match schema type")
    const isHash = name === names[0]
    if (isHash && ComparisonOperator !== "EQ") throw invalid("Query key condition not supported")
    for (const value of AttributeValueList) checkKeyPiece({ [name]: value }, name, type, isHash)
  }
}

function checkFilter({ _filter, _projection }: QueryRequest, table: Table, keys: KeyElement[]) {
  const key = keys.find(({ AttributeName }) => _filter?.pathHeads[AttributeName])
  if (key)
    throw invalid(`Filter Expression can only contain non-primary key attributes: Primary key attribute: ${key.AttributeName}`)
  checkPaths(_filter?.nestedPaths, table)
  checkPaths(_projection?.nestedPaths, table)
}

/** A cursor belongs to its query: it has the same partition, and meets the condition on the sort key. */
function checkStartWithin({ ExclusiveStartKey: start, KeyConditions }: QueryRequest, [hash, sort]: KeyElement[]) {
  if (!start) return
  if (!equal(start[hash!.AttributeName], KeyConditions[hash!.AttributeName]!.AttributeValueList[0]))
    throw invalid("The provided starting key is outside query boundaries based on provided conditions")
  const condition = sort && KeyConditions[sort.AttributeName]
  if (condition && !within(start[sort.AttributeName]!, condition))
    throw invalid("The provided starting key does not match the range key predicate")
}

function within(value: Value, { ComparisonOperator, AttributeValueList: [bound, upper] }: KeyCondition) {
  const difference = order(value, bound)!
  if (ComparisonOperator === "EQ") return difference === 0
  if (ComparisonOperator === "LT") return difference < 0
  if (ComparisonOperator === "LE") return difference <= 0
  if (ComparisonOperator === "GT") return difference > 0
  if (ComparisonOperator === "GE") return difference >= 0
  if (ComparisonOperator === "BETWEEN") return difference >= 0 && order(value, upper)! <= 0
  return sortText(value).startsWith(sortText(bound!))
}

function queryRange(request: QueryRequest, table: Table, index: Index | undefined, [hash, sort]: KeyElement[]): Range {
  const partition = partitionText(request.KeyConditions[hash!.AttributeName]!.AttributeValueList[0]!)
  const condition = sort && request.KeyConditions[sort.AttributeName]
  const [from, to] = condition ? sortRange(partition, condition) : [partition, partition + end]
  const reverse = request.ScanIndexForward === false
  if (!request.ExclusiveStartKey) return { from, to, reverse }
  const start = startText(request.ExclusiveStartKey, table, index)
  return reverse ? { from, to: start, reverse } : { from: start + justAfter, to, reverse }
}

function sortRange(
  partition: string,
  { ComparisonOperator, AttributeValueList: [bound, upper] }: KeyCondition,
): [string, string] {
  const at = `${partition}${sortText(bound!)}`
  if (ComparisonOperator === "LT") return [partition, `${at}/`]
  if (ComparisonOperator === "LE") return [partition, `${at}/${end}`]
  if (ComparisonOperator === "GT") return [`${at}/${end}`, partition + end]
  if (ComparisonOperator === "GE") return [`${at}/`, partition + end]
  if (ComparisonOperator === "BETWEEN") return [`${at}/`, `${partition}${sortText(upper!)}/${end}`]
  if (ComparisonOperator === "BEGINS_WITH") return [at, at + end]
  return [`${at}/`, `${at}/${end}`]
}

interface ScanRequest extends PageRequest {
  Segment?: number
  TotalSegments?: number
}

/** Keys begin with three or more hexadecimal digits of a hash, by which segments share them. */
const segments = 4096

export function scan(call: Call, input: Input) {
  refuseLegacy(input)
  const request = parse<ScanRequest>("Scan", input)
  if (request.Segment !== undefined && request.TotalSegments === undefined)
    throw invalid("The TotalSegments parameter is required but was not present in the request when Segment parameter is present")
  const table = call.store.table(request.TableName)
  const index = indexOf(table, request)
  checkSelect(request)
  checkStartKey(request.ExclusiveStartKey, table, index)
  checkPaths(request._filter?.nestedPaths, table)
  checkPaths(request._projection?.nestedPaths, table)
  return page(call, table, index, scanRange(request, table, index), request)
}

function scanRange(
  { Segment = 0, TotalSegments = 1, ExclusiveStartKey }: ScanRequest,
  table: Table,
  index: Index | undefined,
): Range {
  const border = (segment: number) => Math.ceil((segments * segment) / TotalSegments)
  const text = (hash: number) => (hash >= segments ? end : hash.toString(16).padStart(3, "0"))
  const range = { from: text(border(Segment)), to: text(border(Segment + 1)), reverse: false }
  if (!ExclusiveStartKey) return range
  const start = startText(ExclusiveStartKey, table, index)
  if (start < range.from || start >= range.to)
    throw invalid("The provided starting key is invalid: Please use ExclusiveStartKey with correct Segment")
  return { ...range, from: start + justAfter }
}
