import { join } from "node:path"
import { errorCharacters, messageCharacters, resultCharacters } from "../../core/protocol.ts"
import { type AgentMessage, isAway, Refused } from "./api.ts"
import { keepOutputs } from "./outputs.ts"
import type { Run } from "./run.ts"
import { isTold } from "./signals.ts"
import type { TurnOutcome } from "./turn.ts"

/** Exit code of a container that was stopped before its work was done: as a process has that is ended by SIGTERM. */
export const stoppedCode = 143

/** Stores what is in `output/` now. Answers with what is wrong with it, for the person who asked for it. */
export const storeOutputs = ({ api, claimed, logs, settings, known }: Run) =>
  keepOutputs({
    api,
    logs,
    runId: claimed.run.id,
    folder: join(settings.workspace, "output"),
    policy: claimed.bundle.output_policy,
    known,
  })

/** Sends what there is to say before the end of a turn or of the run. */
export const settleUp = async ({ api, claimed, logs, cost }: Run) => {
  await logs.flush()
  const cost_usd = await cost.untold()
  if (cost_usd !== undefined) await api.usage(claimed.run.id, { cost_usd })
}

/** The agent's last words, and the latest message that it had been told of by then. */
type Said = { result: string | null; messages: AgentMessage[]; after: number }

/** The work is done. `message_waiting`: it is not, since somebody has written meanwhile. */
export const reportDone = async (run: Run, { result, messages, after }: Said): Promise<number | "message_waiting"> => {
  const { api, claimed, logs } = run
  logs.say("daemon", "The agent has finished")
  await settleUp(run)
  return end(run, () => api.complete(claimed.run.id, { result: cut(result), messages, after }))
}

/** The work cannot be done; what was made of it is kept. */
export const reportFailure = async (run: Run, error: string, result: string | null): Promise<number> => {
  run.logs.say("daemon", error)
  await settleUp(run)
  await end(run, () => run.api.fail(run.claimed.run.id, { error: shorten(error, errorCharacters), result: cut(result) }))
  return 0
}

/**
 * The container was stopped from outside: unreported, the attempt counts as lost and is made again. That of a cancelled task must not
 * be, even if SIGTERM came first.
 */
export const reportStopped = async (run: Run, result: string | null): Promise<number> => {
  const { signals } = await run.api.stand(run.claimed.run.id)
  if (isTold(signals, "cancel")) return reportFailure(run, "The task was cancelled.", result)
  run.logs.say("daemon", "The container was stopped.")
  await settleUp(run)
  return stoppedCode
}

/** Ends the run by a call after which the API may well say that it is over. */
export const end = async (run: Run, call: () => Promise<unknown>): Promise<0 | "message_waiting"> => {
  run.isEnding = true
  if (await isTaken(() => insist(run, call))) return 0
  run.isEnding = false
  return "message_waiting"
}

/**
 * Repeats the call as long as the API is away, until it has answered: what was done would be done again by the next attempt, whose
 * beginning ends this one. A container that is stopped does not have the time, nor one that nobody pays for.
 */
const insist = async (run: Run, call: () => Promise<unknown>) => {
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (!isAway(error) || run.stop.cause() === "terminated" || run.stop.cause() === "paused") throw error
      run.logs.say("daemon", `The end of the run could not be reported (${(error as Error).message}). Asking again`)
    }
  }
}

/** What the API says while there is a message that the agent has not seen, or a turn that it has been given and not begun. */
const unseen = ["message_waiting", "turn_running"]

/** Whether the API took an end: it does not while there is more to do. */
export const isTaken = async (call: () => Promise<unknown>): Promise<boolean> => {
  try {
    await call()
    return true
  } catch (error) {
    if (!(error instanceof Refused && unseen.includes(error.code ?? ""))) throw error
    return false
  }
}

/** What the agent said in a turn, as the person reads it. */
export const messagesOf = ({ text, usage, costUsd = 0 }: TurnOutcome, failure?: string): AgentMessage[] => {
  const content = [text, failure].filter(Boolean).join("\n\n")
  if (!content) return []
  return [
    {
      content: shorten(content, messageCharacters),
      usage: {
        input_tokens: usage?.input ?? 0,
        output_tokens: usage?.output ?? 0,
        cache_read_tokens: usage?.cacheRead ?? 0,
        cache_write_tokens: usage?.cacheWrite ?? 0,
      },
      cost_usd: Number.isFinite(costUsd) ? costUsd : 0,
    },
  ]
}

const cut = (result: string | null) => (result === null ? null : shorten(result, resultCharacters))

const mark = " … (shortened)"

const shorten = (text: string, characters: number) =>
  (text.length > characters ? text.slice(0, characters - mark.length) + mark : text).toWellFormed()
