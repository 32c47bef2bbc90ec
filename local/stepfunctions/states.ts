import { randomUUID } from "node:crypto"
import { millis } from "../../core/clock.ts"
import type { ChoiceState, FailState, State, TaskState, WaitState } from "./definition.ts"
import type { Change, Execution, HistoryEvent } from "./execution.ts"
import { failureOf, StateError, withinLimit } from "./failure.ts"
import { evaluateAs } from "./jsonata.ts"
import { bindingsOf, evaluationFailed, failed, leave, settled, stateOf } from "./leave.ts"
import { retryOrCatch } from "./retry.ts"
import { newToken } from "./token.ts"

/** What the states do. A step reads an execution and answers with the change to be made; it writes nothing. */

/** The next thing to be done for an execution that is `ready`, `succeeded`, `failed`, or whose wait is over. */
export const step = async (execution: Execution): Promise<Change> => {
  const state = stateOf(execution)
  if (execution.progress.phase === "failed") return retryOrCatch(execution, state)
  // The time of entry is fixed once, so that every expression of the state and the history tell the same one.
  const entering = execution.progress.phase === "ready"
  const current = entering ? { ...execution, progress: { ...execution.progress, enteredAt: millis() } } : execution
  const before = entering ? [enteredEvent(current, state)] : []
  const change = await carryOut(current, state).catch((error: unknown) => broken(current, error))
  return { ...change, events: [...before, ...change.events] }
}

const carryOut = async (execution: Execution, state: State): Promise<Change> => {
  const { phase, input, result } = execution.progress
  switch (state.Type) {
    case "Task":
      return phase === "succeeded" ? leave(execution, state, result, { result }) : schedule(execution, state)
    case "Wait":
      return phase === "waiting" ? leave(execution, state, input) : wait(execution, state)
    case "Choice":
      return choose(execution, state)
    case "Fail":
      return fail(execution, state)
    default:
      return leave(execution, state, input)
  }
}

/** A state that cannot be carried out has failed. */
const broken = ({ progress }: Execution, thrown: unknown): Change => {
  const failure = failureOf(thrown)
  return { events: evaluationFailed(progress.state, failure), progress: failed(progress, failure) }
}

const enteredEvent = ({ progress }: Execution, state: State): HistoryEvent => ({
  type: `${state.Type}StateEntered`,
  details: { name: progress.state, input: JSON.stringify(progress.input), inputDetails: { truncated: false } },
})

const fail = async (execution: Execution, state: FailState): Promise<Change> => {
  const bindings = bindingsOf(execution)
  const [error, cause] = await Promise.all([
    state.Error === undefined ? undefined : evaluateAs(state.Error, bindings, "Error", text),
    state.Cause === undefined ? undefined : evaluateAs(state.Cause, bindings, "Cause", text),
  ])
  return { events: [], end: { status: "FAILED", error, cause } }
}

const choose = async (execution: Execution, state: ChoiceState): Promise<Change> => {
  const { input } = execution.progress
  const bindings = bindingsOf(execution)
  for (const [index, choice] of state.Choices.entries()) {
    const location = `Choices[${index}]/Condition`
    if (await evaluateAs(choice.Condition, bindings, location, truth)) return leave(execution, choice, input)
  }
  if (state.Default !== undefined) return leave(execution, { ...state, Next: state.Default }, input)
  throw new StateError("States.NoChoiceMatched", "No condition of the Choice state was met, and it has no Default.")
}

const wait = async (execution: Execution, state: WaitState): Promise<Change> => {
  const bindings = bindingsOf(execution)
  const wakeAt =
    state.Seconds === undefined
      ? Date.parse(await evaluateAs(state.Timestamp, bindings, "Timestamp", timestamp))
      : millis() + 1_000 * (await evaluateAs(state.Seconds, bindings, "Seconds", seconds(0)))
  return { events: [], progress: { ...execution.progress, phase: "waiting", wakeAt } }
}

/** Begins an attempt of a task: the call is written down first, and made once that has been committed. */
const schedule = async (execution: Execution, state: TaskState): Promise<Change> => {
  const resource = resourceOf(state)
  const token = state.Resource.endsWith(".waitForTaskToken") ? newToken(execution.arn) : undefined
  const attempt: Execution = { ...execution, progress: { ...settled(execution.progress), token } }
  const bindings = bindingsOf(attempt)
  const [args, timeout, heartbeat] = await Promise.all([
    evaluateAs(state.Arguments, bindings, "Arguments", callArguments),
    state.TimeoutSeconds === undefined ? undefined : evaluateAs(state.TimeoutSeconds, bindings, "TimeoutSeconds", seconds(1)),
    state.HeartbeatSeconds === undefined
      ? undefined
      : evaluateAs(state.HeartbeatSeconds, bindings, "HeartbeatSeconds", seconds(1)),
  ])
  withinLimit(args, `The arguments of the state ${execution.progress.state}`)
  const at = millis()
  const [, , , region = "", account = ""] = execution.machine.split(":")
  const name = args.FunctionName
  const call = {
    id: randomUUID(),
    function: name.startsWith("arn:") ? name : `arn:aws:lambda:${region}:${account}:function:${name}`,
    payload: args.Payload ?? null,
  }
  const scheduled = {
    ...resource,
    region,
    parameters: JSON.stringify(args),
    timeoutInSeconds: timeout,
    heartbeatInSeconds: heartbeat,
  }
  return {
    events: [
      { type: "TaskScheduled", details: scheduled },
      { type: "TaskStarted", details: resource },
    ],
    progress: {
      ...attempt.progress,
      phase: "invoking",
      call,
      timeoutAt: timeout === undefined ? undefined : at + 1_000 * timeout,
      heartbeatMs: heartbeat === undefined ? undefined : 1_000 * heartbeat,
      heartbeatAt: heartbeat === undefined ? undefined : at + 1_000 * heartbeat,
    },
  }
}

/** How the history names what a task calls. */
export const resourceOf = ({ Resource }: TaskState) => {
  const [resourceType = "", ...rest] = Resource.replace("arn:aws:states:::", "").split(":")
  return { resourceType, resource: rest.join(":") }
}

const text = { name: "a string", is: (value: unknown): value is string => typeof value === "string" }
const truth = { name: "a boolean", is: (value: unknown): value is boolean => typeof value === "boolean" }
const timestamp = {
  name: "a timestamp such as 2030-01-31T12:00:00Z",
  is: (value: unknown): value is string =>
    typeof value === "string" &&
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(value) &&
    !Number.isNaN(Date.parse(value)),
}
const seconds = (least: number) => ({
  name: `a whole number of seconds from ${least} to 99999999`,
  is: (value: unknown): value is number => Number.isInteger(value) && Number(value) >= least && Number(value) <= 99_999_999,
})
const callArguments = {
  name: "an object with a FunctionName and a Payload",
  is: (value: unknown): value is { FunctionName: string; Payload?: unknown } =>
    typeof value === "object" &&
    value !== null &&
    "FunctionName" in value &&
    typeof value.FunctionName === "string" &&
    value.FunctionName !== "",
}
