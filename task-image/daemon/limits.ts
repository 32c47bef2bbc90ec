import { after, millis } from "../../core/clock.ts"
import type { Bundle } from "./api.ts"

/** Why an agent is stopped before its turn has ended by itself. The first cause counts. */
export type StopCause = "cancelled" | "terminated" | "runtime_limit" | "turn_limit" | "stalled"

/** Something that can be stopped once; everybody who works on it listens. */
export const createStop = () => {
  const controller = new AbortController()
  return {
    signal: controller.signal,
    request: (cause: StopCause) => controller.abort(cause),
    cause: () => controller.signal.reason as StopCause | undefined,
  }
}

export type Stop = ReturnType<typeof createStop>

const nothing = () => undefined

type Options = { limits: Bundle["limits"]; claimedAt: number; stop: Stop; onSoftFinish: (secondsLeft: number) => void }

/** Watches the time that the run has, from its claim, and that its turn has. */
export const watchLimits = ({ limits, claimedAt, stop, onSoftFinish }: Options) => {
  let deadline = claimedAt + limits.max_runtime_seconds * 1000
  let stopTotal: () => void = nothing
  let stopTurn: () => void = nothing
  let stopSoft: () => void = nothing

  const armTotal = () => {
    stopTotal()
    stopTotal = after(deadline - millis(), () => stop.request("runtime_limit"))
  }
  armTotal()
  const { soft_finish_after_seconds: soft, max_runtime_per_turn_seconds: perTurn } = limits
  if (soft !== null) {
    stopSoft = after(claimedAt + soft * 1000 - millis(), () => onSoftFinish(Math.max(0, (deadline - millis()) / 1000)))
  }

  return {
    /** The API counts too, and its count is the one that is right. */
    adjust: (secondsLeft: number) => {
      deadline = millis() + secondsLeft * 1000
      armTotal()
    },
    startTurn: () => {
      if (perTurn !== null) stopTurn = after(perTurn * 1000, () => stop.request("turn_limit"))
    },
    close: () => {
      for (const end of [stopTotal, stopTurn, stopSoft]) end()
    },
  }
}

/** Stops when nothing was heard from the model for so long. While a tool works, it is not the model that is silent. */
export const watchModel = (seconds: number, stop: Stop) => {
  let toolsAtWork = 0
  let stopTimer: () => void = nothing
  const hear = () => {
    stopTimer()
    stopTimer = toolsAtWork > 0 ? nothing : after(seconds * 1000, () => stop.request("stalled"))
  }
  const toolStarts = () => {
    toolsAtWork++
    hear()
  }
  const toolEnds = () => {
    toolsAtWork--
    hear()
  }
  hear()
  return { hear, toolStarts, toolEnds, close: () => stopTimer() }
}

/** A number of seconds as a person says it. */
export const spoken = (seconds: number) => {
  const [value, unit] =
    seconds >= 3600 ? [seconds / 3600, "hour"] : seconds >= 60 ? [seconds / 60, "minute"] : [seconds, "second"]
  const rounded = Math.round(value * 10) / 10
  return `${rounded} ${unit}${rounded === 1 ? "" : "s"}`
}
