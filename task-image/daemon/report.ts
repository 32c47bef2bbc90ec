import { join } from "node:path"
import { errorCharacters, resultCharacters } from "../../core/protocol.ts"
import { keepOutputs } from "./outputs.ts"
import type { Run } from "./run.ts"
import type { Worked } from "./work.ts"

/** Exit code of a container that was stopped before its work was done: as a process has that is ended by SIGTERM. */
const stoppedCode = 143

/** Saves what the agent has left behind and says how the run has ended. Answers with the exit code of the process. */
export const report = async (run: Run, { error, result, costUsd }: Worked): Promise<number> => {
  const { api, claimed, logs, stop, settings } = run
  const runId = claimed.run.id
  const wrong = await keepOutputs({
    api,
    logs,
    runId,
    folder: join(settings.workspace, "output"),
    policy: claimed.bundle.output_policy,
  })
  const failure = error ?? wrong
  if (failure) logs.say("daemon", failure)
  else logs.say("daemon", "The agent has finished")
  await logs.flush()
  await api.usage(runId, { cost_usd: Number.isFinite(costUsd) ? costUsd : 0 })

  // Unreported, the attempt counts as lost and is made again. That of a cancelled task must not be, even if SIGTERM came first.
  const wasStopped = error !== undefined && stop.cause() === "terminated"
  const wasCancelled = wasStopped && (await isCancelled(run))
  if (wasStopped && !wasCancelled) return stoppedCode
  run.isEnding = true
  const said = result === null ? null : shorten(result, resultCharacters)
  const reason = wasCancelled ? "The task was cancelled." : failure
  if (reason) await api.fail(runId, { error: shorten(reason, errorCharacters), result: said })
  else await api.complete(runId, { result: said })
  return 0
}

const isCancelled = async ({ api, claimed }: Run) => {
  const { signals } = await api.beat(claimed.run.id)
  return signals.some(({ kind }) => kind === "cancel")
}

const mark = " … (shortened)"

const shorten = (text: string, characters: number) =>
  (text.length > characters ? text.slice(0, characters - mark.length) + mark : text).toWellFormed()
