import { PausedEntity } from "./billing.entity.ts"
import * as Event from "./event.ts"
import * as Execution from "./execution.ts"
import { newId } from "./id.ts"
import { type Change, isParked, isTerminal, next, type Signal } from "./lifecycle.ts"
import { limits } from "./limits.ts"
import { Problem } from "./problem.ts"
import { QueuedEntity } from "./queue.entity.ts"
import * as Sweep from "./sweep.ts"
import { TaskEntity, type TaskRow } from "./task.entity.ts"

/** Carries out what `lifecycle.ts` decides: the one place that writes a task's state. */

interface More {
  /** Goes into the row as well. */
  set?: Partial<TaskRow>
  /** How many messages are stored with it. */
  messages?: number
  /** For the list of a conversation's events. */
  about?: object | undefined
}

/**
 * The task as a signal leaves it, and the writes that make it so: the row, on the condition that nobody changed it meanwhile, its
 * events, and the signal to its execution. Undefined where the signal means nothing any more. Raises the problem that it is refused with.
 */
export function transition(task: TaskRow, signal: Signal, at: string, { set = {}, messages = 0, about }: More = {}) {
  const change = next(task, signal)
  if (!change) return undefined
  if ("problem" in change) throw new Problem(change.problem)
  const ends = isTerminal({ ...task, ...change.set }.status)
  const events = happenings(task, change, messages, about)
  const after: TaskRow = {
    ...task,
    ...change.set,
    ...timesOf(task, change, at),
    ...set,
    version: task.version + 1,
    eventSequence: task.eventSequence + events.length,
    messageSequence: task.messageSequence + messages,
    ...(change.error === undefined ? {} : { error: change.error }),
    ...(ends ? { completedAt: at, phase: undefined } : {}),
    // Of one that has never run it is not certain that anybody has heard: the sweeper still looks.
    ...(ends && task.runId !== undefined ? { sweepAt: undefined, sweepShard: undefined } : {}),
  }
  const { accountId, taskId, waitId } = task
  return {
    task: after,
    change,
    ends,
    writes: {
      task: update(task, after),
      ...Event.writes({ ...after, eventSequence: task.eventSequence }, events, at),
      ...(after.isPaused === task.isPaused ? {} : { paused: paused(after) }),
      ...(after.isQueued === task.isQueued ? {} : { queued: queued(after) }),
      signal: change.close && waitId ? Execution.signal(accountId, taskId, waitId, change.close) : undefined,
    },
  }
}

/** Each message is news of its own, before what it leads to; a turn that is completed is the one that ran. */
function happenings(task: TaskRow, { events, wake }: Change, messages: number, about?: object): Event.Happening[] {
  const said = Array.from({ length: messages }, (_, i) => ({
    type: "task.message.created" as const,
    messageSequence: task.messageSequence + 1 + i,
  }))
  const others = events.filter((type) => type !== "task.message.created")
  return [
    ...said,
    ...others.map((type) => ({
      type,
      ...(type === "task.turn.completed" ? { turnNumber: task.turnNumber } : {}),
      ...(type === "task.hibernating" && about ? { about } : {}),
      ...(type === "task.woken" ? { about: { reason: wake } } : {}),
    })),
  ]
}

const secondsBetween = (from: string, to: string) => Math.max(0, (Date.parse(to) - Date.parse(from)) / 1000)

const later = (at: string, seconds: number) => new Date(Date.parse(at) + seconds * 1000).toISOString()

/** What of the row follows from the change and the time. */
function timesOf(task: TaskRow, { set, close, wake }: Change, at: string): Partial<TaskRow> {
  const after = { ...task, ...set }
  const parks = isParked(after) && (close !== undefined || !isParked(task))
  return {
    ...(after.status === task.status ? {} : leaving(task, at)),
    ...(after.status !== task.status && after.status === "awaiting_input" ? awaiting(task, at) : {}),
    ...(after.status !== task.status && after.status === "hibernating" ? { hibernatedAt: at, cycle: task.cycle + 1 } : {}),
    ...(close === undefined ? {} : { waitId: undefined }),
    ...(parks ? { waitId: newId("wait"), parks: task.parks + 1 } : {}),
    // One that only waits for its place is still to hear why it woke.
    ...(parks && !after.isQueued ? { wakeReason: undefined } : {}),
    ...(wake === undefined ? {} : { wakeReason: wake }),
    ...sweepOf(after, at),
  }
}

const awaiting = (task: TaskRow, at: string) => ({
  awaitUntilAt: later(at, task.sessionTtlSeconds ?? limits.sessionTtlSeconds.default),
  wakeReason: undefined,
})

function leaving(task: TaskRow, at: string): Partial<TaskRow> {
  if (task.status === "awaiting_input") return { awaitUntilAt: undefined }
  if (task.status !== "hibernating" || !task.hibernatedAt) return {}
  const lastSleepSeconds = secondsBetween(task.hibernatedAt, at)
  return {
    hibernatedAt: undefined,
    hibernateUntilAt: undefined,
    lastSleepSeconds,
    // Having no credit is not what the limit of sleep is about.
    sleptSeconds: task.sleptSeconds + (task.isPaused ? 0 : lastSleepSeconds),
  }
}

/** What has to move on by itself is looked at soon; what sleeps, when it should have woken. A container's own time is set by its claim. */
function sweepOf(after: TaskRow, at: string) {
  if (isParked(after) && !after.isQueued)
    return Sweep.due(after.taskId, Date.parse(at) + limits.pausedSeconds * 1000 + Sweep.graceMs)
  if (after.container === "claimed" && !after.isCancelling) return {}
  return Sweep.due(after.taskId, Date.parse(at) + Sweep.pendingMs)
}

const paused = ({ accountId, taskId, isPaused }: TaskRow) =>
  isPaused ? PausedEntity.put({ accountId, taskId }) : PausedEntity.delete({ accountId, taskId })

const queued = ({ accountId, taskId, isQueued }: TaskRow) =>
  isQueued ? QueuedEntity.put({ accountId, taskId }) : QueuedEntity.delete({ accountId, taskId })

const identity = ["accountId", "taskId", "agentId", "createdAt", "sweepShard", "sweepAt"]

/** Conditional on the version. What is undefined in `after` is removed. */
export function update(before: TaskRow, after: TaskRow) {
  const { accountId, taskId } = before
  const changed = Object.entries(after).filter(
    ([key, value]) => !identity.includes(key) && value !== before[key as keyof TaskRow],
  )
  const set = Object.fromEntries(changed.filter(([, value]) => value !== undefined))
  const gone = changed.filter(([, value]) => value === undefined).map(([key]) => key)
  const swept = after.sweepAt === before.sweepAt ? {} : { sweepShard: after.sweepShard, sweepAt: after.sweepAt }
  return TaskEntity.patch({ accountId, taskId })
    .set({ ...set, ...(after.sweepAt === undefined ? {} : swept) } as { version: number })
    .remove([...gone, ...(after.sweepAt === undefined ? ["sweepShard", "sweepAt"] : [])] as ["error"])
    .where(({ version }, { eq }) => eq(version, before.version))
}
