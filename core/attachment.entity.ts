import { CustomAttributeType, Entity } from "electrodb"
import { table } from "./aws.ts"
import type { Clone } from "./task.entity.ts"

/** What a conversation mounts since it was begun. All in one row, so that one condition holds new mounts against those before them. */
export const AttachmentEntity = new Entity(
  {
    model: { service: "dormouse", entity: "attachments", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      taskId: { type: "string", required: true },
      /** Times that it was written. */
      revision: { type: "number", required: true },
      repositories: { type: CustomAttributeType<Clone[]>("any"), required: true },
    },
    indexes: {
      byTask: {
        pk: { field: "pk", composite: ["accountId", "taskId"], template: "${accountId}#${taskId}", casing: "none" },
        sk: { field: "sk", composite: [], template: "repositories", casing: "none" },
      },
    },
  },
  table,
)
