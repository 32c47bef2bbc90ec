/** How a state fails, and which `ErrorEquals` takes the failure. */

/** What went wrong in a state, as Retry, Catch and the history see it. */
export interface Failure {
  error: string
  cause?: string
  /** Which field of the state could not be evaluated. */
  location?: string
  /** The timeout came from a missing heartbeat. */
  heartbeat?: boolean
}

/** Thrown while a state is carried out; ends in the state's Retry and Catch. */
export class StateError extends Error {
  readonly failure: Failure

  constructor(error: string, cause?: string, location?: string) {
    super(cause ?? error)
    this.name = error
    this.failure = { error, cause, location }
  }
}

/** What was thrown while a state was carried out. What is not the machine's doing is a runtime error, which nothing takes. */
export const failureOf = (thrown: unknown): Failure =>
  thrown instanceof StateError
    ? thrown.failure
    : { error: "States.Runtime", cause: thrown instanceof Error ? thrown.message : String(thrown) }

/** Bytes that a payload, an output or a variable may have as JSON. */
export const payloadLimit = 262_144

export const bytesOf = (json: string) => Buffer.byteLength(json)

/** Answers `value`, or fails the state when it is larger than AWS lets a payload be. */
export const withinLimit = <Value>(value: Value, what: string): Value => {
  const size = bytesOf(JSON.stringify(value))
  if (size <= payloadLimit) return value
  throw new StateError("States.DataLimitExceeded", `${what} is ${size} bytes; the most is ${payloadLimit}.`)
}

const terminal = ["States.Runtime", "States.DataLimitExceeded"]

/**
 * Whether one of the names of a Retry or Catch takes this failure.
 *
 * The public Amazon States Language specification (states-language.net/spec.html, Appendix A) defines States.HeartbeatTimeout as a
 * task that failed to heartbeat within HeartbeatSeconds, and States.Timeout as a task that ran past TimeoutSeconds *or* failed to
 * heartbeat. So a missed heartbeat answers to both names and the first entry that has either takes it. The error that AWS
 * records for it is States.Timeout. States.TaskFailed is a wildcard for everything but States.Timeout, and neither
 * wildcard takes the terminal errors; DataLimitExceeded can still be caught by its own name, Runtime by none ("Handling
 * errors in Step Functions workflows", developer guide).
 */
export const takes = (names: string[], failure: Failure) => names.some((name) => takesOne(name, failure))

const takesOne = (name: string, { error, heartbeat }: Failure) => {
  if (error === "States.Runtime") return false
  if (name === error) return true
  if (terminal.includes(error)) return false
  if (name === "States.ALL") return true
  if (name === "States.TaskFailed") return error !== "States.Timeout"
  return name === "States.HeartbeatTimeout" && heartbeat === true
}

const longestCause = 32_768

/** What a call of a function threw. Errors of Lambda itself carry a sentence, those of the code what its runtime reports. */
export const failureOfCall = (thrown: unknown): Failure => {
  if (!(thrown instanceof Error))
    return { error: "Error", cause: JSON.stringify({ errorType: "Error", errorMessage: String(thrown) }) }
  const { name, message, stack = "" } = thrown
  if (/^(Lambda|States|Sandbox|Runtime|Function)\./.test(name)) return { error: name, cause: message.slice(0, longestCause) }
  const trace = stack.split("\n").slice(0, 20)
  const cause = JSON.stringify({ errorType: name, errorMessage: message, trace })
  const short = JSON.stringify({ errorType: name, errorMessage: message.slice(0, longestCause / 8), trace: [] })
  return { error: name, cause: cause.length > longestCause ? short : cause }
}
