import { Entity } from "electrodb"
import { table } from "./aws.ts"

/** Says that a title was asked for, so that it is asked for and paid for once. */
export const TitleEntity = new Entity(
  {
    model: { service: "dormouse", entity: "title", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      taskId: { type: "string", required: true },
      askedAt: { type: "string", required: true },
    },
    indexes: {
      byTask: {
        pk: { field: "pk", composite: ["accountId", "taskId"], template: "${accountId}#${taskId}", casing: "none" },
        sk: { field: "sk", composite: [], template: "title", casing: "none" },
      },
    },
  },
  table,
)
