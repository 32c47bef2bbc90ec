import type { Bundle } from "./api.ts"
import { type StopCause, spoken } from "./limits.ts"
import type { Refusal } from "./model-gateway.ts"
import type { TurnOutcome } from "./turn.ts"

type Ended = { outcome: TurnOutcome; cause: StopCause | undefined; refusal: Refusal | undefined; bundle: Bundle }

/** Why the turn did not succeed, and what to do about it, in a sentence or two. `undefined`: it did. */
export const whyFailed = ({ outcome, cause, refusal, bundle }: Ended): string | undefined => {
  if (cause) return whyStopped(cause, bundle)
  if (outcome.broken) return `${outcome.broken}. It may have run out of memory; try again, or split the work into smaller steps.`

  const { provider, model } = bundle.execution
  if (outcome.stopReason === "error") {
    if (refusal) return whyRefused(refusal, bundle)
    return `The answer of ${provider}'s model ${model} broke off: ${outcome.error ?? "no reason was given"}. Start the task again.`
  }
  if (outcome.text) return undefined
  if (outcome.stopReason === "stop") return undefined
  if (outcome.stopReason === "length" || outcome.stopReason === undefined) {
    return `The model ${model} reached its output limit without an answer. Ask for less at once, or choose a model that may write more.`
  }
  return `The agent ended without an answer (${outcome.stopReason}). Start the task again.`
}

const whyStopped = (cause: StopCause, { execution, limits }: Bundle): string => {
  const kept = "What it had written to output/ was kept."
  switch (cause) {
    case "cancelled":
      return "The task was cancelled."
    case "terminated":
      return "The container was stopped."
    case "paused":
      return "The account's credit is used up."
    case "runtime_limit": {
      const limit = spoken(limits.max_runtime_seconds)
      return `The agent was stopped because the run reached its limit of ${limit}. ${kept} Raise maxRuntimeSeconds or give it less to do.`
    }
    case "turn_limit": {
      const limit = spoken(limits.max_runtime_per_turn_seconds ?? limits.max_runtime_seconds)
      return `The agent was stopped because the turn reached its limit of ${limit}. ${kept} Raise maxRuntimePerTurnSeconds or give it less to do.`
    }
    case "stalled":
      return `The agent was stopped because ${execution.provider}'s model ${execution.model} said nothing for ${spoken(limits.model_idle_seconds)}. ${kept} Start the task again, or choose another model.`
  }
}

const whyRefused = ({ status, message, attempts }: Refusal, { execution }: Bundle): string => {
  const { provider, model } = execution
  const times = attempts > 1 ? ` ${attempts} times in a row` : ""
  const said = message.replace(/[.\s]+$/, "")
  switch (status) {
    case 401:
    case 403:
      return `The model provider refused the API key (${status}): ${said}. Check the ${provider} key of this task.`
    case 402:
      return `The model could not be paid for (402): ${said}. Add credit, then start the task again.`
    case 404:
      return `The model provider does not know what was asked for (404): ${said}. Check that ${provider} offers the model ${model}.`
    case 413:
      return `The conversation with the model ${model} has grown too large to go on (413): ${said}. Have the agent read less at once, or split the task.`
    case 422:
      // Mostly the gateway's own words, which say what to do: for instance that nobody has given a key.
      return `The request to the model ${model} of ${provider} was refused (422): ${said}.`
    case 429:
      return `The model provider refused to answer${times} because of its rate limit (429): ${said}. Try again later, or raise the limit of the ${provider} key.`
  }
  if (status >= 500) return `The model provider failed${times} (${status}): ${said}. Try again later, or choose another model.`
  return `The model provider refused the request (${status}): ${said}. Check the model ${model} and the instructions.`
}
