import { Entity } from "electrodb"
import { table } from "./aws.ts"

/** That somebody follows a task: an item of its own, so that saying and asking it costs the least, however much the agent says. */
export const FollowerEntity = new Entity(
  {
    model: { service: "dormouse", entity: "follower", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      taskId: { type: "string", required: true },
      /** Milliseconds since the epoch. */
      until: { type: "number", required: true },
      expiresAt: { type: "number", required: true },
    },
    indexes: {
      byTask: {
        pk: { field: "pk", composite: ["accountId", "taskId"], template: "${accountId}#${taskId}", casing: "none" },
        sk: { field: "sk", composite: [], template: "follower", casing: "none" },
      },
    },
  },
  table,
)
