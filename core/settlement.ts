import * as Billing from "./billing.ts"
import { now } from "./clock.ts"
import * as Execution from "./execution.ts"
import { isTerminal, type Signal } from "./lifecycle.ts"
import * as Log from "./log.ts"
import { Problem } from "./problem.ts"
import { RunEntity, type RunRow } from "./run.entity.ts"
import { ResultEntity, type TaskRow } from "./task.entity.ts"
import * as Task from "./task.ts"
import * as Text from "./text.ts"
import { transact } from "./transaction.ts"

/** How runs and tasks end, with their money: the one place where a run's use becomes its task's cost. */

interface Ref {
  accountId: string
  taskId: string
  runId: string
}

const endStatus = { completed: "completed", failed: "failed" } as const

/** Ends a run as its own container says, and its task with it. Raises `lease_lost`. */
export async function end(
  ref: Ref,
  signal: Extract<Signal, { kind: "completed" | "failed" }>,
  result: string | null,
): Promise<RunRow> {
  const stored = result === null ? undefined : await Text.store(ref.accountId, result)
  for (;;) {
    const { task, run } = await load(ref)
    const status = endStatus[signal.kind]
    if (run.status === status) return run
    if (run.status !== "claimed" || task.runId !== ref.runId) throw new Problem("lease_lost")
    if (await finish(task, run, signal, { status, result: stored })) return { ...run, status }
  }
}

/**
 * Ends a run whose container is gone: its time is charged to its last heartbeat and the execution hears that it was lost. Nothing
 * where the run has ended already.
 */
export async function lose(ref: Ref, reason: string): Promise<void> {
  for (;;) {
    const { task, run } = await load(ref)
    if (run.status !== "starting" && run.status !== "claimed") return
    const isDone = await finish(task, run, { kind: "lost" }, { status: "lost", reason })
    if (!isDone) continue
    if (!isTerminal(task.status))
      await Log.note(ref.accountId, ref.taskId, run.attempt, `The container of attempt ${run.attempt} was lost: ${reason}`)
    return
  }
}

/** Ends a task that did not end itself, with the run that it may have. Nothing where it has ended already. */
export async function fail(accountId: string, taskId: string, error: string): Promise<TaskRow> {
  for (;;) {
    const task = await Task.row(accountId, taskId)
    if (isTerminal(task.status)) return task
    const run = task.runId === undefined ? undefined : (await load({ accountId, taskId, runId: task.runId })).run
    const isLive = run && (run.status === "starting" || run.status === "claimed")
    const isDone = await finish(task, isLive ? run : undefined, { kind: "failed", error }, { status: "lost", reason: error })
    if (!isDone) continue
    await Log.note(accountId, taskId, Math.max(task.attempt, 1), error)
    return task
  }
}

interface Outcome {
  status: "completed" | "failed" | "lost"
  reason?: string
  result?: string | undefined
}

/** One transaction: task, events, run, result, ledger, balance and signal. False when somebody else wrote in between. */
async function finish(
  task: TaskRow,
  run: RunRow | undefined,
  signal: Signal,
  { status, reason, result }: Outcome,
): Promise<boolean> {
  const { accountId, taskId } = task
  const at = now().toISOString()
  const seconds = run ? secondsOf(run, signal.kind === "lost" || status === "lost" ? run.heartbeatAt : at) : 0
  const used = run
    ? {
        ...addUse(task, run),
        costMicros: task.costMicros + Billing.costOf(seconds),
        containerSeconds: task.containerSeconds + seconds,
      }
    : {}
  const change = Task.change(task, signal, at, used)
  const refused = await transact({
    ...change?.writes,
    run:
      run &&
      RunEntity.patch({ accountId, taskId, runId: run.runId })
        .set({ status, endedAt: at, ...(reason === undefined ? {} : { reason }) })
        // Whatever the gateway metered since we read the run would be lost to the task: read again.
        .where((row, { eq }) => `${eq(row.status, run.status)} AND ${eq(row.requests, run.requests)}`),
    result: result === undefined ? undefined : ResultEntity.put({ accountId, taskId, result }),
    ...(change &&
      Billing.settle(
        task,
        { ...(run && seconds > 0 ? { charge: { runId: run.runId, seconds } } : {}), release: change.ends },
        at,
      )),
    signal: change?.close && run ? Execution.signal(accountId, taskId, run.runId, change.close) : undefined,
  })
  return refused.length === 0
}

/** Container time from the claim, in whole seconds, begun ones counted. None where it was never claimed. */
const secondsOf = (run: RunRow, until: string | undefined) =>
  run.claimedAt && until ? Math.max(0, Math.ceil((Date.parse(until) - Date.parse(run.claimedAt)) / 1000)) : 0

const addUse = (task: TaskRow, run: RunRow) => ({
  inputTokens: task.inputTokens + run.inputTokens,
  outputTokens: task.outputTokens + run.outputTokens,
  cacheReadTokens: task.cacheReadTokens + run.cacheReadTokens,
  cacheWriteTokens: task.cacheWriteTokens + run.cacheWriteTokens,
  modelCostMicros: task.modelCostMicros + run.modelCostMicros,
})

async function load({ accountId, taskId, runId }: Ref) {
  const [task, run] = await Promise.all([
    Task.row(accountId, taskId),
    RunEntity.get({ accountId, taskId, runId }).go({ consistent: true }),
  ])
  if (!run.data) throw new Problem("run_not_found")
  return { task, run: run.data }
}
