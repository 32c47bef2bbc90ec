/** When a delivery that failed is tried again, after Standard Webhooks. */

const second = 1000
const minute = 60 * second
const hour = 60 * minute

/** The wait before each retry. After the last one a delivery has failed for good. */
const waits = [5 * second, 5 * minute, 30 * minute, 2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour, 24 * hour]

const jitter = 0.1
/** A receiver that asks for more time than this gets no more. */
const longest = 24 * hour

/**
 * Milliseconds until the attempt after so many; undefined when that was the last one. Ten per cent more or less, so that what failed
 * together is not repeated together. `retryAfter` is the receiver's header: seconds or a date, heeded where it asks for more time.
 */
export function waitAfter(attempts: number, retryAfter: string | undefined, now: number): number | undefined {
  const wait = waits[attempts - 1]
  if (wait === undefined) return undefined
  const jittered = wait * (1 - jitter + 2 * jitter * Math.random())
  return Math.round(Math.max(jittered, Math.min(asked(retryAfter, now), longest)))
}

const asked = (header: string | undefined, now: number): number => {
  if (header === undefined) return 0
  const milliseconds = /^\d+$/.test(header) ? Number(header) * second : Date.parse(header) - now
  return Number.isNaN(milliseconds) ? 0 : milliseconds
}
