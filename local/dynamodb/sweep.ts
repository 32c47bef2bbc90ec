/** What happens with time: items expire, stream records are trimmed, request tokens are forgotten. */
import { millis } from "#core/clock.ts"
import type { Store } from "./store.ts"
import { tokenMs } from "./transaction.ts"
import { save } from "./write.ts"

const batch = 500
const trimMs = 24 * 3_600_000
/** DynamoDB leaves items alone whose time to live ended longer ago than this: such a number was hardly meant as a time. */
const longestAgoSeconds = 5 * 365 * 86_400

/** Expires items, trims records that are 24 hours old, and forgets tokens. */
export function sweep(store: Store, newest = store.lastSequence()) {
  let expired: number
  do expired = expire(store)
  while (expired === batch)
  store.trim(millis() - trimMs, newest)
  store.forget(millis() - tokenMs)
}

/**
 * Gives the sweep that comes by itself. It trims only what was there when it came before: where time is moved by days at once,
 * consumers still have their turn with the newest records.
 */
export function considerateSweep(store: Store) {
  let newest = store.lastSequence()
  return () => {
    sweep(store, newest)
    newest = store.lastSequence()
  }
}

/** Deletes one batch of expired items, and says how many. Nobody is charged for that. */
function expire(store: Store) {
  const seconds = Math.floor(millis() / 1000)
  const expired = store.expired(seconds - longestAgoSeconds, seconds, batch)
  if (!expired.length) return 0
  const tables = new Map(store.tables().map((table) => [table.space, table]))
  store.atomically(() => {
    for (const { space, key, item } of expired) save(store, tables.get(space)!, key, item, undefined, true)
  })
  return expired.length
}
