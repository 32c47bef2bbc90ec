/** Reading items: GetItem, BatchGetItem, and the pages of Query and Scan. */
import { AwsError } from "../service.ts"
import { type Call, type Common, type Input, invalid, refuseLegacy } from "./call.ts"
import { type perRead, readUnits } from "./capacity.ts"
import { checkKey, checkPaths, keyText, type Parsed, parse } from "./dynalite.ts"
import { meets, type Path, project } from "./expression.ts"
import type { Range } from "./store.ts"
import { entryOf, type Index, keyOf, namesOf, pick, projected, type Table } from "./table.ts"
import { type Item, sizeOf } from "./value.ts"

type Kind = keyof typeof perRead

const kindOf = ({ ConsistentRead }: { ConsistentRead?: boolean }): Kind => (ConsistentRead ? "consistent" : "eventual")

interface Get extends Common, Parsed {
  Key: Item
  ConsistentRead?: boolean
}

/** Reads one item and charges for it; undefined if it is not there. */
function read({ store, bill }: Call, request: Get, kind: Kind) {
  const table = store.table(request.TableName)
  checkKey(request.Key, table)
  checkPaths(request._projection?.nestedPaths, table)
  const item = store.item(table, keyText(request.Key, table))
  const bytes = item ? sizeOf(item) : 0
  bill.read(table, readUnits(bytes, kind))
  return { item: item && project(item, request._projection?.paths), bytes }
}

export function getItem(call: Call, input: Input) {
  refuseLegacy(input)
  const request = parse<Get>("GetItem", input)
  const { item } = read(call, request, kindOf(request))
  return { Item: item, ConsumedCapacity: call.bill.consumed(request.ReturnConsumedCapacity)?.[0] }
}

/**
 * One of the reads of a transaction: where it reads, and how; or what speaks against it in view of its table, which is one of the
 * reasons for a cancellation.
 */
export function getInTransaction(call: Call, input: Input) {
  refuseLegacy(input)
  const request = parse<Get>("GetItem", input)
  const table = call.store.table(request.TableName)
  try {
    checkKey(request.Key, table)
  } catch (error) {
    if (error instanceof AwsError) return error
    throw error
  }
  return { place: `${table.TableName} ${keyText(request.Key, table)}`, read: () => read(call, request, "transaction") }
}

interface Batch {
  RequestItems: Record<string, Parsed & { Keys: Item[]; ConsistentRead?: boolean }>
  ReturnConsumedCapacity?: Common["ReturnConsumedCapacity"]
}

const largestBatchBytes = 16 * 1024 * 1024

/** Up to 100 items. What would pass 16 MB comes back among the keys that were not processed. */
export function batchGetItem(call: Call, input: Input) {
  const tables = (input.RequestItems ?? {}) as Record<string, Input>
  Object.values(tables).forEach(refuseLegacy)
  const { RequestItems, ReturnConsumedCapacity } = parse<Batch>("BatchGetItem", structuredClone(input))
  const responses: Record<string, Item[]> = {}
  const unprocessed: Record<string, Input & { Keys: Item[] }> = {}
  let total = 0
  for (const [TableName, { Keys, ...options }] of Object.entries(RequestItems)) {
    const found: Item[] = []
    const left: Item[] = []
    for (const Key of Keys) {
      if (total >= largestBatchBytes) {
        left.push(Key)
        continue
      }
      const { item, bytes } = read(call, { TableName, Key, ...options }, kindOf(options))
      total += bytes
      if (item) found.push(item)
    }
    responses[TableName] = found
    if (left.length) unprocessed[TableName] = { ...tables[TableName], Keys: left }
  }
  const ConsumedCapacity = call.bill.consumed(ReturnConsumedCapacity)
  return { Responses: responses, UnprocessedKeys: unprocessed, ConsumedCapacity }
}

export interface PageRequest extends Common, Parsed {
  IndexName?: string
  Select?: "ALL_ATTRIBUTES" | "ALL_PROJECTED_ATTRIBUTES" | "SPECIFIC_ATTRIBUTES" | "COUNT"
  Limit?: number
  ConsistentRead?: boolean
  ExclusiveStartKey?: Item
}

/** The index that a query or scan names. ValidationException if there is none or it cannot answer the request. */
export function indexOf(table: Table, request: PageRequest): Index | undefined {
  const { IndexName } = request
  if (IndexName === undefined) return undefined
  const global = table.GlobalSecondaryIndexes?.find((index) => index.IndexName === IndexName)
  const index = global ?? table.LocalSecondaryIndexes?.find((local) => local.IndexName === IndexName)
  if (!index) throw invalid(`The table does not have the specified index: ${IndexName}`)
  if (global && request.ConsistentRead) throw invalid("Consistent reads are not supported on global secondary indexes")
  if (global) checkHeld(table, global, request)
  return index
}

/** A global index answers with what it holds, and never fetches the rest. */
function checkHeld(table: Table, index: Index, request: PageRequest) {
  const { IndexName } = index
  const names = lacking(table, index, request)
  if (!names.length) return
  throw invalid(
    request.Select === "ALL_ATTRIBUTES"
      ? `One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index ${IndexName} because its projection type is not ALL`
      : `One or more parameter values were invalid: Global secondary index ${IndexName} does not project ${names}`,
  )
}

/** What the request asks of an index that the index does not hold. */
function lacking(table: Table, index: Index, { Select, _projection }: PageRequest): string[] {
  const names = projected(table, index)
  if (!names) return []
  if (Select === "ALL_ATTRIBUTES") return ["all attributes"]
  return heads(_projection?.paths ?? []).filter((name) => !names.has(name))
}

const heads = (paths: Path[]) => paths.map(([head]) => String(head))

const keyNames = (table: Table, index: Index | undefined) => [
  ...new Set([...namesOf(table.KeySchema), ...namesOf(index?.KeySchema ?? [])]),
]

/** A page ends with the item that takes it to this size. */
const pageBytes = 1024 * 1024

/** Reads a range up to the limit or 1 MB. Units are those of all that was read, whatever the filter keeps. */
export function page({ store, bill }: Call, table: Table, index: Index | undefined, range: Range, request: PageRequest) {
  const { Limit = Number.POSITIVE_INFINITY, Select, _filter, _projection } = request
  const fetches = Boolean(index && lacking(table, index, request).length)
  const found: Item[] = []
  let [scanned, bytes] = [0, 0]
  let last: Item | undefined
  for (const item of index ? store.entries(table, index, range) : store.items(table, range)) {
    const entry = index ? entryOf(item, table, index)! : item
    scanned += 1
    bytes += sizeOf(entry)
    // A local index fetches what it does not hold from the table, item by item.
    if (fetches) bill.read(table, readUnits(sizeOf(item), kindOf(request)))
    const seen = fetches ? item : entry
    if (meets(_filter, seen)) found.push(seen)
    if (scanned < Limit && bytes < pageBytes) continue
    last = entry
    break
  }
  bill.read(table, readUnits(bytes, kindOf(request)), index)
  return {
    Items: Select === "COUNT" ? undefined : found.map((item) => project(item, _projection?.paths)),
    Count: found.length,
    ScannedCount: scanned,
    LastEvaluatedKey: last && pick(last, keyNames(table, index)),
    ConsumedCapacity: bill.consumed(request.ReturnConsumedCapacity)?.[0],
  }
}

/** Refuses combinations of Select and ProjectionExpression that contradict each other. */
export function checkSelect({ Select, _projection, IndexName }: PageRequest) {
  if (Select === "SPECIFIC_ATTRIBUTES" && !_projection)
    throw invalid("Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
  if (Select && Select !== "SPECIFIC_ATTRIBUTES" && _projection)
    throw invalid(
      `Cannot specify the ProjectionExpression when choosing to get ${Select === "COUNT" ? "only the Count" : Select}`,
    )
  if (Select === "ALL_PROJECTED_ATTRIBUTES" && !IndexName)
    throw invalid("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
}

/** A start key has the keys of the table and of the index, and is a key that could lie there. */
export function checkStartKey(start: Item | undefined, table: Table, index: Index | undefined) {
  if (!start) return
  const names = keyNames(table, index)
  if (Object.keys(start).length !== names.length || names.some((name) => !start[name]))
    throw invalid("The provided starting key is invalid")
  checkKey(keyOf(start, table), table)
}
