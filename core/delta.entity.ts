import { Entity, type EntityItem } from "electrodb"
import { table } from "./aws.ts"

/**
 * What the agent is saying in the turn that runs: one item, overwritten as it speaks, at most once a second.
 */
export const DeltaEntity = new Entity(
  {
    model: { service: "dormouse", entity: "delta", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      taskId: { type: "string", required: true },
      turnNumber: { type: "number", required: true },
      /** Whose text it is: a container that was replaced must not write over its successor's. */
      attempt: { type: "number", required: true },
      text: { type: "string", required: true },
      updatedAt: { type: "string", required: true },
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
