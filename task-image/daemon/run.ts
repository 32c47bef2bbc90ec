import { createHash, randomBytes } from "node:crypto"
import { millis } from "../../core/clock.ts"
import type { Agent } from "./agent.ts"
import { type Api, type Claimed, createApi, Refused, type Turn } from "./api.ts"
import { type Cost, createCost } from "./cost.ts"
import { holdLease } from "./lease.ts"
import type { Stop } from "./limits.ts"
import { createLogs, type Logs } from "./logs.ts"
import { heed } from "./signals.ts"
import { work } from "./work.ts"

export type Settings = {
  /** The API's address, ending in `/api`. */
  apiUrl: string
  claimToken: string
  workspace: string
  /** A git configuration of the host's: see git.ts. */
  gitConfig: string | undefined
  /** What the host wants every reader of the log to know before anything else. */
  notices: string[]
}

/** What all stages of a run share. */
export type Run = {
  settings: Settings
  claimed: Claimed
  /** Milliseconds since the epoch. */
  claimedAt: number
  runToken: string
  api: Api
  logs: Logs
  stop: Stop
  /** As the task stood when it was last heard of. */
  mode: Turn["mode"]
  cost: Cost
  /** Outputs that are stored already: how they looked, by path. */
  known: Map<string, string>
  /** The end is being reported: meanwhile the API may well say that the run is over. */
  isEnding?: boolean
  /** The agent at work, if any: killed when the run is lost. */
  agent?: Agent | undefined
  /** Takes the seconds that are left by each renewal of the lease, once somebody counts them. */
  adjustTime?: (secondsLeft: number) => void
  /** Told that a person has said something, up to the message of that sequence, while a turn runs. */
  onMessage?: ((sequence: number | undefined) => Promise<void>) | undefined
}

/**
 * Claims the run and carries it out, to the report. Answers with the exit code of the process; ends the process itself,
 * with 1, when the run is lost: then nothing more may be said in its name.
 */
export const carryOut = async (settings: Settings, stop: Stop, print: (line: string) => void): Promise<number> => {
  const runToken = randomBytes(32).toString("base64url")
  const run_token_hash = createHash("sha256").update(runToken).digest("hex")
  const claimedAt = millis()
  const { claim: claimed } = await createApi(settings.apiUrl, settings.claimToken).claim({ run_token_hash })
  const { run: attempt, task } = claimed

  const api = createApi(settings.apiUrl, runToken, (beat) => lease.renewed(beat))
  const lose = (why: string) => {
    if (run.isEnding) return
    print(why)
    const exit = () => process.exit(1)
    run.agent ? run.agent.kill().then(exit, exit) : exit()
  }
  const logs = createLogs({
    secrets: [runToken, settings.claimToken],
    print,
    send: (sequence, lines) => api.logs(attempt.id, { sequence, lines }),
    onRefused: (error, lines) => {
      if (error instanceof Refused && error.isLost) lose(error.message)
      else print(`${lines} lines of the log could not be sent: ${String(error)}`)
    },
  })
  const { mode } = claimed.bundle.turn
  const cost = createCost((cost_usd) => api.usageSoFar(attempt.id, { cost_usd }))
  const run: Run = { settings, claimed, claimedAt, runToken, api, logs, stop, mode, cost, known: new Map() }
  const lease = holdLease({
    renew: async () => logs.hear(await api.beat(attempt.id)),
    isEnding: () => run.isEnding === true,
    onBeat: (beat) => heed(run, beat),
    onLost: lose,
  })
  // A task that was cancelled is told so by stopping its container as well: then there is no more to save than its outputs.
  const askWhy = () => void (stop.cause() === "terminated" && api.beat(attempt.id).catch(() => undefined))
  stop.signal.aborted ? askWhy() : stop.signal.addEventListener("abort", askWhy, { once: true })
  for (const notice of settings.notices) logs.say("daemon", notice)
  logs.say("daemon", `Claimed run ${attempt.id} of task ${task.id}, attempt ${attempt.attempt}: ${task.title}`)
  try {
    return await work(run)
  } catch (error) {
    // Also an API that stays away: the container ends without a report, and is replaced.
    print(error instanceof Error ? error.message : String(error))
    await logs.flush()
    return 1
  } finally {
    lease.letGo()
    await run.agent?.kill()
  }
}
