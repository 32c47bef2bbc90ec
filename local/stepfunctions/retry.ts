import { millis } from "../../core/clock.ts"
import type { State } from "./definition.ts"
import type { Change, Ending, Execution } from "./execution.ts"
import { type Failure, failureOf, takes } from "./failure.ts"
import { evaluationFailed, leave, settled } from "./leave.ts"

/** After a failure: the first Retry that takes it, unless it is used up; then the first Catch; else the execution has failed. */
export const retryOrCatch = async (execution: Execution, state: State): Promise<Change> => {
  const { failure = { error: "States.Runtime" } } = execution.progress
  if (state.Type !== "Task") return { events: [], end: failedBy(failure) }
  const again = retry(execution, state.Retry, failure)
  if (again) return again
  const catcher = state.Catch.find(({ ErrorEquals }) => takes(ErrorEquals, failure))
  if (!catcher) return { events: [], end: failedBy(failure) }
  // AWS always gives a cause to a Catch, an empty one where there is none.
  const errorOutput = { Error: failure.error, Cause: failure.cause ?? "" }
  try {
    return await leave(execution, catcher, errorOutput, { errorOutput })
  } catch (thrown) {
    const own = failureOf(thrown)
    return { events: evaluationFailed(execution.progress.state, own), end: failedBy(own) }
  }
}

const failedBy = ({ error, cause }: Failure): Ending => ({ status: "FAILED", error, cause })

type Retriers = Extract<State, { Type: "Task" }>["Retry"]

/** Only the first entry that takes the failure counts: when its attempts are used up, a later one does not step in. */
const retry = ({ progress }: Execution, retriers: Retriers, failure: Failure): Change | undefined => {
  const index = retriers.findIndex(({ ErrorEquals }) => takes(ErrorEquals, failure))
  const retrier = retriers[index]
  const used = progress.retries[index] ?? 0
  if (!retrier || used >= retrier.MaxAttempts) return undefined
  const { IntervalSeconds, BackoffRate, MaxDelaySeconds = Number.POSITIVE_INFINITY, JitterStrategy } = retrier
  const delay = Math.min(IntervalSeconds * BackoffRate ** used, MaxDelaySeconds, 99_999_999)
  const wait = JitterStrategy === "FULL" ? delay * Math.random() : delay
  return {
    events: [],
    progress: {
      ...settled(progress),
      phase: "retrying",
      wakeAt: Math.ceil((progress.failedAt ?? millis()) + 1_000 * wait),
      attempt: progress.attempt + 1,
      retries: { ...progress.retries, [index]: used + 1 },
    },
  }
}
