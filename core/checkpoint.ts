import type { z } from "zod"
import { AccountEntity } from "./account.entity.ts"
import { CheckpointEntity, type CheckpointRow } from "./checkpoint.entity.ts"
import * as CheckpointObject from "./checkpoint-object.ts"
import { millis, now } from "./clock.ts"
import { isTerminal } from "./lifecycle.ts"
import { invalid, Problem } from "./problem.ts"
import type {
  CheckpointAddresses,
  CommitCheckpoint,
  CommittedCheckpoint,
  PrepareCheckpoint,
  PreparedCheckpoint,
  ReadCheckpoint,
} from "./protocol.ts"
import { quotas } from "./quota.ts"
import { RunEntity } from "./run.entity.ts"
import * as Sweep from "./sweep.ts"
import { TaskEntity } from "./task.entity.ts"
import { check, transact, unlessRefused } from "./transaction.ts"

/**
 * Checkpoints: what a task's workspace is made from in its next container. Runs store objects under their own ids and move the head;
 * what is in the objects is the daemon's business (docs/checkpoints.md).
 */

interface Ref {
  accountId: string
  taskId: string
  runId: string
}

/** Objects of a chain that are segments. */
const isSegment = ({ name }: { name: string }) => /\/s\d+$/.test(name)

/** The latest checkpoint as a container is told of it. */
export async function segmentsOf(accountId: string, taskId: string) {
  const row = await read({ accountId, taskId })
  if (row?.head === undefined) return null
  return { segments: row.objects.filter(isSegment).map(({ name }) => name) }
}

/**
 * Where a container may put parts of a checkpoint: each of that size, once, for a quarter of an hour. Raises `lease_lost`,
 * `checkpoint_quota_exceeded`.
 */
export async function prepare(
  ref: Ref,
  { objects }: z.output<typeof PrepareCheckpoint>,
): Promise<z.infer<typeof PreparedCheckpoint>> {
  for (const [i, { name }] of objects.entries()) refuseForeign(ref, name, `objects.${i}.name`)
  const [row, { data: account }] = await Promise.all([
    read(ref),
    AccountEntity.get({ accountId: ref.accountId }).go({ consistent: true }),
    refuseUnlessClaimed(ref),
  ])
  const bytes = objects.reduce((sum, { size_bytes }) => sum + size_bytes, 0)
  if (account!.checkpointBytes + bytes > quotas().checkpointStorageBytes) throw new Problem("checkpoint_quota_exceeded")
  if (!row) await begin(ref)
  return {
    objects: await Promise.all(objects.map(({ name, size_bytes }) => CheckpointObject.presignedCreate(ref, name, size_bytes))),
  }
}

/** Short-lived addresses of objects of the task's checkpoint. Raises `lease_lost`, `not_found` for what is not in it. */
export async function addresses(
  ref: Ref,
  { names }: z.output<typeof ReadCheckpoint>,
): Promise<z.infer<typeof CheckpointAddresses>> {
  const [row] = await Promise.all([read(ref), refuseUnlessClaimed(ref)])
  const known = new Set(row?.objects.map(({ name }) => name))
  if (names.some((name) => !known.has(name))) throw new Problem("not_found")
  return {
    objects: await Promise.all(names.map(async (name) => ({ name, url: await CheckpointObject.presignedGet(ref, name) }))),
  }
}

/**
 * Moves the head, in one write on the condition that the run is still the task's, that the head is where the container believes it to
 * be, and that the account has room. Raises `lease_lost`, `conflict`, `upload_incomplete`, `checkpoint_quota_exceeded`.
 */
export async function commit(ref: Ref, move: z.output<typeof CommitCheckpoint>): Promise<z.infer<typeof CommittedCheckpoint>> {
  const row = await read(ref)
  if (row?.head === move.segment) return { live_bytes: row.bytes }
  if (!row || (row.head ?? null) !== move.previous) throw new Problem("conflict")
  const objects = await follow(ref, row, move)
  const bytes = objects.reduce((sum, object) => sum + object.bytes, 0)
  const refused = await transact({
    run: check(RunEntity.delete(ref).where(({ status }, { eq }) => eq(status, "claimed"))),
    checkpoint: CheckpointEntity.patch(key(ref))
      .set({ head: move.segment, objects, bytes })
      .where(({ head }, { eq, notExists }) => (row.head === undefined ? notExists(head) : eq(head, row.head))),
    account: count(ref.accountId, bytes - row.bytes),
  })
  if (refused.includes("run")) throw new Problem("lease_lost")
  if (refused.includes("checkpoint")) return commit(ref, move)
  if (refused.length) throw new Problem("checkpoint_quota_exceeded")
  // Should this get lost, they are deleted with the rest, once the task has ended.
  await CheckpointObject.remove(ref, move.released)
  return { live_bytes: bytes }
}

/** The objects of the chain after a move. Those that are added must be there: a head names nothing that is not whole. */
async function follow(ref: Ref, row: CheckpointRow, { segment, added, released }: z.output<typeof CommitCheckpoint>) {
  const known = new Set(row.objects.map(({ name }) => name))
  for (const [i, name] of released.entries())
    if (!known.has(name)) throw invalid(`released.${i}`, "This is no object of the checkpoint")
  for (const [i, { name }] of added.entries()) {
    refuseForeign(ref, name, `added.${i}.name`)
    if (known.has(name)) throw invalid(`added.${i}.name`, "This object is in the checkpoint already")
    known.add(name)
  }
  if (added.at(-1)?.name !== segment || !isSegment({ name: segment }))
    throw invalid("segment", "This is not the last object that is added")
  const stored = await CheckpointObject.sizes(ref, ref.runId)
  if (added.some(({ name, size_bytes }) => stored.get(name) !== size_bytes)) throw new Problem("upload_incomplete")
  const dropped = new Set(released)
  return [
    ...row.objects.filter(({ name }) => !dropped.has(name)),
    ...added.map(({ name, size_bytes }) => ({ name, bytes: size_bytes })),
  ]
}

/** The write that counts bytes on the account; refused where they do not fit. Giving bytes back is never refused. */
function count(accountId: string, bytes: number) {
  const account = AccountEntity.patch({ accountId }).add({ checkpointBytes: bytes })
  if (bytes <= 0) return account
  return account.where(({ checkpointBytes }, { lte }) => lte(checkpointBytes, quotas().checkpointStorageBytes - bytes))
}

/** How long a checkpoint is kept once its task has ended, in milliseconds. */
export const keptMs = 7 * 86_400_000

/** A task has ended: its checkpoint counts no longer, and is deleted in a week. Nothing where that is known already. */
export async function end(accountId: string, taskId: string): Promise<void> {
  const row = await read({ accountId, taskId })
  if (!row || row.endedAt !== undefined) return
  const { head } = row
  const refused = await transact({
    checkpoint: CheckpointEntity.patch({ accountId, taskId })
      .set({ endedAt: now().toISOString(), ...Sweep.due(taskId, millis() + keptMs) })
      .where(
        (row, { eq, notExists }) =>
          `${notExists(row.endedAt)} AND ${head === undefined ? notExists(row.head) : eq(row.head, head)}`,
      ),
    account: count(accountId, -row.bytes),
  })
  if (refused.length) return end(accountId, taskId)
}

/** Looks at every checkpoint that is due: deletes those whose week is over, and ends those that nobody has ended. */
export async function sweep(): Promise<void> {
  const at = now().toISOString()
  for (const sweepShard of Sweep.shards) {
    const { data } = await CheckpointEntity.query
      .dueForSweep({ sweepShard })
      .lt({ sweepAt: at })
      .go({ pages: "all", attributes: ["accountId", "taskId"] })
    await Sweep.each(data.map((due) => () => look(due)))
  }
}

async function look({ accountId, taskId }: { accountId: string; taskId: string }) {
  const row = await read({ accountId, taskId })
  if (!row) return
  if (row.endedAt !== undefined) return forget(row)
  const { data: task } = await TaskEntity.get({ accountId, taskId }).go({ consistent: true })
  if (!task || isTerminal(task.status)) return end(accountId, taskId)
  await CheckpointEntity.patch({ accountId, taskId })
    .set(Sweep.due(taskId, millis() + keptMs))
    .go()
}

/** Deletes everything that any run of the task has stored, also what never came to belong to a checkpoint. */
async function forget({ accountId, taskId }: CheckpointRow) {
  const ref = { accountId, taskId }
  await CheckpointObject.remove(ref, [...(await CheckpointObject.sizes(ref)).keys()])
  await CheckpointEntity.delete(ref).go()
}

const key = ({ accountId, taskId }: { accountId: string; taskId: string }) => ({ accountId, taskId })

async function read(ref: { accountId: string; taskId: string }): Promise<CheckpointRow | undefined> {
  const { data } = await CheckpointEntity.get(key(ref)).go({ consistent: true })
  return data ?? undefined
}

async function begin(ref: Ref) {
  const row = { ...key(ref), objects: [], bytes: 0, createdAt: now().toISOString(), ...Sweep.due(ref.taskId, millis() + keptMs) }
  // Another part of the same checkpoint may have been faster.
  await unlessRefused(CheckpointEntity.create(row))
}

async function refuseUnlessClaimed(ref: Ref) {
  const { data } = await RunEntity.get(ref).go({ consistent: true })
  if (data?.status !== "claimed") throw new Problem("lease_lost")
}

/** A run writes under its own id and nowhere else. */
function refuseForeign({ runId }: Ref, name: string, path: string) {
  if (!name.startsWith(`${runId}/`)) throw invalid(path, "The name does not begin with the id of this run")
}
