import { DeleteObjectsCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3"
import { DeleteCommand, ScanCommand } from "@aws-sdk/lib-dynamodb"
import * as z from "zod"
import { documents, setting, table } from "./aws.ts"
import { millis } from "./clock.ts"
import { Problem } from "./problem.ts"
import { TaskEntity } from "./task.entity.ts"

/** The end of an account: all that the stack keeps of it. */

const Place = z.strictObject({ pk: z.string(), sk: z.string() })

/** How far an erasure has come, to be sent with the next call. */
const Progress = z.strictObject({
  rows: z.int(),
  objects: z.int(),
  /** Where the table is read on; at its beginning without one. */
  from: Place.optional(),
  /** Nothing was found since that beginning. */
  isClean: z.boolean(),
})

export const Erase = z.strictObject({ accountId: z.string(), progress: Progress.optional() })

const begun: Progress = { rows: 0, objects: 0, isClean: true }
type Progress = z.output<typeof Progress>

/** Folders of the bucket, below each of which an account has a folder of its own. */
const folders = ["texts", "answers", "files", "outputs", "checkpoints", "model-requests"]

/** What one call takes at most, well within the function's time. */
const callMs = 30_000
/** How many deletions are under way at once. */
const atOnce = 25

const s3 = new S3Client({})

/**
 * Erases an account: every object in its folders and every row with its id, its ledger among them. Answers how far it came; `progress` is
 * to be sent with the next call, until it is null. Erasing what is gone finds what a function has written since, which knows a
 * deleted key for a minute. Raises `task_not_ended`.
 */
export async function erase({ accountId, progress = begun }: z.output<typeof Erase>) {
  await refuseWhatRuns(accountId)
  const until = millis() + callMs
  let so: Progress = { ...progress, objects: progress.objects + (await removeObjects(accountId, until)) }
  while (millis() < until) {
    const { from, isClean, ...removed } = await removeRows(accountId, so)
    if (!from && isClean) return { accountId, ...removed, progress: null }
    so = { ...removed, from, isClean: from ? isClean : true }
  }
  return { accountId, rows: so.rows, objects: so.objects, progress: so }
}

/** A container at work would go on writing. */
async function refuseWhatRuns(accountId: string) {
  const { data } = await TaskEntity.query.ongoing({ accountId, phase: "ongoing" }).go({ limit: 1 })
  if (data.length) throw new Problem("task_not_ended")
}

/** Every row has its account's id; no index could be trusted to know them all. */
async function removeRows(accountId: string, { rows, objects, from, isClean }: Progress): Promise<Progress> {
  const { Items = [], LastEvaluatedKey } = await documents.send(
    new ScanCommand({
      TableName: table.table,
      ConsistentRead: true,
      FilterExpression: "accountId = :accountId",
      ExpressionAttributeValues: { ":accountId": accountId },
      ProjectionExpression: "pk, sk",
      ExclusiveStartKey: from,
    }),
  )
  for (let i = 0; i < Items.length; i += atOnce)
    await Promise.all(Items.slice(i, i + atOnce).map((Key) => documents.send(new DeleteCommand({ TableName: table.table, Key }))))
  return {
    rows: rows + Items.length,
    objects,
    from: LastEvaluatedKey && Place.parse(LastEvaluatedKey),
    isClean: isClean && Items.length === 0,
  }
}

async function removeObjects(accountId: string, until: number): Promise<number> {
  const Bucket = setting("BUCKET_NAME")
  let removed = 0
  for (const folder of folders) {
    for (let isMore = true; isMore && millis() < until; ) {
      const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: `${folder}/${accountId}/` }))
      isMore = Contents.length > 0
      if (!isMore) break
      const Objects = Contents.map(({ Key }) => ({ Key }))
      const { Errors = [] } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }))
      if (Errors[0]) throw new Error(`${Errors[0].Key} could not be deleted: ${Errors[0].Code}`)
      removed += Objects.length
    }
  }
  return removed
}
