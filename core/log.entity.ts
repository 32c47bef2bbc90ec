import { CustomAttributeType, Entity, type EntityItem } from "electrodb"
import { table } from "./aws.ts"

export const sources = ["daemon", "agent_stdout", "agent_stderr"] as const

export interface Line {
  source: (typeof sources)[number]
  message: string
  createdAt: string
}

/** A batch of log lines as it came. Its key is its place, so a batch that comes twice is one batch. */
export const LogEntity = new Entity(
  {
    model: { service: "dormouse", entity: "log", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      taskId: { type: "string", required: true },
      attempt: { type: "number", required: true, padding: { length: 4, char: "0" } },
      /** Batches of the container count from 1 in eight digits; the control plane's own lines come after them, as `~` and an id. */
      batch: { type: "string", required: true },
      lines: { type: CustomAttributeType<Line[]>("any"), required: true },
    },
    indexes: {
      byTask: {
        pk: { field: "pk", composite: ["accountId", "taskId"], template: "${accountId}#${taskId}", casing: "none" },
        sk: { field: "sk", composite: ["attempt", "batch"], template: "log#${attempt}#${batch}", casing: "none" },
      },
    },
  },
  table,
)

export type LogRow = EntityItem<typeof LogEntity>
