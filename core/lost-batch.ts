import { DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3"
import * as z from "zod"
import { setting } from "./aws.ts"
import { millis } from "./clock.ts"
import * as Publication from "./publication.ts"

/** Batches of the table's stream that Lambda gave up. It has put them, whole, into the bucket: here they are published after all. */

const prefix = "aws/lambda/"
/** What could not be published for so long is left for a person: the alarm has rung long ago. */
const patienceMs = 86_400_000

const Batch = z.object({ payload: z.string() })
const Records = z.object({ Records: z.array(z.object({ dynamodb: z.object({ NewImage: z.unknown() }) })) })

const s3 = new S3Client({})

/** Publishes what lies there, all of which may come twice. Answers how many batches it looked at. */
export async function sweep(): Promise<{ looked: number }> {
  const { Contents = [] } = await s3.send(
    new ListObjectsV2Command({ Bucket: setting("BUCKET_NAME"), Prefix: prefix, MaxKeys: 100 }),
  )
  const fresh = Contents.filter(({ LastModified }) => millis() - (LastModified?.getTime() ?? 0) < patienceMs)
  const outcomes = await Promise.allSettled(fresh.map(({ Key }) => publish(Key!)))
  const failures = outcomes.filter((outcome) => outcome.status === "rejected").map(({ reason }) => reason as unknown)
  if (failures.length) throw new AggregateError(failures, `${failures.length} lost batches could not be published`)
  return { looked: fresh.length }
}

async function publish(Key: string) {
  const Bucket = setting("BUCKET_NAME")
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }))
  const { payload } = Batch.parse(JSON.parse(await Body!.transformToString("utf8")))
  for (const { dynamodb } of Records.parse(JSON.parse(payload)).Records) await Publication.publish(dynamodb.NewImage)
  await s3.send(new DeleteObjectCommand({ Bucket, Key }))
}
