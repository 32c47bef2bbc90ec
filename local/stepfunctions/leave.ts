import { millis } from "../../core/clock.ts"
import type { State } from "./definition.ts"
import type { Change, Execution, HistoryEvent, Progress } from "./execution.ts"
import { type Failure, withinLimit } from "./failure.ts"
import { type Bindings, evaluate } from "./jsonata.ts"

/** What all states share: what their expressions see, how they are left, and how they are seen to have failed. */

export const stateOf = ({ definition, progress }: Execution): State => {
  const state = definition.States[progress.state]
  if (!state) throw new Error(`There is no state ${progress.state}`)
  return state
}

/** The variables, and `$states`. */
export const bindingsOf = (execution: Execution, extra: Bindings = {}): Bindings => {
  const { progress } = execution
  return { ...progress.variables, states: { input: progress.input, context: contextOf(execution), ...extra } }
}

const iso = (time: number) => new Date(time).toISOString()

const contextOf = ({ arn, name, role, input, startedAt, machine, machineName, progress }: Execution) => ({
  Execution: {
    Id: arn,
    Input: JSON.parse(input) as unknown,
    Name: name,
    RoleArn: role,
    StartTime: iso(startedAt),
    RedriveCount: 0,
  },
  State: { Name: progress.state, EnteredTime: iso(progress.enteredAt ?? startedAt), RetryCount: progress.attempt },
  StateMachine: { Id: machine, Name: machineName },
  ...(progress.token ? { Task: { Token: progress.token } } : {}),
})

interface Way {
  Next?: string
  Output?: unknown
  Assign?: Record<string, unknown>
}

/** Leaves the state by one of its ways. `otherwise` is the output where the way has none. */
export const leave = async (execution: Execution, way: Way, otherwise: unknown, extra: Bindings = {}): Promise<Change> => {
  const { progress } = execution
  const bindings = bindingsOf(execution, extra)
  const [output, assigned] = await Promise.all([
    way.Output === undefined ? otherwise : evaluate(way.Output, bindings, "Output"),
    evaluate(way.Assign ?? {}, bindings, "Assign") as Promise<Record<string, unknown>>,
  ])
  withinLimit(output, `The output of the state ${progress.state}`)
  for (const [name, value] of Object.entries(assigned)) withinLimit(value, `The variable ${name}`)
  const text = JSON.stringify(output)
  const events = [exitedEvent(execution, text, assigned)]
  if (way.Next === undefined) return { events, end: { status: "SUCCEEDED", output: text } }
  const variables = { ...progress.variables, ...assigned }
  return { events, progress: { state: way.Next, phase: "ready", input: output, variables, attempt: 0, retries: {} } }
}

const exitedEvent = (execution: Execution, output: string, assigned: Record<string, unknown>): HistoryEvent => {
  const texts = Object.entries(assigned).map(([name, value]) => [name, JSON.stringify(value)] as const)
  const variables = { assignedVariables: Object.fromEntries(texts), assignedVariablesDetails: { truncated: false } }
  return {
    type: `${stateOf(execution).Type}StateExited`,
    details: {
      name: execution.progress.state,
      output,
      outputDetails: { truncated: false },
      ...(texts.length > 0 ? variables : {}),
    },
  }
}

/** The task is over without a result. */
export const failed = (progress: Progress, failure: Failure): Progress => ({
  ...settled(progress),
  phase: "failed",
  failure,
  failedAt: millis(),
})

/** Without anything that belongs to one attempt. */
export const settled = ({ state, phase, input, variables, enteredAt, attempt, retries }: Progress): Progress => ({
  ...{ state, phase, input, variables, enteredAt, attempt, retries },
})

export const evaluationFailed = (state: string, { error, cause, location }: Failure): HistoryEvent[] =>
  error === "States.QueryEvaluationError" ? [{ type: "EvaluationFailed", details: { error, cause, location, state } }] : []
