import type { z } from "zod"
import { after } from "../../core/clock.ts"
import { type Beat, heartbeatSeconds, leaseSeconds } from "../../core/protocol.ts"
import { Refused } from "./api.ts"

const retrySeconds = 5

type Options = {
  beat: () => Promise<z.infer<typeof Beat>>
  /** The run is still ours; this is what we should know. */
  onBeat: (beat: z.infer<typeof Beat>) => void
  /** The run is no longer ours, or nobody knows. Called once, at most. */
  onLost: (why: string) => void
}

/** Renews the lease until the answer is called, or the lease is lost. */
export const holdLease = ({ beat, onBeat, onLost }: Options): (() => void) => {
  let stopNext: () => void = () => undefined
  let stopDeadline: () => void = () => undefined
  let isOver = false

  const end = () => {
    isOver = true
    stopNext()
    stopDeadline()
  }
  const lose = (why: string) => {
    if (isOver) return
    end()
    onLost(why)
  }
  const startDeadline = () => {
    stopDeadline()
    stopDeadline = after(leaseSeconds * 1000, () => lose(`The lease could not be renewed for ${leaseSeconds} seconds`))
  }
  const tick = async () => {
    let nextSeconds = heartbeatSeconds
    try {
      const answer = await beat()
      if (isOver) return
      if (answer.lease.status !== "claimed") return lose(`The run's lease is ${answer.lease.status}`)
      startDeadline()
      onBeat(answer)
    } catch (error) {
      if (error instanceof Refused && error.isLost) return lose(`The run is no longer ours: ${error.message}`)
      nextSeconds = retrySeconds
    }
    if (!isOver) stopNext = after(nextSeconds * 1000, () => void tick())
  }

  startDeadline()
  stopNext = after(heartbeatSeconds * 1000, () => void tick())
  return end
}
