import { Entity } from "electrodb"
import { table } from "./aws.ts"

/** What was said to a task when it was woken last. Shown to its agent and to nobody else. */
export const WakeEntity = new Entity(
  {
    model: { service: "dormouse", entity: "wake", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      taskId: { type: "string", required: true },
      /** Which sleep it ended. */
      cycle: { type: "number", required: true },
      /** As text.ts keeps it. */
      message: { type: "string", required: true },
    },
    indexes: {
      byTask: {
        pk: { field: "pk", composite: ["accountId", "taskId"], template: "${accountId}#${taskId}", casing: "none" },
        sk: { field: "sk", composite: [], template: "wake", casing: "none" },
      },
    },
  },
  table,
)
