import * as Billing from "./billing.ts"
import { now } from "./clock.ts"
import { type Change, next, type Signal } from "./lifecycle.ts"
import * as Log from "./log.ts"
import { MessageEntity } from "./message.entity.ts"
import * as Message from "./message.ts"
import { Problem } from "./problem.ts"
import { RunEntity, type RunRow } from "./run.entity.ts"
import { ResultEntity, type TaskRow } from "./task.entity.ts"
import * as Task from "./task.ts"
import { isRepeated, transact, type Writes } from "./transaction.ts"
import { transition } from "./transition.ts"

/**
 * What happens to a task, with its run and its money, in one write: the one place where a run's use becomes its task's cost.
 */

export interface Step {
  signal: Signal
  set?: Partial<TaskRow>
  about?: object
  /** Said with it. A one-shot task has no messages: what its agent says at last is its result. */
  messages?: Message.Said[]
  /** As text.ts keeps it. */
  result?: string | undefined
  /** Why the run ended, where it did not end well. */
  reason?: string
  /** What goes into the same transaction. One that is refused makes everything be decided again. */
  writes?: Writes<string>
}

interface Done {
  before: TaskRow
  task: TaskRow
  /** The current run, or the latest, as it is now. */
  run: RunRow | undefined
  at: string
}

const tries = 20

/**
 * Has something happen to a task. `decide` sees it with its run and says what; it is asked again when somebody else wrote in between.
 * Undefined where nothing was to be done. Raises `task_not_found`, `conflict`, and whatever the lifecycle refuses.
 */
export async function happen(
  accountId: string,
  taskId: string,
  decide: (task: TaskRow, run: RunRow | undefined) => Step | undefined | Promise<Step | undefined>,
): Promise<Done | undefined> {
  // A request that comes again finds what it has made of the task, and need not make it again.
  const isAgain = isRepeated()
  for (let attempt = 1; attempt <= tries; attempt++) {
    const { task, run } = await load(accountId, taskId)
    const at = now().toISOString()
    if (isAgain) return { before: task, task, run, at }
    const step = await decide(task, run)
    const done = step && (await carryOut(task, task.container === "none" ? undefined : run, step, at))
    if (done === "refused") continue
    return done && { before: task, task: done.task, run: run && { ...run, ...done.run }, at }
  }
  throw new Problem("conflict")
}

async function load(accountId: string, taskId: string) {
  const task = await Task.row(accountId, taskId)
  if (task.runId === undefined) return { task, run: undefined }
  const { data: run } = await RunEntity.get({ accountId, taskId, runId: task.runId }).go({ consistent: true })
  return { task, run: run ?? undefined }
}

/** One transaction: task, events, messages, run, result, ledger, balance and signal. */
async function carryOut(task: TaskRow, run: RunRow | undefined, step: Step, at: string) {
  const { accountId, taskId } = task
  const bill = run && isSettledBy(task, step.signal) ? billOf(run, step.signal, at) : undefined
  const messages = task.isConversation ? (step.messages ?? []) : []
  const set = { ...(run && bill && addUse(task, run, bill)), ...step.set }
  const moved = transition(task, step.signal, at, { set, about: step.about, messages: messages.length })
  if (!moved) return undefined
  const runSet = run && runAfter(run, moved.change, step, at)
  const charge = run && bill?.seconds ? { charge: { runId: run.runId, turn: task.turnNumber, seconds: bill.seconds } } : {}
  const refused = await transact({
    ...moved.writes,
    ...step.writes,
    ...messageWrites(task, moved.task, messages, at),
    run: run && runSet && patchRun(run, runSet),
    result: step.result === undefined ? undefined : ResultEntity.put({ accountId, taskId, result: step.result }),
    ...Billing.settle(task, { ...charge, release: moved.ends, leaves: hasLeft(task, moved.task) }, at),
  })
  return refused.length ? "refused" : { task: moved.task, run: runSet }
}

const hasLeft = (before: TaskRow, after: TaskRow) => before.container !== "none" && after.container === "none"

const messageWrites = (before: TaskRow, after: TaskRow, messages: Message.Said[], at: string) =>
  Object.fromEntries(
    messages.map((message, i) => [
      `message${i}`,
      MessageEntity.create(Message.row(before, after, message, before.messageSequence + 1 + i, at)),
    ]),
  )

/** At the end of a run, and of each of its turns, what it used becomes its task's. */
function isSettledBy(task: TaskRow, signal: Signal) {
  const change = next(task, signal)
  return change !== undefined && "set" in change && (change.run !== undefined || signal.kind === "turn_completed")
}

interface Bill {
  seconds: number
  /** Whether its time counts against the runtime limit. */
  isCounted: boolean
}

const byItself: readonly Signal["kind"][] = ["turn_completed", "completed", "failed", "released"]

/** A run that ends by itself is charged to its end, any other to the last time that its container was heard of. */
function billOf({ billedFrom, heartbeatAt }: RunRow, { kind }: Signal, at: string): Bill {
  const isCounted = byItself.includes(kind)
  const until = isCounted ? at : heartbeatAt
  if (!billedFrom || !until) return { seconds: 0, isCounted }
  return { seconds: Math.max(0, Math.ceil((Date.parse(until) - Date.parse(billedFrom)) / 1000)), isCounted }
}

const uses = ["inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens", "modelCostMicros"] as const

/** What the run used since the task was last told of it. */
const addUse = (task: TaskRow, run: RunRow, { seconds, isCounted }: Bill): Partial<TaskRow> => ({
  ...Object.fromEntries(uses.map((use) => [use, task[use] + run[use] - run.settled[use]])),
  costMicros: task.costMicros + Billing.costOf(seconds),
  containerSeconds: task.containerSeconds + seconds,
  runtimeSeconds: task.runtimeSeconds + (isCounted ? seconds : 0),
})

/** What becomes of the run; undefined where nothing does. */
function runAfter(run: RunRow, change: Change, { signal, reason }: Step, at: string): Partial<RunRow> | undefined {
  const settled = Object.fromEntries(uses.map((use) => [use, run[use]])) as Record<(typeof uses)[number], number>
  if (change.run)
    return { status: change.run, endedAt: at, settled, billedFrom: undefined, ...(reason === undefined ? {} : { reason }) }
  if (signal.kind === "turn_completed") return { settled, billedFrom: undefined }
  return signal.kind === "turn_taken" ? { billedFrom: at, heartbeatAt: at } : undefined
}

/** Whatever the gateway metered or the daemon reported since we read the run would be lost to the task, so it is a condition. */
function patchRun(run: RunRow, { billedFrom, ...set }: Partial<RunRow>) {
  const { accountId, taskId, runId } = run
  return RunEntity.patch({ accountId, taskId, runId })
    .set({ ...set, ...(billedFrom === undefined ? {} : { billedFrom }) })
    .remove(billedFrom === undefined ? ["billedFrom"] : [])
    .where((row, { eq }) =>
      [eq(row.status, run.status), eq(row.requests, run.requests), eq(row.modelCostMicros, run.modelCostMicros)].join(" AND "),
    )
}

/**
 * Ends a run whose container is gone: its time is charged to its last heartbeat and the execution hears that it was lost. Nothing
 * where it is not the current run any more, or has ended already.
 */
export async function lose(accountId: string, taskId: string, runId: string, reason: string): Promise<void> {
  const done = await happen(accountId, taskId, (task) =>
    task.runId === runId ? { signal: { kind: "lost" }, reason } : undefined,
  )
  if (done?.before.status !== "running" && done?.before.status !== "pending") return
  const attempt = done.task.attempt
  await Log.note(accountId, taskId, attempt, `The container of attempt ${attempt} was lost: ${reason}`)
}

/** Ends a task that did not end itself, with the run that it may have. Nothing where it has ended already. */
export async function giveUp(accountId: string, taskId: string, error: string): Promise<TaskRow> {
  const done = await happen(accountId, taskId, () => ({ signal: { kind: "given_up", error }, reason: error }))
  if (!done) return Task.row(accountId, taskId)
  await Log.note(accountId, taskId, Math.max(done.task.attempt, 1), error)
  return done.task
}
