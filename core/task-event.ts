import * as z from "zod"
import { EventEntity, type EventRow, type EventType } from "./event.entity.ts"
import { limits } from "./limits.ts"
import * as Page from "./page.ts"
import type { TaskRow } from "./task.entity.ts"

/** The events of a task that a person follows besides its messages. They are some of its numbered events, seen their way. */

export const kinds = [
  "mode_switched_to_autonomous",
  "mode_switched_to_conversation",
  "session_expired",
  "hibernation_requested",
  "hibernation_woken",
] as const

type Kind = (typeof kinds)[number]

export const View = z
  .object({
    id: z.string(),
    kind: z.enum(kinds),
    turnNumber: z.int().nullable(),
    message: z.string(),
    metadata: z.record(z.string(), z.unknown()),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: "TaskEvent" })

export const Listed = Page.of(View).meta({ id: "TaskEventPage" })

/** A yes or no as a query writes it. */
const Flag = z
  .preprocess((text) => (text === "true" ? true : text === "false" ? false : text), z.boolean())
  .meta({ type: "boolean" })

export const ListQuery = z.strictObject({
  ...Page.query(limits.page.events),
  stream: Flag.optional().describe(
    "`true`: server-sent events instead of a page. `task`, `event` and `message` frames have the JSON of the views, and a number as their id; `delta` is what the agent is saying at the moment, the first of them up to fifteen seconds ago. Ends after four minutes; come back with `Last-Event-ID`.",
  ),
  apiKey: z
    .string()
    .max(200)
    .optional()
    .describe("The API key, for an EventSource, which can set no header. Taken with `stream=true` only."),
})

const kindOf = ({ type, mode }: EventRow): Kind | undefined => {
  if (type === "task.mode_switched") return `mode_switched_to_${mode}`
  if (type === "task.expired") return "session_expired"
  if (type === "task.hibernating") return "hibernation_requested"
  return type === "task.woken" ? "hibernation_woken" : undefined
}

const types: readonly EventType[] = ["task.mode_switched", "task.expired", "task.hibernating", "task.woken"]

/** Whether an event is one of these kinds. */
export const isShown = (event: EventRow) => kindOf(event) !== undefined

/** Oldest first. */
export async function list({ accountId, taskId }: TaskRow, request: Page.Request) {
  const page = await Page.paginate(
    accountId,
    `events ${taskId}`,
    { limit: limits.page.events, ...request },
    async (after, count) => {
      const events = EventEntity.query.byTask({ accountId, taskId })
      const query = after === undefined ? events : events.gt({ sequence: Number(after) })
      const { data } = await query
        .where(({ type }, { eq }) => types.map((one) => eq(type, one)).join(" OR "))
        .go({ count, consistent: true })
      return data
    },
    ({ sequence }) => String(sequence),
  )
  return { data: page.data.map(view), pageInfo: page.pageInfo }
}

/** The switch of mode that happened at that time. */
export async function switchAt(accountId: string, taskId: string, at: string) {
  const { data } = await EventEntity.query
    .byTask({ accountId, taskId })
    .where(({ type, occurredAt }, { eq }) => `${eq(type, "task.mode_switched")} AND ${eq(occurredAt, at)}`)
    .go({ count: 1, order: "desc", consistent: true })
  return data[0] && view(data[0])
}

const About = z.object({ reason: z.string(), hibernateUntilAt: z.string() }).partial()

const wakes: Record<string, string> = {
  message: "Woken by a message.",
  external_wake: "Woken from outside.",
  time: "Woken, since the time had come.",
  credit: "Woken, since the account has credit again.",
}

function messageOf(kind: Kind, { reason = "", hibernateUntilAt }: z.infer<typeof About>) {
  switch (kind) {
    case "mode_switched_to_autonomous":
      return "The agent goes on by itself."
    case "mode_switched_to_conversation":
      return "The agent waits for messages again."
    case "session_expired":
      return "No message came in time."
    case "hibernation_requested":
      return hibernateUntilAt ? `Sleeps until ${hibernateUntilAt}: ${reason}` : `Paused: ${reason}`
    case "hibernation_woken":
      return wakes[reason]!
  }
}

/** An event of one of these kinds as it is shown. */
export function view(event: EventRow): z.infer<typeof View> {
  const kind = kindOf(event)!
  const about = About.parse(JSON.parse(event.about ?? "{}"))
  return {
    id: event.eventId,
    kind,
    turnNumber: event.turnNumber ?? null,
    message: messageOf(kind, about),
    metadata: about,
    createdAt: event.occurredAt,
  }
}
