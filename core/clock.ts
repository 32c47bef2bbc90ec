import { AsyncLocalStorage } from "node:async_hooks"
import { readFileSync } from "node:fs"

/**
 * The one clock. Functions, embedded AWS and daemon take time from here, so that a test moves them all at once.
 *
 * `DORMOUSE_CLOCK` names a file that holds an offset in milliseconds (see `test/time.ts`). Without it, which is how every
 * deployed stack runs, this is the machine's own clock.
 */
const file = () => process.env.DORMOUSE_CLOCK

const offset = () => {
  const path = file()
  if (!path) return 0
  return Number(readFileSync(path, "utf8")) || 0
}

/** What the clock shows, whatever moment it is for whoever asks. */
const running = () => Date.now() + offset()

const moments = new AsyncLocalStorage<number>()

/**
 * Lets `work` happen in one moment: for it the clock stands still. A request that is carried out again after a crash answers what it
 * would have answered then. Timers go on.
 */
export const inMoment = <Result>(moment: number, work: () => Promise<Result>) => moments.run(moment, work)

/** The time now. */
export const now = () => new Date(millis())

/** Milliseconds since the epoch, now. */
export const millis = () => moments.getStore() ?? running()

const longest = 2 ** 31 - 1

/** Calls `callback` once `ms` milliseconds have passed on this clock; the answer cancels it. Never keeps the process alive by itself. */
export const after = (ms: number, callback: () => void): (() => void) => {
  const due = running() + ms
  // A clock that is moved from outside is looked at often. Watching its file would miss a move right after the watch began.
  const atMost = file() ? 20 : longest
  let timer: NodeJS.Timeout | undefined
  const check = () => {
    const left = due - running()
    if (left <= 0) return callback()
    timer = setTimeout(check, Math.min(left, atMost)).unref()
  }
  timer = setTimeout(check, Math.min(Math.max(ms, 0), atMost)).unref()
  return () => clearTimeout(timer)
}

/** Calls `callback` every `ms` milliseconds of this clock until the answer is called. */
export const every = (ms: number, callback: () => void): (() => void) => {
  let stop = after(ms, function tick() {
    stop = after(ms, tick)
    callback()
  })
  return () => stop()
}

/** Resolves after `ms` milliseconds of this clock, or at once when `signal` aborts. Keeps the process alive while it waits. */
export const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const alive = setInterval(() => undefined, longest)
    const done = () => {
      clearInterval(alive)
      stop()
      signal?.removeEventListener("abort", done)
      resolve()
    }
    const stop = after(ms, done)
    signal?.addEventListener("abort", done)
  })
