import { Readable } from "node:stream"
import type { z } from "zod"
import { after, millis, sleep } from "./clock.ts"
import * as Delta from "./delta.ts"
import { EventEntity, type EventRow } from "./event.entity.ts"
import * as Follower from "./follower.ts"
import { commentText, type Frame, frameText, retryText } from "./frame.ts"
import { isTerminal } from "./lifecycle.ts"
import { limits } from "./limits.ts"
import * as Message from "./message.ts"
import { Problem } from "./problem.ts"
import * as Place from "./stream-place.ts"
import type { TaskRow } from "./task.entity.ts"
import * as Task from "./task.ts"
import * as TaskEvent from "./task-event.ts"

/**
 * A conversation as it happens. Each numbered event of the task becomes one frame with its number: a message, an event, or the task
 * itself. A client that comes back says the last number that it has, and gets what follows, nothing lost and nothing twice.
 */

/** How often we look for news. Each look is one or two small reads. */
const lookMs = 400
const commentMs = 15_000
/** A stream is billed until it ends, also one that nobody reads any more: so it ends, and the client comes back. */
const windowMs = 240_000
/** Whoever has not read what was there by then has gone, or will not. */
const patienceMs = 20_000
const comeBackMs = 1_000

interface Ref {
  accountId: string
  taskId: string
}

const answer = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  // A page of any origin may follow with its key; there are no cookies that could speak for somebody else.
  "access-control-allow-origin": "*",
}

/**
 * The events of a conversation, or of a task that never was one but sleeps and wakes: a page of them, or with `stream` all that happens
 * from the beginning, or from the number on that the client has. 204 tells a client that it has everything and need not come back. Raises
 * `conversation_not_found`, `too_many_streams`.
 */
export async function events(
  accountId: string,
  taskId: string,
  { stream, apiKey: _, ...page }: z.output<typeof TaskEvent.ListQuery>,
  sent: Record<string, string | undefined>,
) {
  const task = await Task.row(accountId, taskId, "conversation_not_found")
  if (!stream) return TaskEvent.list(task, page)
  const has = lastEventId(sent)
  if (isTerminal(task.status) && has !== undefined && has >= task.eventSequence) return { status: 204, headers: answer, body: "" }
  const place = await Place.take(accountId, windowMs + patienceMs)
  const body = Readable.from(frames({ accountId, taskId }, has ?? 0))
  const giveUp = after(windowMs + patienceMs, () => body.destroy(new Problem("unavailable")))
  body.once("close", () => {
    giveUp()
    // A place that cannot be given back is free again when its time is over.
    Place.leave(place).catch((error: unknown) => console.warn(error))
  })
  return { status: 200, headers: answer, body }
}

/** The number that a client says it has. Whatever is no number of ours counts as none: then everything is sent. */
function lastEventId(sent: Record<string, string | undefined>) {
  const [, value = ""] = Object.entries(sent).find(([name]) => name.toLowerCase() === "last-event-id") ?? []
  return /^\d{1,9}$/.test(value) ? Number(value) : undefined
}

async function* frames(ref: Ref, from: number): AsyncGenerator<string> {
  const end = millis() + windowMs
  let spokeAt = millis()
  let followAt = millis()
  let has = from
  let shown = ""
  yield frameText({ event: "task", data: await Task.get(ref.accountId, ref.taskId) })
  for (;;) {
    const task = await Task.row(ref.accountId, ref.taskId)
    if (!isTerminal(task.status) && millis() >= followAt) {
      followAt = millis() + Follower.followMs
      await Follower.look(ref)
    }
    const news = task.eventSequence > has ? await newsOf(task, has) : []
    const delta = await liveText(task)
    const live = delta && `${delta.turnNumber} ${delta.updatedAt}`
    for (const frame of news) yield frameText(frame)
    if (delta && live !== shown) yield frameText({ event: "delta", data: Delta.view(delta) })
    has = news.at(-1)?.id ?? has
    shown = live ?? shown
    if (isTerminal(task.status) && has >= task.eventSequence) return
    if (millis() >= end) return yield retryText(comeBackMs)
    if (news.length > 0) spokeAt = millis()
    if (millis() - spokeAt >= commentMs) {
      spokeAt = millis()
      yield commentText
    }
    await sleep(lookMs)
  }
}

/** Only while the turn runs: afterwards its messages say it. */
async function liveText({ accountId, taskId, status, turnNumber, turnsCompleted }: TaskRow) {
  if (status !== "running" || turnsCompleted >= turnNumber) return undefined
  const delta = await Delta.get(accountId, taskId)
  return delta?.turnNumber === turnNumber ? delta : undefined
}

/** A page of the events after a number, each as what a client can show; and the task as they leave it, with the number of the last. */
async function newsOf(task: TaskRow, has: number): Promise<Frame[]> {
  const { accountId, taskId } = task
  const { data } = await EventEntity.query
    .byTask({ accountId, taskId })
    .gt({ sequence: has })
    .go({ limit: limits.page.events, consistent: true })
  const last = data.at(-1)
  if (!last) return []
  const said = await Promise.all(data.map((event) => frameOf(task, event)))
  const now: Frame = { event: "task", id: last.sequence, data: await Task.get(accountId, taskId) }
  return [...said.filter((frame) => frame !== undefined), now]
}

/** Nothing where the task itself says it all. */
async function frameOf(task: TaskRow, event: EventRow): Promise<Frame | undefined> {
  const id = event.sequence
  if (event.messageSequence !== undefined)
    return { event: "message", id, data: await Message.numbered(task, event.messageSequence) }
  return TaskEvent.isShown(event) ? { event: "event", id, data: TaskEvent.view(event) } : undefined
}
