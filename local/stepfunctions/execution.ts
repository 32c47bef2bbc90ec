import type { Definition } from "./definition.ts"
import type { Failure } from "./failure.ts"

/** An execution, what may change of it, and how a change is described. */

export type Status = "RUNNING" | "SUCCEEDED" | "FAILED" | "TIMED_OUT" | "ABORTED"

/**
 * Where a running execution stands.
 * - `ready`: the state is entered next · `succeeded`, `failed`: the task is over, and the state is left or retried next
 * - `waiting`, `retrying`: until `wakeAt` · `invoking`: the function runs · `submitted`: for its token to come back
 */
type Phase = "ready" | "waiting" | "invoking" | "submitted" | "succeeded" | "failed" | "retrying"

/** A call of a function. The id tells its outcome from that of an earlier attempt. */
interface Call {
  id: string
  function: string
  payload: unknown
}

/** All times are milliseconds since the epoch. */
export interface Progress {
  state: string
  phase: Phase
  input: unknown
  variables: Record<string, unknown>
  enteredAt?: number
  /** How often the state was retried, and by which of its Retry entries. */
  attempt: number
  retries: Record<number, number>
  wakeAt?: number
  call?: Call
  token?: string
  timeoutAt?: number
  heartbeatMs?: number
  heartbeatAt?: number
  result?: unknown
  failure?: Failure
  /** When it failed, which is what the delay of a retry counts from. */
  failedAt?: number
}

export interface Execution {
  number: number
  arn: string
  machine: string
  machineName: string
  name: string
  role: string
  definition: Definition
  status: Status
  input: string
  output?: string
  error?: string
  cause?: string
  startedAt: number
  stoppedAt?: number
  /** When the execution as a whole times out. */
  deadline?: number
  /** How many events its history has. */
  events: number
  progress: Progress
}

export interface HistoryEvent {
  type: string
  details: Record<string, unknown>
}

export interface Ending {
  status: Exclude<Status, "RUNNING">
  output?: string
  error?: string
  cause?: string
}

/** One transition: what goes into the history, and either where the execution stands then or how it ended. */
export type Change =
  | { events: HistoryEvent[]; progress: Progress; end?: never }
  | { events: HistoryEvent[]; end: Ending; progress?: never }

/** Whether there is something to do without waiting for anybody. */
export const isRunnable = ({ status, progress }: Execution) =>
  status === "RUNNING" && (progress.phase === "ready" || progress.phase === "succeeded" || progress.phase === "failed")

/** When the clock is the next to act on the execution. */
export const dueAt = ({ status, deadline, progress }: Execution): number | undefined => {
  if (status !== "RUNNING") return undefined
  const { wakeAt, timeoutAt, heartbeatAt } = progress
  const times = [deadline, wakeAt, timeoutAt, heartbeatAt].filter((time) => time !== undefined)
  return times.length > 0 ? Math.min(...times) : undefined
}
