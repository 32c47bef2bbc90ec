import type { z } from "zod"
import type { Beat, Signal } from "../../core/protocol.ts"
import type { Run } from "./run.ts"

/** Follows what comes with a renewal of the lease. */
export const heed = (run: Run, { signals, mode, time_left_seconds }: z.infer<typeof Beat>) => {
  stopAsTold(run, signals)
  run.mode = mode
  run.adjustTime?.(time_left_seconds)
  const said = signals.find(({ kind }) => kind === "message")
  if (!said) return
  const failed = (error: unknown) => run.logs.say("daemon", `A message has not reached the agent yet: ${String(error)}`)
  run.onMessage?.(said.sequence).catch(failed)
}

/** Follows the signals that end the work, whichever answer brought them. */
export const stopAsTold = ({ stop }: Run, signals: z.infer<typeof Signal>[]) => {
  if (isTold(signals, "cancel")) stop.request("cancelled")
  if (isTold(signals, "pause")) stop.request("paused")
}

export const isTold = (signals: z.infer<typeof Signal>[], wanted: z.infer<typeof Signal>["kind"]) =>
  signals.some(({ kind }) => kind === wanted)
