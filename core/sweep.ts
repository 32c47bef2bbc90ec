import { createHash } from "node:crypto"
import { millis } from "./clock.ts"

/** How long a task may be pending before the sweeper looks whether its execution was started at all. */
export const pendingMs = 10 * 60_000
/** How long after its commit the sweeper looks whether something was published. */
export const publishedMs = 10 * 60_000
/** How long after its last possible moment a running task is looked at. */
export const graceMs = 60 * 60_000

/** The index is written in so many partitions, so that no single one limits how fast tasks can be made. */
export const shards = ["0", "1", "2", "3"] as const

/** Attributes that put a thing into the sweeper's index, to be looked at from that time on (milliseconds since the epoch). */
export const due = (id: string, at: number) => ({
  sweepShard: shards[createHash("sha256").update(id).digest()[0]! % shards.length]!,
  sweepAt: new Date(at).toISOString(),
})

/** What is due by now, of every shard. `find` asks one of them for all that is before a time. */
export async function overdue<Row>(find: (shard: string, before: string) => Promise<{ data: Row[] }>): Promise<Row[]> {
  const now = new Date(millis()).toISOString()
  const found = await Promise.all(shards.map((shard) => find(shard, now)))
  return found.flatMap(({ data }) => data)
}

/** How much of it is done side by side. */
const atOnce = 10

/** Does all of it, whatever becomes of the rest. Raises what failed once everything was tried. */
export async function each(work: readonly (() => Promise<unknown>)[]): Promise<void> {
  const failures: unknown[] = []
  for (let i = 0; i < work.length; i += atOnce) {
    const outcomes = await Promise.allSettled(work.slice(i, i + atOnce).map((one) => one()))
    failures.push(...outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason as unknown] : [])))
  }
  if (failures.length) throw new AggregateError(failures, `${failures.length} of ${work.length} could not be done`)
}
