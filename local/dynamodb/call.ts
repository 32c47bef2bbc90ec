/** One call on its way through the operations. */
import { AwsError } from "../service.ts"
import type { Bill, Detail } from "./capacity.ts"
import type { Store } from "./store.ts"

export type Input = Record<string, unknown>

export interface Call {
  store: Store
  /** What the call uses, also when it is refused in the end. */
  bill: Bill
  region: string
  account: string
}

/** Carries out one operation of the API. */
export type Operation = (call: Call, input: Input) => object

/** Input that every operation on items shares. */
export interface Common {
  TableName: string
  ReturnConsumedCapacity?: Detail
}

export const invalid = (message: string) => new AwsError("ValidationException", message)

const legacy = [
  "AttributesToGet",
  "AttributeUpdates",
  "ConditionalOperator",
  "Expected",
  "KeyConditions",
  "QueryFilter",
  "ScanFilter",
]

/** The parameters that DynamoDB had before expressions are refused rather than ignored. */
export function refuseLegacy(input: object) {
  const used = legacy.find((name) => name in input)
  if (used) throw invalid(`${used} is a legacy parameter, which this DynamoDB does not take: use an expression`)
}
