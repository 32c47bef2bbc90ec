import { Entity, type EntityItem } from "electrodb"
import { table } from "./aws.ts"

/**
 * What a task's workspace can be made from again: the objects of its chain, in order, of which the last segment is the head. It is
 * there before the first object is, so that whatever is stored is found again when it is to be deleted.
 */
export const CheckpointEntity = new Entity(
  {
    model: { service: "dormouse", entity: "checkpoint", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      taskId: { type: "string", required: true },
      head: { type: "string" },
      objects: {
        type: "list",
        items: {
          type: "map",
          properties: { name: { type: "string", required: true }, bytes: { type: "number", required: true } },
        },
        required: true,
      },
      /** The sum of its objects, which the account's storage counts until the task has ended. */
      bytes: { type: "number", required: true },
      createdAt: { type: "string", required: true },
      /** When its task ended: from then on it is kept for a while and counts no longer. */
      endedAt: { type: "string" },
      sweepShard: { type: "string", required: true },
      sweepAt: { type: "string", required: true },
    },
    indexes: {
      byTask: {
        pk: { field: "pk", composite: ["accountId", "taskId"], template: "${accountId}#${taskId}", casing: "none" },
        sk: { field: "sk", composite: [], template: "checkpoint", casing: "none" },
      },
      dueForSweep: {
        index: "sweep",
        pk: { field: "sweepPk", composite: ["sweepShard"], template: "checkpoints#${sweepShard}", casing: "none" },
        sk: { field: "sweepSk", composite: ["sweepAt", "taskId"], template: "${sweepAt}#${taskId}", casing: "none" },
      },
    },
  },
  table,
)

export type CheckpointRow = EntityItem<typeof CheckpointEntity>
