import { DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3"
import * as z from "zod"
import { setting } from "./aws.ts"
import { millis } from "./clock.ts"
import * as Publication from "./publication.ts"
import * as Sweep from "./sweep.ts"

/** Batches of the table's stream that Lambda gave up. It has put them, whole, into the bucket: here they are published after all. */

const prefix = "aws/lambda/"
/** What could not be published for so long is left for a person: the alarm has rung long ago. */
const patienceMs = 86_400_000

const Batch = z.object({ payload: z.string() })
const Records = z.object({ Records: z.array(z.object({ dynamodb: z.object({ NewImage: z.unknown() }) })) })

const s3 = new S3Client({})

/**
 * Publishes what lies there, all of which may come twice. What cannot be published keeps nothing else from it. Answers how many batches
 * it looked at.
 */
export async function sweep(): Promise<{ looked: number }> {
  const fresh = await freshKeys()
  await Sweep.each(fresh.map((Key) => () => publish(Key)))
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
  // In whatever order: events are numbered. What cannot be published holds up none of the others here.
  await Sweep.each(
    records.map(
      ({ dynamodb }) =>
        () =>
          Publication.publish(dynamodb.NewImage),
    ),
  )
  await s3.send(new DeleteObjectCommand({ Bucket, Key }))
}
