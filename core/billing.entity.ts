import { Entity } from "electrodb"
import { table } from "./aws.ts"

export const kinds = ["credit", "reservation", "release", "charge"] as const

/** One movement of an account's balance. The id says what it is for, so none can be written twice. The sum is the balance. */
export const LedgerEntity = new Entity(
  {
    model: { service: "dormouse", entity: "ledger", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      entryId: { type: "string", required: true },
      kind: { type: kinds, required: true },
      amountMicros: { type: "number", required: true },
      taskId: { type: "string" },
      seconds: { type: "number" },
      createdAt: { type: "string", required: true, readOnly: true },
    },
    indexes: {
      byId: {
        pk: { field: "pk", composite: ["accountId"], template: "${accountId}#ledger", casing: "none" },
        sk: { field: "sk", composite: ["entryId"], template: "${entryId}", casing: "none" },
      },
    },
  },
  table,
)

/** A task that waits for its account's credit. */
export const PausedEntity = new Entity(
  {
    model: { service: "dormouse", entity: "paused", version: "1" },
    attributes: { accountId: { type: "string", required: true }, taskId: { type: "string", required: true } },
    indexes: {
      byId: {
        pk: { field: "pk", composite: ["accountId"], template: "${accountId}#paused", casing: "none" },
        sk: { field: "sk", composite: ["taskId"], template: "${taskId}", casing: "none" },
      },
    },
  },
  table,
)
