import { setting } from "./aws.ts"
import { millis } from "./clock.ts"
import { RateEntity } from "./rate.entity.ts"
import { isRefused } from "./transaction.ts"

/**
 * How often a key may ask: `rate` times a second, and `burst` times at once. A bucket is one number, the moment at which it would be
 * full again: a request moves it on by its share of a second, and is refused where that would lie more than a whole burst ahead.
 *
 * Counting every request in the table would cost a write each. Each process counts for itself instead, and tells the table once in a
 * while what it has counted, which answers what all of them have. So a key may get a little more than its rate (a tenth of its burst
 * for each function that is warm), never less.
 */

interface Bucket {
  dueAt: number
  /** Requests that the table does not know of. */
  untold: number
}

const buckets = new Map<string, Bucket>()

/** How many keys a process remembers. */
const remembered = 10_000

/** The stack's `rate/burst`. */
function limit() {
  const [rate, burst] = setting("RATE_LIMIT").split("/").map(Number) as [number, number]
  return { interval: 1000 / rate, burst, batch: Math.max(1, Math.floor(burst / 10)) }
}

/** Takes one request off what a key may ask for. Answers what there is and what is left, and how long to wait where it is nothing. */
export async function take(accountId: string, keyId: string) {
  const { interval, burst, batch } = limit()
  if (buckets.size >= remembered) buckets.clear()
  const bucket = buckets.get(keyId) ?? { dueAt: 0, untold: 0 }
  buckets.set(keyId, bucket)
  const at = millis()
  const dueAt = Math.max(bucket.dueAt, at) + interval
  const overMs = Math.max(0, Math.round(dueAt - at - burst * interval))
  if (overMs === 0) {
    bucket.dueAt = dueAt
    bucket.untold += 1
    if (bucket.untold >= batch) await tell(bucket, accountId, keyId, interval, at)
  }
  const used = Math.max(0, bucket.dueAt - at)
  return {
    burst,
    windowSeconds: Math.ceil((burst * interval) / 1000),
    left: Math.max(0, Math.floor(burst - used / interval)),
    fullInSeconds: Math.ceil(used / 1000),
    retryAfterSeconds: Math.ceil(overMs / 1000),
  }
}

/** Adds to what the table knows, and takes over what it knows then. */
async function tell(bucket: Bucket, accountId: string, keyId: string, interval: number, at: number) {
  const cost = bucket.untold * interval
  bucket.untold = 0
  bucket.dueAt = (await added(accountId, keyId, cost, at)) ?? (await begun(accountId, keyId, at + cost))
}

const expiry = (at: number) => Math.ceil(at / 1000) + 3_600

/** The sum with what others have told; undefined where that is long over. */
async function added(accountId: string, keyId: string, cost: number, at: number) {
  try {
    const { data } = await RateEntity.patch({ accountId, keyId })
      .add({ dueAt: cost })
      .set({ expiresAt: expiry(at) })
      .where(({ dueAt }, { gt }) => gt(dueAt, at))
      .go({ response: "all_new" })
    return data.dueAt
  } catch (error) {
    if (isRefused(error)) return undefined
    throw error
  }
}

/** Two functions may begin at once: the few requests of one of them are then free. */
async function begun(accountId: string, keyId: string, dueAt: number) {
  await RateEntity.put({ accountId, keyId, dueAt, expiresAt: expiry(dueAt) }).go()
  return dueAt
}
