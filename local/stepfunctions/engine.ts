import { after, millis } from "../../core/clock.ts"
import { type Change, type Execution, type HistoryEvent, isRunnable } from "./execution.ts"
import { type Failure, failureOfCall, withinLimit } from "./failure.ts"
import { statusChange } from "./history.ts"
import { failed, settled, stateOf } from "./leave.ts"
import { resourceOf, step } from "./states.ts"
import type { NewExecution, Store } from "./store.ts"

/** Events of one history. The one that ends the execution is the last. */
const historyLimit = 25_000

export interface Surroundings {
  /** Calls a function with the rights of `role`, and answers with what it answered. May throw. */
  invoke: (functionArn: string, payload: unknown, context: { role: string }) => Promise<unknown>
  /** Told of every event of a history, once it has been committed. */
  onEvent?: (event: { executionArn: string; type: string; stateName?: string }) => void
  /** Told of every change of status, as EventBridge's "Step Functions Execution Status Change" has it; at least once, over restarts too. */
  onStatus?: (detail: Record<string, unknown>) => void
}

/**
 * Moves executions on. Whatever happens to one execution (its own steps, the outcome of a call, a token, a stop, the clock) happens
 * one after the other; every transition is one transaction, and only what has been committed has effects.
 */
export class Engine {
  readonly store: Store
  readonly #around: Surroundings
  readonly #queues = new Map<string, Promise<unknown>>()
  readonly #called = new Set<string>()
  #disarm: () => void = () => undefined
  #firing: boolean = false
  #open: boolean = false

  constructor(store: Store, surroundings: Surroundings) {
    this.store = store
    this.#around = surroundings
  }

  /** Goes on with what was running when the file was last closed, or the process killed. */
  start() {
    this.#open = true
    this.#announce()
    for (const arn of this.store.running()) this.#resume(arn)
    this.#arm()
  }

  /** Stops; what is under way is finished up to its next transition. Calls that run are made again after the next start. */
  async close() {
    this.#open = false
    this.#disarm()
    while (this.#queues.size > 0) await Promise.allSettled(this.#queues.values())
    this.store.close()
  }

  begin(execution: NewExecution): Execution {
    const details = { input: execution.input, inputDetails: { truncated: false }, roleArn: execution.role }
    const added = this.store.atomically(() => {
      const fresh = this.store.add(execution)
      return this.#write(fresh, { events: [{ type: "ExecutionStarted", details }], progress: fresh.progress })
    })
    this.#committed(added)
    return added.after
  }

  /**
   * Does one thing to an execution when its turn comes. What the clock has to do comes first, so that nothing is in time that
   * is too late. `work` answers with the change to be made, if any.
   */
  act<Result>(arn: string, work: (execution: Execution) => { change?: Change; result: Result }): Promise<Result | undefined> {
    return this.#inTurn(arn, async () => {
      const execution = await this.#afterClock(arn)
      if (!execution) return undefined
      const { change, result } = work(execution)
      if (change) this.#commit(execution, change)
      return result
    })
  }

  #inTurn<Result>(arn: string, work: () => Promise<Result>): Promise<Result> {
    const before = this.#queues.get(arn) ?? Promise.resolve()
    const turn = before.then(work, work)
    this.#queues.set(arn, turn)
    const leave = () => {
      if (this.#queues.get(arn) === turn) this.#queues.delete(arn)
    }
    turn.then(leave, leave)
    return turn
  }

  /** For work that nobody waits for. What goes wrong in it is a defect, or the disk's; the execution stays as it was committed. */
  #inBackground(arn: string, work: () => Promise<unknown>) {
    this.#inTurn(arn, work).catch((error: unknown) => console.error(`Step Functions could not move ${arn} on:`, error))
  }

  #resume(arn: string) {
    this.#inBackground(arn, async () => {
      const execution = await this.#afterClock(arn)
      if (execution?.status !== "RUNNING") return
      if (execution.progress.phase === "invoking") this.#call(execution)
      if (isRunnable(execution)) this.#commit(execution, await step(execution))
    })
  }

  /** The execution, once everything that was due by now has been done to it. */
  async #afterClock(arn: string): Promise<Execution | undefined> {
    const execution = this.#open ? this.store.find(arn) : undefined
    if (execution?.status !== "RUNNING") return execution
    const change = await due(execution, millis())
    return change ? this.#commit(execution, change) : execution
  }

  #commit(before: Execution, change: Change): Execution {
    const written = this.store.atomically(() => this.#write(before, change))
    this.#committed(written)
    return written.after
  }

  /** Writes a transition. Called inside of a transaction. */
  #write(before: Execution, change: Change) {
    const at = millis()
    const { events, end, progress = before.progress } = withinHistory(before, change)
    const ending = end && { status: end.status, output: end.output, error: end.error, cause: end.cause, stoppedAt: at }
    const changed: Execution = { ...before, progress, ...ending, events: before.events + events.length }
    for (const [index, event] of events.entries()) this.store.addEvent(before.number, before.events + index + 1, at, event)
    this.store.save(changed)
    if (this.#around.onStatus && (end || before.events === 0)) this.store.announceLater(statusChange(changed))
    return { after: changed, events }
  }

  #committed({ after: execution, events }: { after: Execution; events: HistoryEvent[] }) {
    for (const { type, details } of events) {
      const stateName = typeof details.name === "string" ? details.name : undefined
      const event = { executionArn: execution.arn, type, ...(stateName === undefined ? {} : { stateName }) }
      this.#tell(() => this.#around.onEvent?.(event))
    }
    this.#announce()
    this.#arm()
    if (execution.status !== "RUNNING" || !this.#open) return
    if (execution.progress.phase === "invoking") this.#call(execution)
    if (isRunnable(execution)) setImmediate(() => this.#resume(execution.arn))
  }

  #announce() {
    if (!this.#around.onStatus) return
    for (const { number, detail } of this.store.unannounced()) {
      const heard = this.#tell(() => this.#around.onStatus?.(detail))
      if (!heard) return
      this.store.announced(number)
    }
  }

  /** A listener that throws is its own trouble: the transition is committed, and executions go on. */
  #tell(work: () => void): boolean {
    try {
      work()
      return true
    } catch (error) {
      console.error("Step Functions could not tell what happened:", error)
      return false
    }
  }

  /** Makes the call that an execution waits for, unless it is being made. */
  #call({ arn, role, progress: { call } }: Execution) {
    if (!call || this.#called.has(call.id)) return
    this.#called.add(call.id)
    const outcome = async () => {
      try {
        return { payload: ((await this.#around.invoke(call.function, call.payload, { role })) ?? null) as unknown }
      } catch (thrown) {
        return { failure: failureOfCall(thrown) }
      }
    }
    void outcome().then((result) => {
      this.#called.delete(call.id)
      if (!this.#open) return
      this.#inBackground(arn, async () => {
        const execution = await this.#afterClock(arn)
        if (execution?.status !== "RUNNING" || execution.progress.call?.id !== call.id || execution.progress.phase !== "invoking")
          return
        this.#commit(execution, called(execution, result))
      })
    })
  }

  #arm() {
    this.#disarm()
    const next = this.#open && !this.#firing ? this.store.nextDue() : undefined
    if (next !== undefined) this.#disarm = after(Math.max(0, next - millis()), () => void this.#fire())
  }

  async #fire() {
    this.#firing = true
    const turns = this.store.due(millis()).map((arn) => this.#inTurn(arn, () => this.#afterClock(arn)))
    const outcomes = await Promise.allSettled(turns)
    this.#firing = false
    const problem = outcomes.find(({ status }) => status === "rejected")
    if (!problem) return this.#arm()
    console.error("Step Functions could not do what was due, and tries again in a second:", problem)
    if (this.#open) this.#disarm = after(1_000, () => void this.#fire())
  }
}

/** What the clock has to do to a running execution. */
const due = async (execution: Execution, now: number): Promise<Change | undefined> => {
  const { deadline, progress } = execution
  const past = (time: number | undefined) => time !== undefined && time <= now
  if (past(deadline)) return { events: [], end: { status: "TIMED_OUT", error: "States.Timeout" } }
  if (past(progress.wakeAt)) return step(execution)
  if (past(progress.timeoutAt)) return timedOut(execution, { error: "States.Timeout" })
  if (past(progress.heartbeatAt)) return timedOut(execution, { error: "States.Timeout", heartbeat: true })
  return undefined
}

const timedOut = (execution: Execution, failure: Failure): Change => ({
  events: [{ type: "TaskTimedOut", details: { ...resource(execution), error: failure.error } }],
  progress: failed(execution.progress, failure),
})

/** The resource of the task that an execution is in. */
const resource = (execution: Execution) => {
  const state = stateOf(execution)
  if (state.Type !== "Task") throw new Error(`${execution.progress.state} is no task`)
  return resourceOf(state)
}

/** A task whose outcome is known: its result as JSON, or its failure. */
export const taskOver = (execution: Execution, outcome: { output: string } | { failure: Failure }): Change => {
  if ("failure" in outcome) {
    const { error, cause } = outcome.failure
    const events = [{ type: "TaskFailed", details: { ...resource(execution), error, cause } }]
    return { events, progress: failed(execution.progress, outcome.failure) }
  }
  const details = { ...resource(execution), output: outcome.output, outputDetails: { truncated: false } }
  const progress = { ...settled(execution.progress), phase: "succeeded" as const, result: JSON.parse(outcome.output) as unknown }
  return { events: [{ type: "TaskSucceeded", details }], progress }
}

/** A call came back. With a task token that only means that the work was handed over; it is the token that ends the task. */
const called = (execution: Execution, outcome: { payload: unknown } | { failure: Failure }): Change => {
  if ("failure" in outcome) return taskOver(execution, outcome)
  const result = {
    ExecutedVersion: "$LATEST",
    Payload: outcome.payload,
    SdkHttpMetadata: { HttpStatusCode: 200 },
    StatusCode: 200,
  }
  try {
    withinLimit(result, "The result of the function")
  } catch (error) {
    return taskOver(execution, { failure: failureOfCall(error) })
  }
  const output = JSON.stringify(result)
  if (!execution.progress.token) return taskOver(execution, { output })
  const submitted = { ...resource(execution), output, outputDetails: { truncated: false } }
  return { events: [{ type: "TaskSubmitted", details: submitted }], progress: { ...execution.progress, phase: "submitted" } }
}

const ended = {
  SUCCEEDED: "ExecutionSucceeded",
  FAILED: "ExecutionFailed",
  TIMED_OUT: "ExecutionTimedOut",
  ABORTED: "ExecutionAborted",
}

/** Adds the event of an end, and ends what would outgrow its history. */
const withinHistory = (before: Execution, change: Change): Change => {
  const room = historyLimit - 1 - before.events
  const fits = change.events.length <= room
  const cause = `The execution reached the maximum number of history events (${historyLimit}).`
  const { events, end, progress } = fits
    ? change
    : { events: change.events.slice(0, room), end: { status: "FAILED" as const, error: "States.Runtime", cause } }
  if (!end) return { events, progress: progress ?? before.progress }
  const { status, output, error, cause: why } = end
  const details = status === "SUCCEEDED" ? { output, outputDetails: { truncated: false } } : { error, cause: why }
  return { events: [...events, { type: ended[status], details }], end }
}
