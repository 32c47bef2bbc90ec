import { DeleteObjectCommand, S3Client } from "@aws-sdk/client-s3"
import { DeleteCommand, paginateQuery } from "@aws-sdk/lib-dynamodb"
import { documents, setting, table } from "./aws.ts"
import { millis, now } from "./clock.ts"
import { isTerminal } from "./lifecycle.ts"
import { Problem } from "./problem.ts"
import { SecretEntity } from "./secret.entity.ts"
import { due, each, shards } from "./sweep.ts"
import { ResultEntity, SpecEntity, TaskEntity } from "./task.entity.ts"
import * as Task from "./task.ts"
import { TaskRemovalEntity } from "./task-removal.entity.ts"
import * as Text from "./text.ts"
import { transact } from "./transaction.ts"

const s3 = new S3Client({})

/** When the sweeper takes over what nobody has finished. */
const sweepAfterMs = 10 * 60_000

/** How long events of a task that is gone may still have to be told: as long as the table's stream keeps them. */
const toldForSeconds = 86_400

/**
 * Removes a task that has ended, with its log, events, outputs and the key that it was given. It is gone with the first write, and what is left of it is removed
 * by whoever comes next, where this call does not get to its end. What it cost stays in the ledger. Raises `task_not_found`,
 * `task_not_ended`.
 */
export async function remove(accountId: string, taskId: string): Promise<void> {
  const { data: begun } = await TaskRemovalEntity.get({ accountId, taskId }).go({ consistent: true })
  if (begun && begun.sweepAt === undefined) throw new Problem("task_not_found")
  if (!begun) await begin(accountId, taskId)
  await finish(accountId, taskId)
}

async function begin(accountId: string, taskId: string) {
  const [task, { overrides, metadata }] = await Promise.all([Task.row(accountId, taskId), Task.spec(accountId, taskId)])
  if (!isTerminal(task.status)) throw new Problem("task_not_ended")
  const secretId = overrides.providerSecretId
  const refused = await transact({
    task: TaskEntity.delete({ accountId, taskId }).where(({ version }, { eq }) => eq(version, task.version)),
    spec: SpecEntity.delete({ accountId, taskId }),
    result: ResultEntity.delete({ accountId, taskId }),
    secret: secretId === undefined ? undefined : SecretEntity.delete({ accountId, secretId }),
    removal: TaskRemovalEntity.put({ accountId, taskId, metadata, ...due(taskId, millis() + sweepAfterMs) }),
  })
  // Somebody has removed it at the same moment.
  if (refused.length) throw new Problem("task_not_found")
}

/** Finishes every removal that was given up. */
export async function resume(): Promise<void> {
  for (const sweepShard of shards) {
    const { data } = await TaskRemovalEntity.query
      .dueForSweep({ sweepShard })
      .lt({ sweepAt: now().toISOString() })
      .go({ pages: "all", attributes: ["accountId", "taskId"] })
    await each(
      data.map(
        ({ accountId, taskId }) =>
          () =>
            finish(accountId, taskId),
      ),
    )
  }
}

/** What stays for now: the sign that a removal is under way, and the checkpoint, which goes by itself a week after its task. */
const left = ["removal", "checkpoint"]

/** How many deletions are under way at once. */
const atOnce = 25

/** Objects before the rows that name them, and the sign that all this is to be done last. */
async function finish(accountId: string, taskId: string) {
  await Text.removeFor(accountId, taskId)
  const pages = paginateQuery(
    { client: documents },
    {
      TableName: table.table,
      ConsistentRead: true,
      KeyConditionExpression: "pk = :pk",
      ProjectionExpression: "pk, sk, objectKey",
      ExpressionAttributeValues: { ":pk": `${accountId}#${taskId}` },
    },
  )
  for await (const { Items = [] } of pages) {
    const items = (Items as Part[]).filter(({ sk }) => !left.includes(sk))
    for (let i = 0; i < items.length; i += atOnce) await Promise.all(items.slice(i, i + atOnce).map(removePart))
  }
  await TaskRemovalEntity.patch({ accountId, taskId })
    .set({ expiresAt: Math.ceil(millis() / 1000) + toldForSeconds })
    .remove(["sweepShard", "sweepAt"])
    .go()
}

interface Part {
  pk: string
  sk: string
  objectKey?: string
}

async function removePart({ pk, sk, objectKey }: Part) {
  if (objectKey) await s3.send(new DeleteObjectCommand({ Bucket: setting("BUCKET_NAME"), Key: objectKey }))
  await documents.send(new DeleteCommand({ TableName: table.table, Key: { pk, sk } }))
}
