import { mkdir } from "node:fs/promises"
import type { CloneSource } from "../../core/git.ts"
import { isPassing, Refused } from "./api.ts"
import { Damaged } from "./checkpoint/manifest.ts"
import { conduct, type Desk, pause } from "./conduct.ts"
import { equip, makeFolder } from "./equipment.ts"
import { whyFailed } from "./failure.ts"
import { GitFailed } from "./git.ts"
import { whatIsLacking } from "./image.ts"
import { chooseIsolation } from "./isolation.ts"
import { createKeep } from "./keep.ts"
import { spoken, watchLimits } from "./limits.ts"
import { finishUp } from "./prompts.ts"
import { reportFailure, reportStopped, storeOutputs } from "./report.ts"
import type { Run } from "./run.ts"
import { createSession } from "./session.ts"
import { prepareWorkspace } from "./workspace.ts"

/** Makes the workspace ready, has the agent do its turns there, and reports. Answers with the exit code of the process. */
export const work = async (run: Run): Promise<number> => {
  const { claimed, claimedAt, logs, stop } = run
  const onSoftFinish = (secondsLeft: number) => {
    logs.say("daemon", `Asking the agent to finish up: ${spoken(secondsLeft)} are left`)
    run.agent?.tell({ do: "steer", text: finishUp(secondsLeft), mustBeHeard: false })
  }
  const watch = watchLimits({ bundle: claimed.bundle, claimedAt, stop, onSoftFinish })
  run.adjustTime = watch.adjust
  let desk: Desk | undefined
  try {
    desk = { run, watch, ...(await prepare(run)) }
    return await conduct(desk)
  } catch (error) {
    // The next attempt may find again what this one could not reach, and goes on from the last checkpoint.
    if (error instanceof Unreachable || isPassing(error) || (error instanceof Refused && error.isLost)) throw error
    return await giveUp(run, error)
  } finally {
    watch.close()
    await desk?.session.close()
  }
}

/** What the task needs to go on is somewhere, and could not be reached. */
class Unreachable extends Error {
  override name = "Unreachable"
}

const prepare = async (run: Run) => {
  const { claimed, api, logs, settings, stop } = run
  await mkdir(settings.workspace, { recursive: true })
  const isolation = (await chooseIsolation(settings.workspace)) ?? { wrapper: [] }
  const isOpen = !isolation.user && isolation.wrapper.length === 0
  if (isOpen) logs.say("daemon", "The agent is not isolated from the daemon: there is no other user and no bubblewrap here")
  const lacking = whatIsLacking()
  if (lacking.length > 0) logs.say("daemon", `What the container's image does not have: ${lacking.join(", ")}`)

  const { user } = isolation
  const home = await makeFolder("dormouse-agent-", user)
  const keep = createKeep(run, { home, memory: await makeFolder("dormouse-memory-", undefined), user })
  const isRestored = await keep.restore().catch((error: unknown) => {
    throw error === stop.cause() || error instanceof Damaged || (error instanceof Refused && !error.isPassing)
      ? error
      : new Unreachable(String(error))
  })
  if (isRestored) logs.say("daemon", "The workspace is as it was")
  const { bundle, run: attempt } = claimed
  const sourcesNow = () => api.sources(attempt.id)
  const sources = bundle.has_sources ? await sourcesNow() : { repositories: [], skills: [] }
  const { repositories } = sources
  const place = { root: settings.workspace, api, runId: attempt.id, user, signal: stop.signal }
  if (!isRestored) await prepareWorkspace({ ...place, bundle, repositories })
  const equipment = await equip(run, isolation, home, sources, isRestored).catch((error: unknown) => {
    // Of a task that has not begun nothing is lost, and its author is told at once what cannot be had.
    throw isRestored ? asUnreachable(error) : error
  })
  logs.say("daemon", "Workspace is ready")
  const session = await createSession(run, { isolation, equipment })
  let known: CloneSource[] | undefined = repositories
  const attach = async () => {
    const all = known ?? (await sourcesNow()).repositories
    known = undefined
    return equipment.attach(all).catch((error: unknown) => {
      throw asUnreachable(error)
    })
  }
  return { session, keep, user, attach }
}

/** Of a host that is away for the moment; any other error as it is. */
const asUnreachable = (error: unknown) =>
  error instanceof Error && error.cause instanceof GitFailed && error.cause.isPassing ? new Unreachable(error.message) : error

/** What could not be done is said, with the outputs that there are. */
const giveUp = async (run: Run, error: unknown): Promise<number> => {
  const { stop, claimed } = run
  const isInterrupted = error === stop.cause()
  const whyStopped = stop.cause() && whyFailed({ outcome: {}, cause: stop.cause(), refusal: undefined, bundle: claimed.bundle })
  // Interrupted is only what comes before the first turn: half of what was stored before would be restored by then, and nothing new is made.
  if (!isInterrupted) await storeOutputs(run)
  if (stop.cause() === "paused" && isInterrupted) return (await pause(run)).code
  if (stop.cause() === "terminated") return reportStopped(run, null)
  return reportFailure(run, whyStopped ?? (error instanceof Error ? error.message : String(error)), null)
}
