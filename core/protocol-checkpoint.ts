import * as z from "zod"

/** The part of `protocol.ts` that is about checkpoints. */

/** Most objects in one question about checkpoints, and most bytes of one object. */
export const checkpointObjects = 100
export const checkpointObjectBytes = 64 * 1024 ** 2

/** Objects of checkpoints are named by the run that wrote them: packs `run_…/p1`, segments `run_…/s1`. */
export const CheckpointObjectName = z.string().regex(/^\w{1,100}\/[ps]\d{1,9}$/)

const CheckpointObject = z.strictObject({ name: CheckpointObjectName, size_bytes: z.int().min(1).max(checkpointObjectBytes) })

/** Asks where to put parts of the checkpoint that is being made. Nothing is ever overwritten: a name takes one object, once. */
export const PrepareCheckpoint = z
  .strictObject({ objects: z.array(CheckpointObject).min(1).max(checkpointObjects) })
  .meta({ id: "PrepareCheckpoint", example: { objects: [{ name: "run_01/p1", size_bytes: 52_000 }] } })

export const PreparedCheckpoint = z
  .object({
    objects: z.array(
      z.object({
        name: z.string(),
        upload_url: z.string(),
        method: z.literal("PUT"),
        headers: z.record(z.string(), z.string()),
      }),
    ),
  })
  .meta({ id: "PreparedCheckpoint" })

const checkpointObjectsMax = 10_000

/**
 * Makes `segment` the head of the task's checkpoints, once all that was added is stored. `previous` is the head that the container
 * knows. What is released is deleted. Sent again, it answers the same.
 */
export const CommitCheckpoint = z
  .strictObject({
    previous: CheckpointObjectName.nullable(),
    segment: CheckpointObjectName,
    added: z.array(CheckpointObject).min(1).max(checkpointObjectsMax),
    released: z.array(CheckpointObjectName).max(checkpointObjectsMax),
  })
  .meta({
    id: "CommitCheckpoint",
    example: { previous: null, segment: "run_01/s1", added: [{ name: "run_01/s1", size_bytes: 800 }], released: [] },
  })

export const CommittedCheckpoint = z
  .object({ live_bytes: z.number().describe("What the task's checkpoint takes of the account's storage now.") })
  .meta({ id: "CommittedCheckpoint" })

/** Asks for short-lived addresses of objects of the task's checkpoint; ask just before use. */
export const ReadCheckpoint = z
  .strictObject({ names: z.array(CheckpointObjectName).min(1).max(checkpointObjects) })
  .meta({ id: "ReadCheckpoint", example: { names: ["run_01/s1"] } })

export const CheckpointAddresses = z
  .object({ objects: z.array(z.object({ name: z.string(), url: z.string() })) })
  .meta({ id: "CheckpointAddresses" })
