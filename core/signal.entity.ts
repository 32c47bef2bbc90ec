import { Entity, type EntityItem } from "electrodb"
import { table } from "./aws.ts"

const pk = { field: "pk", composite: ["accountId", "taskId"], template: "${accountId}#${taskId}", casing: "none" } as const

/** One waiting of an execution: the token that ends it. A retry of the same waiting replaces the token. */
export const WaitEntity = new Entity(
  {
    model: { service: "dormouse", entity: "wait", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      taskId: { type: "string", required: true },
      waitId: { type: "string", required: true },
      token: { type: "string", required: true },
    },
    indexes: { byId: { pk, sk: { field: "sk", composite: ["waitId"], template: "wait#${waitId}", casing: "none" } } },
  },
  table,
)

export const closings = ["success", "Lost"] as const

/** What an execution must hear and nobody else: that a waiting is over, and how. Names its wait, so it can never end a later one. */
export const SignalEntity = new Entity(
  {
    model: { service: "dormouse", entity: "signal", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      taskId: { type: "string", required: true },
      signalId: { type: "string", required: true },
      waitId: { type: "string", required: true },
      as: { type: closings, required: true },
      expiresAt: { type: "number", required: true },
    },
    indexes: { byId: { pk, sk: { field: "sk", composite: ["signalId"], template: "signal#${signalId}", casing: "none" } } },
  },
  table,
)

export type SignalRow = EntityItem<typeof SignalEntity>
