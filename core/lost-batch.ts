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

/** How many are published side by side. */
const atOnce = 10

/**
 * Publishes what lies there, all of which may come twice. What cannot be published keeps nothing else from it. Answers how many batches
 * it looked at.
 */
export async function sweep(): Promise<{ looked: number }> {
  const fresh = await freshKeys()
  const failures: unknown[] = []
  for (let i = 0; i < fresh.length; i += atOnce) failures.push(...(await failuresOf(fresh.slice(i, i + atOnce).map(publish))))
  if (failures.length) throw new AggregateError(failures, `${failures.length} lost batches could not be published`)
  return { looked: fresh.length }
}

async function freshKeys(): Promise<string[]> {
  const keys: string[] = []
  let ContinuationToken: string | undefined
  do {
    const { Contents = [], ...page } = await s3.send(
      new ListObjectsV2Command({ Bucket: setting("BUCKET_NAME"), Prefix: prefix, ContinuationToken }),
    )
    const fresh = Contents.filter(({ LastModified }) => millis() - (LastModified?.getTime() ?? 0) < patienceMs)
    keys.push(...fresh.map(({ Key }) => Key!))
    ContinuationToken = page.NextContinuationToken
  } while (ContinuationToken)
  return keys
}

async function publish(Key: string) {
  const Bucket = setting("BUCKET_NAME")
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }))
  const { payload } = Batch.parse(JSON.parse(await Body!.transformToString("utf8")))
  const { Records: records } = Records.parse(JSON.parse(payload))
  const failures: unknown[] = []
  for (const { dynamodb } of records) failures.push(...(await failuresOf([Publication.publish(dynamodb.NewImage)])))
  if (failures.length) throw new AggregateError(failures, `${failures.length} records of ${Key} could not be published`)
  await s3.send(new DeleteObjectCommand({ Bucket, Key }))
}

const failuresOf = async (work: Promise<void>[]): Promise<unknown[]> =>
  (await Promise.allSettled(work)).flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason as unknown] : []))
