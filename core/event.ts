import { EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge"
import * as z from "zod"
import { setting } from "./aws.ts"
import { millis } from "./clock.ts"
import { EventEntity, type EventRow, type EventType } from "./event.entity.ts"
import { newId } from "./id.ts"
import * as Sweep from "./sweep.ts"
import { modes, SpecEntity, statuses, type TaskRow } from "./task.entity.ts"
import { TaskRemovalEntity } from "./task-removal.entity.ts"
import { unlessRefused } from "./transaction.ts"

export const source = "dormouse.tasks"

/** The detail of an event on the bus, and of what webhooks are told. `docs/events.md` shows it to whoever writes rules. */
export const Detail = z.object({
  id: z.string().describe("The event's id, the same however often it comes: deduplicate by it."),
  accountId: z.string(),
  taskId: z.string(),
  agentId: z.string(),
  mode: z.enum(modes),
  status: z.enum(statuses).describe("The task's status once this had happened."),
  turnNumber: z.int().nullable().describe("The turn that this is about; null for what concerns the whole task."),
  sequence: z.int().describe("Numbers the events of a task from 1 without gaps: order by it, events may overtake each other."),
  metadata: z.record(z.string(), z.unknown()).describe("What the task was given with."),
  occurredAt: z.iso.datetime(),
})

const bus = new EventBridgeClient({})

/** Something that happened to a task, to be numbered. */
export interface Happening {
  type: EventType
  /** Of what happened to a turn: which one. */
  turnNumber?: number
  /** Of a message: which one. */
  messageSequence?: number
  about?: object
}

/** The writes of a task's next events, numbered on from where it stands, to go into the transaction of the change they tell of. */
export const writes = (task: TaskRow, happenings: readonly Happening[], occurredAt: string) =>
  Object.fromEntries(
    happenings.map((happening, i) => [
      `event${i}`,
      EventEntity.create(row(task, happening, task.eventSequence + 1 + i, occurredAt)),
    ]),
  )

const row = (task: TaskRow, happening: Happening, sequence: number, occurredAt: string) => {
  const eventId = newId("event")
  // Of a creation the task's own place in the sweeper's index tells enough: see `recall`.
  const isCreation = task.eventSequence === 0
  const due = isCreation ? {} : Sweep.due(eventId, millis() + Sweep.publishedMs)
  return { ...told(task, happening, sequence, occurredAt), eventId, ...due }
}

const told = (task: TaskRow, { type, turnNumber, messageSequence, about }: Happening, sequence: number, occurredAt: string) => ({
  accountId: task.accountId,
  taskId: task.taskId,
  sequence,
  type,
  agentId: task.agentId,
  mode: task.mode,
  status: task.status,
  ...(type.startsWith("task.turn.") ? { turnNumber: turnNumber ?? task.turnNumber } : {}),
  ...(messageSequence === undefined ? {} : { messageSequence }),
  ...(about === undefined ? {} : { about: JSON.stringify(about) }),
  generation: task.generation,
  occurredAt,
})

/** Has the sweeper publish a task's events: its execution was never started, so no record of the stream has told of them either. */
export async function recall(accountId: string, taskId: string) {
  const { data: events } = await EventEntity.query.byTask({ accountId, taskId }).go({ pages: "all", consistent: true })
  for (const { sequence, eventId } of events)
    await unlessRefused(EventEntity.patch({ accountId, taskId, sequence }).set(Sweep.due(eventId, millis())))
}

/** What the task was given with, even where it has been deleted since. */
async function metadataOf({ accountId, taskId }: EventRow): Promise<string> {
  const { data: spec } = await SpecEntity.get({ accountId, taskId }).go({ attributes: ["metadata"] })
  if (spec) return spec.metadata
  const { data: removal } = await TaskRemovalEntity.get({ accountId, taskId }).go()
  return removal?.metadata ?? "{}"
}

/** Puts a committed event on the stack's bus. At least once: `detail.id` is what receivers deduplicate by. */
export async function announce(event: EventRow) {
  const detail: z.input<typeof Detail> = {
    id: event.eventId,
    accountId: event.accountId,
    taskId: event.taskId,
    agentId: event.agentId,
    mode: event.mode,
    status: event.status,
    turnNumber: event.turnNumber ?? null,
    sequence: event.sequence,
    metadata: JSON.parse(await metadataOf(event)) as Record<string, unknown>,
    occurredAt: event.occurredAt,
  }
  const { Entries, FailedEntryCount } = await bus.send(
    new PutEventsCommand({
      Entries: [
        {
          EventBusName: setting("BUS_NAME"),
          Source: source,
          DetailType: event.type,
          Time: new Date(event.occurredAt),
          Detail: JSON.stringify(detail),
        },
      ],
    }),
  )
  if (FailedEntryCount)
    throw new Error(`The bus refused ${event.eventId}: ${Entries?.[0]?.ErrorCode} ${Entries?.[0]?.ErrorMessage}`)
}
