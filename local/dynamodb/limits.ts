/** Limits of DynamoDB that dynalite does not know, or counts in characters where DynamoDB counts bytes. */
import { AwsError } from "../service.ts"
import type { Condition, Expression, Operand } from "./expression.ts"
import type { Schema } from "./table.ts"
import type { Item, Value } from "./value.ts"

const invalid = (message: string) => new AwsError("ValidationException", message)

const largestExpressionBytes = 4096

/** No expression of the request is over 4 KB. */
export function checkExpressionSizes(input: object) {
  for (const [name, text] of Object.entries(input)) {
    if (!name.endsWith("Expression") || typeof text !== "string") continue
    const bytes = Buffer.byteLength(text)
    if (bytes > largestExpressionBytes)
      throw invalid(`Invalid ${name}: Expression size has exceeded the maximum allowed size; expression size: ${bytes}`)
  }
}

const mostCandidates = 100

/** No IN of the condition has more than 100 candidates. */
export function checkCandidates(name: string, condition: Condition | undefined) {
  if (condition) checkIn(name, condition.expression)
}

function checkIn(name: string, node: Expression | Operand) {
  if (!("args" in node)) return
  if (node.type === "in" && node.args.length > mostCandidates + 1)
    throw invalid(
      `Invalid ${name}: The IN operator is provided with too many operands; number of operands: ${node.args.length - 1}`,
    )
  for (const inner of node.args) checkIn(name, inner)
}

/** Text in a key is at most 2,048 bytes long in the partition key and 1,024 in the sort key. */
export function checkKeySizes(key: Item, { KeySchema }: Schema) {
  for (const { AttributeName, KeyType } of KeySchema) {
    const bytes = Buffer.byteLength(key[AttributeName]?.S ?? "")
    if (KeyType === "HASH" && bytes > 2048)
      throw invalid("One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes")
    if (KeyType === "RANGE" && bytes > 1024)
      throw invalid(
        "One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 bytes",
      )
  }
}

const deepest = 32

/** Lists and maps lie at most 32 deep in each other. */
export function checkDepth(item: Item) {
  if (Object.values(item).some((value) => depthOf(value) > deepest))
    throw invalid(
      "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit",
    )
}

function depthOf({ L, M }: Value): number {
  const inner = L ?? (M && Object.values(M))
  return inner ? 1 + inner.reduce((most, value) => Math.max(most, depthOf(value)), 0) : 0
}
