/** What a case of the conformance suite is, and short ways to write one. */
import type { AttributeValue } from "@aws-sdk/client-dynamodb"

export type Value = AttributeValue
export type Item = Record<string, Value>

/** A call of the AWS SDK. Wherever `$table` stands, as a text or as a name, the case's own table is meant. */
export type Request = [operation: string, input?: Record<string, unknown>]

/**
 * One promise of DynamoDB. The case has a table to itself: keys `pk` and `sk`, the global indexes `one` (everything) and `few` (`n` only),
 * the local index `local` (keys only), and a stream with both images.
 */
export interface Case {
  name: string
  /** Sent first, and must succeed. */
  given?: Request[]
  send: Request
  /** Picks from the answer what the case is about. */
  see?: (answer: Answer) => unknown
  /** The answer; of a refusal its name and words, and what comes with it. */
  back: unknown
}

/** What came back, with `$table` for the table's name and sets in order. */
// biome-ignore lint/suspicious/noExplicitAny: the answers of all operations of DynamoDB
export type Answer = any

export const S = (text: string): Value => ({ S: text })
export const N = (number: number | string): Value => ({ N: String(number) })
export const L = (...elements: Value[]): Value => ({ L: elements })
export const M = (fields: Item): Value => ({ M: fields })
export const SS = (...texts: string[]): Value => ({ SS: texts })

export const key = (sk = "1") => ({ pk: S("a"), sk: S(sk) })
export const item = (sk = "1", more: Item = {}) => ({ ...key(sk), ...more })

/** `ExpressionAttributeValues`, written without colons. */
export const values = (all: Item) => ({
  ExpressionAttributeValues: Object.fromEntries(Object.entries(all).map(([name, value]) => [`:${name}`, value])),
})

/** `ExpressionAttributeNames`, written without signs. */
export const names = (all: Record<string, string>) => ({
  ExpressionAttributeNames: Object.fromEntries(Object.entries(all).map(([name, meant]) => [`#${name}`, meant])),
})

export const put = (sk = "1", more: Item = {}, options: object = {}): Request => [
  "PutItem",
  { TableName: "$table", Item: item(sk, more), ...options },
]
export const get = (sk = "1", options: object = {}): Request => ["GetItem", { TableName: "$table", Key: key(sk), ...options }]
export const remove = (sk = "1", options: object = {}): Request => [
  "DeleteItem",
  { TableName: "$table", Key: key(sk), ...options },
]
/** Answers with the whole item after it, unless told otherwise. */
export const update = (UpdateExpression: string | undefined, all: Item | undefined, options: object = {}): Request => [
  "UpdateItem",
  { TableName: "$table", Key: key(), UpdateExpression, ...(all && values(all)), ReturnValues: "ALL_NEW", ...options },
]
export const query = (KeyConditionExpression: string, all: Item, options: object = {}): Request => [
  "Query",
  { TableName: "$table", KeyConditionExpression, ...values(all), ...options },
]
export const scan = (options: object = {}): Request => ["Scan", { TableName: "$table", ...options }]
export const transact = (TransactItems: object[], options: object = {}): Request => [
  "TransactWriteItems",
  { TransactItems, ...options },
]

/** Parts of a transaction. */
export const txPut = (sk: string, more: Item = {}, options: object = {}) => ({
  Put: { TableName: "$table", Item: item(sk, more), ...options },
})
export const txUpdate = (sk: string, UpdateExpression: string, all: Item, options: object = {}) => ({
  Update: { TableName: "$table", Key: key(sk), UpdateExpression, ...values(all), ...options },
})
export const txDelete = (sk: string, options: object = {}) => ({ Delete: { TableName: "$table", Key: key(sk), ...options } })
export const txCheck = (sk: string, ConditionExpression: string, options: object = {}) => ({
  ConditionCheck: { TableName: "$table", Key: key(sk), ConditionExpression, ...options },
})

/** Refusals. */
export const invalid = (message: string) => ({ error: "ValidationException", message })
export const notFound = (message = "Requested resource not found") => ({ error: "ResourceNotFoundException", message })
export const unmet = (Item?: object) => ({
  error: "ConditionalCheckFailedException",
  message: "The conditional request failed",
  ...(Item && { Item }),
})

/** The refusal of a transaction, with a reason for each of its parts. */
export const cancelled = (...CancellationReasons: { Code: string }[]) => ({
  error: "TransactionCanceledException",
  message: `Transaction cancelled, please refer cancellation reasons for specific reasons [${CancellationReasons.map(({ Code }) => Code).join(", ")}]`,
  CancellationReasons,
})
export const fine = { Code: "None" }
export const wrong = (Message: string) => ({ Code: "ValidationError", Message })
export const unmetReason = (Item?: Item) => ({
  Code: "ConditionalCheckFailed",
  Message: "The conditional request failed",
  ...(Item && { Item }),
})

export const units = (CapacityUnits: number) => ({ TableName: "$table", CapacityUnits })

/** A page that kept all that it read. */
export const found = (...keys: string[]) => ({ keys, Count: keys.length, ScannedCount: keys.length })

/** The sort keys of a page, and where it goes on. */
export const seen = ({ Items, Count, ScannedCount, LastEvaluatedKey, ...rest }: Answer) =>
  Items
    ? { keys: Items.map((one: Item) => one.sk!.S), Count, ScannedCount, ...(LastEvaluatedKey && { LastEvaluatedKey }) }
    : { Count, ScannedCount, LastEvaluatedKey, ...rest }
