import { millis } from "./clock.ts"
import { newId } from "./id.ts"
import { limits } from "./limits.ts"
import { Problem } from "./problem.ts"
import { StreamEntity } from "./stream.entity.ts"
import { unlessRefused } from "./transaction.ts"

/** The places for open streams that an account has. */

export interface Place {
  accountId: string
  place: number
  streamId: string
}

/** Takes a free place for so long. Raises `too_many_streams`, with the seconds until the next place is free at the latest. */
export async function take(accountId: string, milliseconds: number): Promise<Place> {
  const { data } = await StreamEntity.query.byPlace({ accountId }).go({ pages: "all", consistent: true })
  const at = millis()
  const held = data.filter(({ until }) => until > at)
  const taken = new Set(held.map(({ place }) => place))
  const all = Array.from({ length: limits.streams }, (_, place) => place)
  for (const place of all.filter((candidate) => !taken.has(candidate))) {
    const streamId = newId("stream")
    if (await put({ accountId, place, streamId }, milliseconds)) return { accountId, place, streamId }
  }
  // Places that were free, and that others were faster to take, are held for as long as ours would have been.
  const next = Math.min(at + milliseconds, ...held.map(({ until }) => until))
  throw new Problem("too_many_streams", { retryAfterSeconds: Math.ceil((next - at) / 1000) })
}

/** False where somebody else was faster. */
async function put({ accountId, place, streamId }: Place, milliseconds: number): Promise<boolean> {
  const until = millis() + milliseconds
  return unlessRefused(
    StreamEntity.upsert({ accountId, place })
      .set({ streamId, until, expiresAt: Math.ceil(until / 1000) + 3600 })
      .where((row, { lt, notExists }) => `${notExists(row.until)} OR ${lt(row.until, millis())}`),
  )
}

/** Gives a place back, if it is still ours. */
export async function leave({ accountId, place, streamId }: Place) {
  await unlessRefused(StreamEntity.delete({ accountId, place }).where((row, { eq }) => eq(row.streamId, streamId)))
}
