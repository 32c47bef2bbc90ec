import type { BatchStatementResponse } from "@aws-sdk/client-dynamodb"
import { BatchExecuteStatementCommand } from "@aws-sdk/lib-dynamodb"
import { documents, table } from "./aws.ts"
import { now } from "./clock.ts"
import { type DeliveryRow, placeOf } from "./delivery.entity.ts"
import * as Many from "./many.ts"

/**
 * How most attempts end: the receiver has accepted, and its webhook stays as it is and where it was. That is the same write for each of
 * them, of which one call makes many, each under its own condition, for a third of the processor time. It is said in PartiQL, since no
 * other call of DynamoDB makes several writes of which one may be refused without the others.
 */

interface Delivered {
  delivery: DeliveryRow
  statusCode: number
}

/**
 * What a call takes at most; and how long those that wait for it wait, as it is some milliseconds' work. On a connection that is dead it
 * would be the function's whole time, and all of its deliveries would be told twice.
 */
const limits = { most: 25, patienceMs: 3_000 }

/** What changes; and what is true of a delivery only as long as it is on its way, with the index of the sweeper. */
const changed = ["status", "attemptCount", "sweeps", "lastStatusCode", "deliveredAt"]
const over = ["lastError", "nextRetryAt", "sweepShard", "sweepAt", "sweepPk", "sweepSk"]

const statement = [
  `UPDATE "${table.table}"`,
  ...changed.map((name) => `SET "${name}" = ?`),
  ...over.map((name) => `REMOVE "${name}"`),
  `WHERE "pk" = ? AND "sk" = ? AND "attemptCount" = ?`,
].join(" ")

const statementFor = ({ delivery, statusCode }: Delivered) => {
  const { attemptCount } = delivery
  const { pk, sk } = placeOf(delivery)
  const values = ["delivered", attemptCount + 1, 0, statusCode, now().toISOString()]
  return { Statement: statement, Parameters: [...values, pk, sk, attemptCount] }
}

/**
 * Writes down that a delivery was accepted, unless somebody else has written down the same attempt. Throws where neither is sure: then
 * the caller has to write by itself.
 */
export const record = Many.together(limits, async (all: Delivered[]): Promise<PromiseSettledResult<void>[]> => {
  const { Responses = [] } = await documents.send(new BatchExecuteStatementCommand({ Statements: all.map(statementFor) }))
  return Responses.map(outcomeOf)
})

function outcomeOf({ Error: refusal }: BatchStatementResponse): PromiseSettledResult<void> {
  if (!refusal || refusal.Code === "ConditionalCheckFailed") return { status: "fulfilled", value: undefined }
  return { status: "rejected", reason: new Error(`${refusal.Code}: ${refusal.Message}`) }
}
