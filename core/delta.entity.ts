import { Entity, type EntityItem } from "electrodb"
import { table } from "./aws.ts"

/**
 * What the agent is saying in the turn that runs: one item, overwritten as it speaks, at most once a second. Who follows it says so
 * here, so that who speaks hears of it by speaking; before the first word there is nothing else in it.
 */
export const DeltaEntity = new Entity(
  {
    model: { service: "dormouse", entity: "delta", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      taskId: { type: "string", required: true },
      turnNumber: { type: "number" },
      /** Whose text it is: a container that was replaced must not write over its successor's. */
      attempt: { type: "number" },
      text: { type: "string" },
      updatedAt: { type: "string" },
      /** Milliseconds since the epoch. */
      followedUntil: { type: "number" },
      expiresAt: { type: "number", required: true },
    },
    indexes: {
      byTask: {
        pk: { field: "pk", composite: ["accountId", "taskId"], template: "${accountId}#${taskId}", casing: "none" },
        sk: { field: "sk", composite: [], template: "delta", casing: "none" },
      },
    },
  },
  table,
)

export type DeltaRow = EntityItem<typeof DeltaEntity>
export type SaidRow = DeltaRow & Required<Pick<DeltaRow, "turnNumber" | "attempt" | "text" | "updatedAt">>
