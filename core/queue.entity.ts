import { Entity } from "electrodb"
import { table } from "./aws.ts"

/** A task that waits until its account may run another one. The id says when it was made, so the oldest comes first. */
export const QueuedEntity = new Entity(
  {
    model: { service: "dormouse", entity: "queued", version: "1" },
    attributes: { accountId: { type: "string", required: true }, taskId: { type: "string", required: true } },
    indexes: {
      byId: {
        pk: { field: "pk", composite: ["accountId"], template: "${accountId}#queued", casing: "none" },
        sk: { field: "sk", composite: ["taskId"], template: "${taskId}", casing: "none" },
      },
    },
  },
  table,
)
