import { createHash } from "node:crypto"

/** How long a task may be pending before the sweeper looks whether its execution was started at all. */
export const pendingMs = 10 * 60_000
/** How long after its last possible moment a running task is looked at. */
export const graceMs = 60 * 60_000

/** The index is written in so many partitions, so that no single one limits how fast tasks can be made. */
export const shards = ["0", "1", "2", "3"] as const

/** Attributes that put a task into the sweeper's index, to be looked at from that time on (milliseconds since the epoch). */
export const due = (taskId: string, at: number) => ({
  sweepShard: shards[createHash("sha256").update(taskId).digest()[0]! % shards.length]!,
  sweepAt: new Date(at).toISOString(),
})
