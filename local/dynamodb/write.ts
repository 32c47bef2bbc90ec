/** Writing single items: PutItem, UpdateItem, DeleteItem, BatchWriteItem, and the writes that a transaction is made of. */
import { AwsError } from "../service.ts"
import { type Call, type Common, type Input, invalid, refuseLegacy } from "./call.ts"
import { tableUnits } from "./capacity.ts"
import { checkItem, checkKey, checkPaths, checkUpdates, keyText, type Parsed, parse } from "./dynalite.ts"
import { meets, project } from "./expression.ts"
import type { Store } from "./store.ts"
import { record } from "./stream.ts"
import { entryOf, entryText, indexesOf, namesOf, type Table } from "./table.ts"
import { applyUpdate } from "./update.ts"
import { equal, type Item, sizeOf } from "./value.ts"

const largestItemBytes = 409_600

/** A write that is well formed, and what it would do to the item that lies at its key. */
export interface Write {
  table: Table
  key: string
  condition: Parsed["_condition"]
  /** The item that a put brings: a refused put is charged by its size too. */
  item?: Item
  /** Whether a failed condition answers with the item. */
  showItem: boolean
  /** The item afterwards; undefined if there is none. ValidationException if the write cannot be done to this item. */
  next(before: Item | undefined): Item | undefined
}

interface Request extends Common, Parsed {
  Item: Item
  Key: Item
  ReturnValues?: "NONE" | "ALL_OLD" | "UPDATED_OLD" | "ALL_NEW" | "UPDATED_NEW"
}

const checked = (operation: string, input: Input) => {
  refuseLegacy(input)
  return parse<Request>(operation, input)
}

const common = (table: Table, key: Item, { _condition }: Request, input: Input) => ({
  table,
  key: keyText(key, table),
  condition: _condition,
  showItem: input.ReturnValuesOnConditionCheckFailure === "ALL_OLD",
})

/** The keys of an index can be left out, but not be empty. */
function checkIndexKeys(item: Item, table: Table) {
  for (const { IndexName, KeySchema } of indexesOf(table)) {
    const empty = namesOf(KeySchema).find((name) => item[name]?.S === "" || item[name]?.B === "")
    if (empty !== undefined)
      throw invalid(
        `One or more parameter values are not valid. A secondary index key cannot be empty. IndexName: ${IndexName}, IndexKey: ${empty}`,
      )
  }
}

const puts = (store: Store, input: Input, request = checked("PutItem", input)): Write => {
  const table = store.table(request.TableName)
  checkItem(request.Item, table)
  checkIndexKeys(request.Item, table)
  if (sizeOf(request.Item) > largestItemBytes) throw invalid("Item size has exceeded the maximum allowed size")
  return { ...common(table, request.Item, request, input), item: request.Item, next: () => request.Item }
}

const deletes = (store: Store, input: Input, request = checked("DeleteItem", input)): Write => {
  const table = store.table(request.TableName)
  checkKey(request.Key, table)
  return { ...common(table, request.Key, request, input), next: () => undefined }
}

const updates = (store: Store, input: Input, request = checked("UpdateItem", input)): Write => {
  const table = store.table(request.TableName)
  checkKey(request.Key, table)
  if (request._updates) {
    checkUpdates(request._updates, table)
    checkPaths(request._updates.nestedPaths, table)
  }
  const next = (before: Item = request.Key) => {
    const after = applyUpdate(before, request._updates?.sections ?? [])
    checkItem(after, table)
    checkIndexKeys(after, table)
    if (sizeOf(after) > largestItemBytes) throw invalid("Item size to update has exceeded the maximum allowed size")
    return after
  }
  return { ...common(table, request.Key, request, input), next }
}

/** A write that leaves the item as it is, for its condition. */
const checks = (store: Store, input: Input): Write => {
  if (input.ConditionExpression === undefined) throw invalid("A ConditionCheck needs a ConditionExpression")
  return { ...deletes(store, input), next: (before) => before }
}

/** By the name that they have in a transaction. ValidationException or ResourceNotFoundException if not well formed. */
export const writes = { Put: puts, Update: updates, Delete: deletes, ConditionCheck: checks }

/** The condition that a write does not meet, as DynamoDB words it. */
export const conditionFailed = (write: Write, before: Item | undefined) =>
  new AwsError("ConditionalCheckFailedException", "The conditional request failed", 400, {
    ...(write.showItem && before && { Item: before }),
  })

/** Writes the item and its index entries, and the stream record of the change. */
export function save(store: Store, table: Table, key: string, before: Item | undefined, after: Item | undefined, ttl = false) {
  if (before && after && equal({ M: before }, { M: after })) return
  for (const index of indexesOf(table)) {
    const [old, fresh] = [before, after].map((item) => entryOf(item, table, index))
    const [from, to] = [old, fresh].map((entry) => entry && entryText(entry, table, index))
    if (from === to) continue
    if (from !== undefined) store.leave(index, from)
    if (to !== undefined) store.enter(index, to, key)
  }
  if (after) store.put(table, key, after)
  else store.erase(table, key)
  record(store, table, before, after, ttl)
}

/** Carries out one write by itself. A write that fails its condition is charged too. */
function carryOut({ store, bill }: Call, write: Write) {
  return store.atomically(() => {
    const before = store.item(write.table, write.key)
    if (!meets(write.condition, before)) {
      bill.write(write.table, tableUnits(before, write.item))
      throw conditionFailed(write, before)
    }
    const after = write.next(before)
    bill.change(write.table, before, after)
    save(store, write.table, write.key, before, after)
    return { before, after }
  })
}

export const putItem = (call: Call, input: Input) => {
  const request = checked("PutItem", input)
  const { before } = carryOut(call, puts(call.store, input, request))
  return answer(call, request, request.ReturnValues === "ALL_OLD" ? before : undefined)
}

export const deleteItem = (call: Call, input: Input) => {
  const request = checked("DeleteItem", input)
  if (request.ReturnValues && !["NONE", "ALL_OLD"].includes(request.ReturnValues))
    throw invalid("ReturnValues can only be ALL_OLD or NONE")
  const { before } = carryOut(call, deletes(call.store, input, request))
  return answer(call, request, request.ReturnValues === "ALL_OLD" ? before : undefined)
}

export const updateItem = (call: Call, input: Input) => {
  const request = checked("UpdateItem", input)
  const { before, after } = carryOut(call, updates(call.store, input, request))
  return answer(call, request, returned(request, before, after!))
}

function returned({ ReturnValues, _updates }: Request, before: Item | undefined, after: Item) {
  if (ReturnValues === "ALL_NEW") return after
  if (ReturnValues === "ALL_OLD") return before
  if (ReturnValues === "UPDATED_NEW") return filled(project(after, _updates?.paths ?? []))
  if (ReturnValues === "UPDATED_OLD") return before && filled(project(before, _updates?.paths ?? []))
  return undefined
}

const filled = (item: Item) => (Object.keys(item).length ? item : undefined)

const answer = ({ bill }: Call, { ReturnConsumedCapacity }: Common, attributes: Item | undefined) => ({
  Attributes: attributes,
  ConsumedCapacity: bill.consumed(ReturnConsumedCapacity)?.[0],
})

interface Batch {
  RequestItems: Record<string, { PutRequest?: { Item: Item }; DeleteRequest?: { Key: Item } }[]>
  ReturnConsumedCapacity?: Common["ReturnConsumedCapacity"]
}

/** Up to 25 puts and deletions, no item twice. */
export function batchWriteItem(call: Call, input: Input) {
  const { RequestItems, ReturnConsumedCapacity } = parse<Batch>("BatchWriteItem", input)
  const batch = Object.entries(RequestItems).flatMap(([TableName, requests]) =>
    requests.map(({ PutRequest, DeleteRequest }) =>
      PutRequest ? puts(call.store, { TableName, ...PutRequest }) : deletes(call.store, { TableName, ...DeleteRequest }),
    ),
  )
  if (batch.length > 25) throw invalid("Too many items requested for the BatchWriteItem call")
  const keys = new Set(batch.map(({ table, key }) => `${table.TableName} ${key}`))
  if (keys.size < batch.length) throw invalid("Provided list of item keys contains duplicates")
  for (const write of batch) carryOut(call, write)
  return { UnprocessedItems: {}, ConsumedCapacity: call.bill.consumed(ReturnConsumedCapacity) }
}
