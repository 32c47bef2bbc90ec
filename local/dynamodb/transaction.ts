/** TransactWriteItems and TransactGetItems. Writes are serial, so transactions never conflict here. */
import { createHash } from "node:crypto"
import { millis } from "#core/clock.ts"
import { AwsError } from "../service.ts"
import { type Call, type Common, type Input, invalid } from "./call.ts"
import { perRead, readUnits, tableUnits } from "./capacity.ts"
import { meets } from "./expression.ts"
import { getInTransaction } from "./read.ts"
import type { Store } from "./store.ts"
import { type Item, sizeOf } from "./value.ts"
import { conditionFailed, isKind, save, type Write, writeOf } from "./write.ts"

const mostItems = 100
const mostBytes = 4 * 1024 * 1024

/** A token is remembered for ten minutes. */
export const tokenMs = 600_000

interface Request extends Input {
  TransactItems: (Record<string, Input> | null)[]
  ReturnConsumedCapacity?: Common["ReturnConsumedCapacity"]
  ClientRequestToken?: string
}

/** What a write of the transaction meets and makes. */
interface Step {
  write: Write
  before: Item | undefined
  after: Item | undefined
  refusal?: AwsError
}

export function transactWriteItems(call: Call, input: Input) {
  const request = checked(input)
  const { TransactItems, ReturnConsumedCapacity, ClientRequestToken: token } = request
  const digest = createHash("sha256").update(JSON.stringify(TransactItems)).digest("hex")
  const planned = TransactItems.map((action) => plan(call.store, action))
  refuseTwice(planned.flatMap((write) => (write instanceof AwsError ? [] : [`${write.table.TableName} ${write.key}`])))
  call.store.atomically(() => {
    if (token !== undefined && seenBefore(call.store, token, digest)) return readAgain(call, planned)
    const steps = decideAll(call, planned)
    refuseLarge(steps.map(({ before, after }) => Math.max(...[before, after].map((item) => (item ? sizeOf(item) : 0)))))
    if (steps.some(({ refusal }) => refusal)) throw charged(call, steps)
    for (const { write, before, after } of steps) {
      call.bill.change(write.table, before, after, 2)
      save(call.store, write.table, write.key, before, after)
    }
    if (token !== undefined) call.store.remember(token, digest, millis())
  })
  return { ConsumedCapacity: call.bill.consumed(ReturnConsumedCapacity, true) }
}

function checked(input: Input): Request {
  const { TransactItems: items, ClientRequestToken: token } = input
  if (!Array.isArray(items) || items.length < 1 || items.length > mostItems) {
    const bound = Array.isArray(items) && items.length ? `less than or equal to ${mostItems}` : "greater than or equal to 1"
    throw invalid(
      `1 validation error detected: Value at 'transactItems' failed to satisfy constraint: Member must have length ${bound}`,
    )
  }
  if (token !== undefined && (typeof token !== "string" || token.length < 1 || token.length > 36))
    throw invalid("1 validation error detected: Value at 'clientRequestToken' must have length from 1 to 36")
  return input as Request
}

function plan(store: Store, action: Record<string, Input> | null): Write | AwsError {
  const [[kind, input] = ["", {}], ...others] = Object.entries(action ?? {})
  if (others.length || !isKind(kind)) throw invalid("TransactItems can only contain one of Check, Put, Update or Delete")
  return writeOf(store, kind, input)
}

function refuseTwice(places: string[]) {
  if (new Set(places).size < places.length) throw invalid("Transaction request cannot include multiple operations on one item")
}

function refuseLarge(sizes: number[]) {
  if (sizes.reduce((sum, bytes) => sum + bytes, 0) > mostBytes)
    throw invalid("The aggregate size of the items in the transaction cannot exceed 4 MB")
}

/** A request of the same token is not carried out again; one that asks for something else is refused. */
function seenBefore(store: Store, token: string, digest: string) {
  const known = store.remembered(token, millis() - tokenMs)
  if (known !== undefined && known !== digest)
    throw new AwsError("IdempotentParameterMismatchException", "The token was used with other parameters before")
  return known !== undefined
}

/** A repeated request is charged for reading its items. */
function readAgain({ store, bill }: Call, planned: (Write | AwsError)[]) {
  for (const write of planned) {
    if (write instanceof AwsError) continue
    const { table, key } = write
    const item = store.item(table, key)
    bill.read(table, readUnits(item ? sizeOf(item) : 0, "transaction"))
  }
}

/** What every write would make; the transaction is cancelled at once if a table refuses one of them. */
function decideAll({ store }: Call, planned: (Write | AwsError)[]): Step[] {
  if (planned.some((write) => write instanceof AwsError))
    throw cancelled(planned.map((write) => (write instanceof AwsError ? write : decide(store, write).refusal)))
  return (planned as Write[]).map((write) => decide(store, write))
}

function decide(store: Store, write: Write): Step {
  const before = store.item(write.table, write.key)
  if (!meets(write.condition, before)) return { write, before, after: write.item, refusal: conditionFailed(write, before) }
  try {
    return { write, before, after: write.next(before) }
  } catch (error) {
    if (error instanceof AwsError) return { write, before, after: undefined, refusal: error }
    throw error
  }
}

/** The transaction's refusal. What was prepared is charged all the same, on the tables. */
function charged({ bill }: Call, steps: Step[]) {
  for (const { write, before, after } of steps) bill.write(write.table, tableUnits(before, after) * perRead.transaction)
  return cancelled(steps.map(({ refusal }) => refusal))
}

/** The transaction's refusal, with a reason for each part. */
function cancelled(refusals: (AwsError | undefined)[]) {
  const reasons = refusals.map((refusal) => {
    if (!refusal) return { Code: "None" }
    const Code = refusal.code === "ValidationException" ? "ValidationError" : refusal.code.replace(/Exception$/, "")
    return { Code, Message: refusal.message, ...refusal.extra }
  })
  const codes = reasons.map(({ Code }) => Code).join(", ")
  return new AwsError(
    "TransactionCanceledException",
    `Transaction cancelled, please refer cancellation reasons for specific reasons [${codes}]`,
    400,
    { CancellationReasons: reasons },
  )
}

export function transactGetItems(call: Call, input: Input) {
  const { TransactItems, ReturnConsumedCapacity } = checked(input)
  const planned = TransactItems.map((action) => {
    if (!action?.Get) throw invalid("TransactItems of TransactGetItems can only contain Get")
    return getInTransaction(call, action.Get)
  })
  refuseTwice(planned.flatMap((get) => (get instanceof AwsError ? [] : [get.place])))
  const refusals = planned.map((get) => (get instanceof AwsError ? get : undefined))
  if (refusals.some(Boolean)) throw cancelled(refusals)
  const found = planned.map((get) => (get as Exclude<typeof get, AwsError>).read())
  refuseLarge(found.map(({ bytes }) => bytes))
  return {
    Responses: found.map(({ item }) => ({ Item: item })),
    ConsumedCapacity: call.bill.consumed(ReturnConsumedCapacity, true),
  }
}
