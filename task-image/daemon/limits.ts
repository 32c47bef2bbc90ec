import { after, millis } from "../../core/clock.ts"
import type { Bundle } from "./api.ts"

/** Why an agent is stopped before its turn has ended by itself. The first cause counts. */
export type StopCause = "cancelled" | "terminated" | "paused" | "runtime_limit" | "turn_limit" | "stalled"

/** Something that can be stopped once, by itself or with what it is a part of; everybody who works on it listens. */
export const createStop = (whole?: { signal: AbortSignal }) => {
  const [controller, cancelled] = [new AbortController(), new AbortController()]
  const signal = whole ? AbortSignal.any([whole.signal, controller.signal]) : controller.signal
  return {
    signal,
    request: (cause: StopCause) => {
      if (cause === "cancelled") cancelled.abort(cause)
      controller.abort(cause)
    },
    cause: () => signal.reason as StopCause | undefined,
    /** Also where another cause came first. */
    cancelled: cancelled.signal,
  }
}

export type Stop = ReturnType<typeof createStop>

const nothing = (): void => undefined

type Options = { bundle: Bundle; claimedAt: number; stop: Stop; onSoftFinish: (secondsLeft: number) => void }

/**
 * Watches the time that the task has, of which waiting for the next message takes none, and that each turn has. It runs from the claim on,
 * since preparing takes time as well. Each turn is asked once to finish up: at its beginning where that time has come before.
 */
export const watchLimits = ({ bundle: { limits, time_left_seconds }, claimedAt, stop, onSoftFinish }: Options) => {
  const { max_runtime_seconds: max, soft_finish_after_seconds: soft, max_runtime_per_turn_seconds: perTurn } = limits
  let left = (time_left_seconds ?? max) * 1000
  let since: number | undefined = claimedAt
  let isToFinish = false
  let [stopTotal, stopSoft, stopTurn] = [nothing, nothing, nothing]

  const leftNow = () => left - (since === undefined ? 0 : millis() - since)
  const askToFinish = () => {
    isToFinish = false
    onSoftFinish(Math.max(0, leftNow() / 1000))
  }
  const arm = () => {
    disarm()
    if (since !== undefined) stopTotal = after(leftNow(), () => stop.request("runtime_limit"))
    if (soft !== null && isToFinish) stopSoft = after(leftNow() - (max - soft) * 1000, askToFinish)
  }
  const disarm = () => {
    stopTotal()
    stopSoft()
  }
  arm()

  return {
    /** The API counts too, and its count is the one that is right. */
    adjust: (secondsLeft: number) => {
      left = secondsLeft * 1000
      if (since !== undefined) since = millis()
      arm()
    },
    startTurn: (turn: Stop) => {
      since ??= millis()
      isToFinish = true
      arm()
      if (perTurn !== null) stopTurn = after(perTurn * 1000, () => turn.request("turn_limit"))
    },
    endTurn: () => {
      left = leftNow()
      since = undefined
      isToFinish = false
      arm()
      stopTurn()
    },
    close: () => {
      disarm()
      stopTurn()
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
