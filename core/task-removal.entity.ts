import { Entity } from "electrodb"
import { table } from "./aws.ts"

/** Stands where a task was until everything of it is gone, and then for a day, for what is told of it late. */
export const TaskRemovalEntity = new Entity(
  {
    model: { service: "dormouse", entity: "task-removal", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      taskId: { type: "string", required: true },
      /** What the task was given with, as its spec had it: its last events may be announced only now. */
      metadata: { type: "string", required: true },
      /** When the sweeper should finish it, and in which shard of its index. Gone once everything is. */
      sweepShard: { type: "string" },
      sweepAt: { type: "string" },
      expiresAt: { type: "number" },
    },
    indexes: {
      byId: {
        pk: { field: "pk", composite: ["accountId", "taskId"], template: "${accountId}#${taskId}", casing: "none" },
        sk: { field: "sk", composite: [], template: "removal", casing: "none" },
      },
      dueForSweep: {
        index: "sweep",
        pk: { field: "sweepPk", composite: ["sweepShard"], template: "sweep-removals#${sweepShard}", casing: "none" },
        sk: { field: "sweepSk", composite: ["sweepAt", "taskId"], template: "${sweepAt}#${taskId}", casing: "none" },
      },
    },
  },
  table,
)
