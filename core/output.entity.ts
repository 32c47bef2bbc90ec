import { Entity, type EntityItem } from "electrodb"
import { table } from "./aws.ts"

/** A file that a task left in `output/`. The id follows from task and name: written again, it is replaced. */
export const OutputEntity = new Entity(
  {
    model: { service: "dormouse", entity: "output", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      taskId: { type: "string", required: true },
      fileId: { type: "string", required: true },
      filename: { type: "string", required: true },
      contentType: { type: "string" },
      sizeBytes: { type: "number", required: true },
      outputName: { type: "string" },
      objectKey: { type: "string", required: true },
      createdAt: { type: "string", required: true },
    },
    indexes: {
      byTask: {
        pk: { field: "pk", composite: ["accountId", "taskId"], template: "${accountId}#${taskId}", casing: "none" },
        sk: { field: "sk", composite: ["fileId"], template: "output#${fileId}", casing: "none" },
      },
    },
  },
  table,
)

export type OutputRow = EntityItem<typeof OutputEntity>
