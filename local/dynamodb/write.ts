/** Writing single items: PutItem, UpdateItem, DeleteItem, BatchWriteItem, and the writes that a transaction is made of. */
import { AwsError } from "../service.ts"
import { type Call, type Common, type Input, invalid, refuseLegacy } from "./call.ts"
import { tableUnits } from "./capacity.ts"
import { checkItem, checkKey, checkPaths, checkUpdates, keyText, type Parsed, parse } from "./dynalite.ts"
import { meets, project } from "./expression.ts"
import { checkDepth } from "./limits.ts"
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
  /** Of a put. */
  Item?: Item
  /** Of everything else. */
  Key: Item
  ReturnValues?: "NONE" | "ALL_OLD" | "UPDATED_OLD" | "ALL_NEW" | "UPDATED_NEW"
}

function checked(operation: string, input: Input): Request {
  refuseLegacy(input)
  const request = parse<Request>(operation, input)
  if (!request.Item) return request
  if (sizeOf(request.Item) > largestItemBytes) throw invalid("Item size has exceeded the maximum allowed size")
  checkDepth(request.Item)
  return request
}

const common = (table: Table, key: Item, { _condition }: Request, input: Input) => ({
  table,
  key: keyText(key, table),
  condition: _condition,
  showItem: input.ReturnValuesOnConditionCheckFailure === "ALL_OLD",
})

/** A key of an index that is empty, which it must not be where it is there. */
const emptyIndexKey = (item: Item, table: Table) =>
  indexesOf(table)
    .flatMap(({ IndexName, KeySchema }) => namesOf(KeySchema).map((name) => ({ IndexName, name })))
    .find(({ name }) => item[name]?.S === "" || item[name]?.B === "")

const notEmpty = "The AttributeValue for a key attribute cannot contain an empty string value."

/** Makes a write of a well-formed request, or refuses it in view of its table with a ValidationException. */
type Builder = (table: Table, request: Request, input: Input) => Write

const puts: Builder = (table, request, input) => {
  const item = request.Item!
  checkItem(item, table)
  const empty = emptyIndexKey(item, table)
  if (empty)
    throw invalid(
      `One or more parameter values are not valid. A value specified for a secondary index key is not supported. ${notEmpty} IndexName: ${empty.IndexName}, IndexKey: ${empty.name}`,
    )
  return { ...common(table, item, request, input), item, next: () => item }
}

const deletes: Builder = (table, request, input) => {
  checkKey(request.Key, table)
  return { ...common(table, request.Key, request, input), next: () => undefined }
}

const updates: Builder = (table, request, input) => {
  checkKey(request.Key, table)
  if (request._updates) {
    checkUpdates(request._updates, table)
    checkPaths(request._updates.nestedPaths, table)
  }
  const next = (before: Item = request.Key) => {
    const after = applyUpdate(before, request._updates?.sections ?? [])
    checkItem(after, table)
    if (emptyIndexKey(after, table))
      throw invalid(
        `One or more parameter values are not valid. The update expression attempted to update a secondary index key to a value that is not supported. ${notEmpty}`,
      )
    if (sizeOf(after) > largestItemBytes) throw invalid("Item size to update has exceeded the maximum allowed size")
    checkDepth(after)
    return after
  }
  return { ...common(table, request.Key, request, input), next }
}

/** A write that leaves the item as it is, for its condition. */
const checks: Builder = (table, request, input) => ({ ...deletes(table, request, input), next: (before) => before })

/** By the name that they have in a transaction: the operation whose rules they follow, and what they have to bring. */
const kinds = {
  Put: { operation: "PutItem", build: puts, needs: undefined },
  Update: { operation: "UpdateItem", build: updates, needs: "UpdateExpression" },
  Delete: { operation: "DeleteItem", build: deletes, needs: undefined },
  ConditionCheck: { operation: "DeleteItem", build: checks, needs: "ConditionExpression" },
}

export type Kind = keyof typeof kinds
export const isKind = (name: string): name is Kind => Object.hasOwn(kinds, name)

/**
 * A write of a transaction, or what speaks against it in view of its table, which is one of the reasons for a cancellation.
 * What is malformed, or of no table, is refused outright.
 */
export function writeOf(store: Store, kind: Kind, input: Input): Write | AwsError {
  const { operation, build, needs } = kinds[kind]
  const request = checked(operation, input)
  if (needs && input[needs] === undefined) throw invalid(`${needs} must not be null in a transaction's ${kind}`)
  const table = store.table(request.TableName)
  try {
    return build(table, request, input)
  } catch (error) {
    if (error instanceof AwsError) return error
    throw error
  }
}

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
export function carryOut({ store, bill }: Call, write: Write) {
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
  const { before } = carryOut(call, puts(call.store.table(request.TableName), request, input))
  return answer(call, request, request.ReturnValues === "ALL_OLD" ? before : undefined)
}

export const deleteItem = (call: Call, input: Input) => {
  const request = checked("DeleteItem", input)
  if (request.ReturnValues && !["NONE", "ALL_OLD"].includes(request.ReturnValues))
    throw invalid("ReturnValues can only be ALL_OLD or NONE")
  const { before } = carryOut(call, deletes(call.store.table(request.TableName), request, input))
  return answer(call, request, request.ReturnValues === "ALL_OLD" ? before : undefined)
}

export const updateItem = (call: Call, input: Input) => {
  const request = checked("UpdateItem", input)
  const { before, after } = carryOut(call, updates(call.store.table(request.TableName), request, input))
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
    requests.map(({ PutRequest, DeleteRequest }) => {
      const [operation, build] = PutRequest ? (["PutItem", puts] as const) : (["DeleteItem", deletes] as const)
      const one = { TableName, ...(PutRequest ?? DeleteRequest) }
      return build(call.store.table(TableName), checked(operation, one), one)
    }),
  )
  if (batch.length > 25) throw invalid("Too many items requested for the BatchWriteItem call")
  const keys = new Set(batch.map(({ table, key }) => `${table.TableName} ${key}`))
  if (keys.size < batch.length) throw invalid("Provided list of item keys contains duplicates")
  for (const write of batch) carryOut(call, write)
  return { UnprocessedItems: {}, ConsumedCapacity: call.bill.consumed(ReturnConsumedCapacity) }
}
