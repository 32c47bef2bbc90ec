import { setImmediate } from "node:timers/promises"

/** Bytes that are read or written in one go: some tens of milliseconds at most. */
export const strideBytes = 4 * 1024 ** 2

/** Pauses each time that a stride has gone by, so that heartbeats get through while much is read or written, and what waits can go. */
export const createPace = (pause: () => Promise<unknown> = async () => undefined) => {
  let since = 0
  return async (bytes: number) => {
    since += bytes
    if (since < strideBytes) return
    since = 0
    await pause()
    await setImmediate()
  }
}
