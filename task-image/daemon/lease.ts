import type { z } from "zod"
import { after } from "../../core/clock.ts"
import { type Beat, heartbeatSeconds, leaseSeconds } from "../../core/protocol.ts"
import { Refused } from "./api.ts"

const retrySeconds = 5

type Options = {
  /** Sends a heartbeat. Its answer comes to `renewed`, as all that renew the lease do. */
  renew: () => Promise<unknown>
  /** Whether the end of the run is being reported: who does that hears whose the run is, and it may go on with this lease. */
  isEnding: () => boolean
  /** The run is still ours; this is what we should know. */
  onBeat: (beat: z.infer<typeof Beat>) => void
  /** The run is no longer ours, or nobody knows. Called once, at most. */
  onLost: (why: string) => void
}

/** Renews the lease until it is let go of, or lost. Whatever else renews it meanwhile puts the next heartbeat off. */
export const holdLease = ({ renew, isEnding, onBeat, onLost }: Options) => {
  let stopNext: () => void = () => undefined
  let stopDeadline: () => void = () => undefined
  let isOver = false

  const letGo = () => {
    isOver = true
    stopNext()
    stopDeadline()
  }
  const lose = (why: string) => {
    if (isOver) return
    if (isEnding()) return begin()
    letGo()
    onLost(why)
  }
  const beatAfter = (seconds: number) => {
    stopNext()
    if (!isOver) stopNext = after(seconds * 1000, () => void beat())
  }
  const beat = async () => {
    try {
      await renew()
    } catch (error) {
      if (error instanceof Refused && error.isLost) return lose(`The run is no longer ours: ${error.message}`)
      beatAfter(retrySeconds)
    }
  }
  const begin = () => {
    stopDeadline()
    stopDeadline = after(leaseSeconds * 1000, () => lose(`The lease could not be renewed for ${leaseSeconds} seconds`))
    beatAfter(heartbeatSeconds)
  }

  begin()
  return {
    /** Takes the answer that came with a renewal. */
    renewed: (answer: z.infer<typeof Beat>) => {
      if (isOver) return
      if (answer.lease.status !== "claimed") return lose(`The run's lease is ${answer.lease.status}`)
      begin()
      onBeat(answer)
    },
    letGo,
  }
}
