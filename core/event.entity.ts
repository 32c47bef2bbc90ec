import { Entity, type EntityItem } from "electrodb"
import { table } from "./aws.ts"
import { modes, statuses } from "./task.entity.ts"

/**
 * What a webhook hears of that names nothing. It never grows: whoever made a client of these words cannot read others, so what is added
 * has to be asked for.
 */
export const usualTypes = [
  "task.created",
  "task.turn.queued",
  "task.turn.started",
  "task.message.created",
  "task.awaiting_input",
  "task.turn.completed",
  "task.hibernating",
  "task.woken",
  "task.finished",
  "task.failed",
  "task.cancelled",
  "task.expired",
] as const

/** What the world is told. A word added here is announced on the bus, and to webhooks that name it. */
export const types = [...usualTypes, "task.mode_switched"] as const

/** One numbered event of a task, put in the transaction of the change that it tells of: so numbers have no gaps. */
export const EventEntity = new Entity(
  {
    model: { service: "dormouse", entity: "event", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      taskId: { type: "string", required: true },
      sequence: { type: "number", required: true, padding: { length: 8, char: "0" } },
      eventId: { type: "string", required: true },
      type: { type: types, required: true },
      agentId: { type: "string", required: true },
      mode: { type: modes, required: true },
      status: { type: statuses, required: true },
      turnNumber: { type: "number" },
      /** More about it, as JSON, for the list of a conversation's events. */
      about: { type: "string" },
      /** Which message it tells of. */
      messageSequence: { type: "number" },
      generation: { type: "number", required: true },
      occurredAt: { type: "string", required: true },
      /** When the sweeper should look whether it was published, and in which shard of its index. Gone once it was. */
      sweepShard: { type: "string" },
      sweepAt: { type: "string" },
    },
    indexes: {
      byTask: {
        pk: { field: "pk", composite: ["accountId", "taskId"], template: "${accountId}#${taskId}", casing: "none" },
        sk: { field: "sk", composite: ["sequence"], template: "event#${sequence}", casing: "none" },
      },
      dueForSweep: {
        index: "sweep",
        pk: { field: "sweepPk", composite: ["sweepShard"], template: "sweep-events#${sweepShard}", casing: "none" },
        sk: { field: "sweepSk", composite: ["sweepAt"], template: "${sweepAt}", casing: "none" },
      },
    },
  },
  table,
)

export type EventRow = EntityItem<typeof EventEntity>
export type EventType = (typeof types)[number]
