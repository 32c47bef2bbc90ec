import type { z } from "zod"
import { millis, sleep } from "./clock.ts"
import * as Lease from "./lease.ts"
import { hasQueuedTurn } from "./lifecycle.ts"
import * as Message from "./message.ts"
import { Problem } from "./problem.ts"
import type { CompletedTurn, CompleteTurn, Receive, Received, Signal, Turn } from "./protocol.ts"
import { RunEntity, type RunRow } from "./run.entity.ts"
import * as Settlement from "./settlement.ts"
import type { TaskRow } from "./task.entity.ts"
import * as Task from "./task.ts"

/** Turns of the agent, as its container takes them up and completes them. */

interface Ref {
  accountId: string
  taskId: string
  runId: string
}

/** The current turn with what was said in it after the message of that sequence. */
export async function current(task: TaskRow, after = 0): Promise<z.infer<typeof Turn>> {
  const messages = task.personSequence > after ? await Message.ofTurn(task, after) : []
  return { number: task.turnNumber, mode: task.mode, messages }
}

/** Whether there is a message of the current turn after the one of that sequence: its agent has not seen it. */
export const isBehind = async (task: TaskRow, after: number) => (await current(task, after)).messages.length > 0

/** What the container of a task should know, as far as the task itself says so. In a conversation a message is the next turn. */
export const signalsOf = (task: TaskRow): z.infer<typeof Signal>[] => [
  ...(task.isCancelling ? [{ kind: "cancel" as const }] : []),
  ...(task.mode === "autonomous" && task.personSequence > 0 ? [{ kind: "message" as const, sequence: task.personSequence }] : []),
]

/** How often a waiting `recv` looks. */
const lookMs = 100

/**
 * What the container does not know yet: the next turn, which begins by that, or messages that steer the running one. Waits for it.
 * Raises `channel_not_found`, `lease_lost`.
 */
export async function receive(
  ref: Ref,
  channel: string,
  { wait, turn, after }: z.output<typeof Receive>,
): Promise<z.infer<typeof Received>> {
  if (channel !== ref.taskId) throw new Problem("channel_not_found")
  const until = millis() + wait * 1000
  for (;;) {
    const task = await atWork(ref)
    const signals = signalsOf(task)
    if (task.isCancelling) return { turn: null, signals }
    const news = hasQueuedTurn(task) ? await take(ref) : await newsOf(task, turn, after)
    if (news || millis() >= until) return { turn: news ?? null, signals }
    await sleep(Math.min(lookMs, until - millis()))
  }
}

/** The task, if its container may still act. */
async function atWork({ accountId, taskId, runId }: Ref): Promise<TaskRow> {
  const task = await Task.row(accountId, taskId)
  if (task.runId !== runId || task.container !== "claimed") throw new Problem("lease_lost")
  return task
}

async function newsOf(task: TaskRow, known: number, after: number) {
  if (task.status !== "running") return undefined
  const turn = await current(task, after)
  return turn.number > known || turn.messages.length > 0 ? turn : undefined
}

async function take({ accountId, taskId, runId }: Ref) {
  const done = await Settlement.happen(accountId, taskId, (task) =>
    task.runId === runId ? { signal: { kind: "turn_taken" } } : undefined,
  )
  return done && current(done.task)
}

/**
 * A turn of the conversation is done: what the agent said is stored with it, and the next one is queued where there is one. Sent
 * again, it answers the same. Raises `lease_lost`, `message_waiting`.
 */
export async function complete(ref: Ref, body: z.output<typeof CompleteTurn>): Promise<z.infer<typeof CompletedTurn>> {
  const said = await Message.said(ref.accountId, ref.taskId, body.messages)
  const done = await Settlement.happen(ref.accountId, ref.taskId, async (task) => {
    if (task.runId !== ref.runId || task.turnNumber !== body.turn_number || !task.isTurnStarted) return undefined
    return {
      signal: { kind: "turn_completed", isBehind: await isBehind(task, body.after ?? task.personSequence) },
      messages: said,
    }
  })
  const task = done?.task ?? (await atWork(ref))
  const run = done?.run ?? (await runOf(ref))
  const isDone = task.turnNumber > body.turn_number || (task.turnNumber === body.turn_number && !task.isTurnStarted)
  if (!isDone && !done) throw new Problem("lease_lost")
  return { lease: Lease.view(run), has_next_turn: task.status === "running" }
}

async function runOf({ accountId, taskId, runId }: Ref): Promise<RunRow> {
  const { data } = await RunEntity.get({ accountId, taskId, runId }).go({ consistent: true })
  if (!data) throw new Problem("run_not_found")
  return data
}
