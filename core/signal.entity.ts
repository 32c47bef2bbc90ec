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
      /** When the execution entered the state, and its tries in there: a call that comes late never replaces a newer token. */
      entry: { type: "string", required: true },
      tries: { type: "number", required: true },
    },
    indexes: { byId: { pk, sk: { field: "sk", composite: ["waitId"], template: "wait#${waitId}", casing: "none" } } },
  },
  table,
)

/** `success` or the name of an error, which the state machine goes on by. */
export const closings = ["success", "Lost", "Hibernate", "AwaitInput", "AwaitPlace", "Cancelled", "Superseded"] as const

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
      /** When the sweeper should look whether it was published, and in which shard of its index. Gone once it was. */
      sweepShard: { type: "string" },
      sweepAt: { type: "string" },
    },
    indexes: {
      byId: { pk, sk: { field: "sk", composite: ["signalId"], template: "signal#${signalId}", casing: "none" } },
      dueForSweep: {
        index: "sweep",
        pk: { field: "sweepPk", composite: ["sweepShard"], template: "sweep-signals#${sweepShard}", casing: "none" },
        sk: { field: "sweepSk", composite: ["sweepAt"], template: "${sweepAt}", casing: "none" },
      },
    },
  },
  table,
)

export type SignalRow = EntityItem<typeof SignalEntity>
