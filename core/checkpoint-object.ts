import { DeleteObjectsCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from "@aws-sdk/client-s3"
import { getSignedUrl } from "@aws-sdk/s3-request-presigner"
import { setting } from "./aws.ts"
import { now } from "./clock.ts"

/** The objects that checkpoints consist of, as they lie in the bucket. */

interface Ref {
  accountId: string
  taskId: string
}

const s3 = new S3Client({})

/** How long an address may be used, in seconds. */
const expiresIn = 900

const prefixOf = ({ accountId, taskId }: Ref) => `checkpoints/${accountId}/${taskId}/`
const place = (ref: Ref, name: string) => ({ Bucket: setting("BUCKET_NAME"), Key: prefixOf(ref) + name })

/** An address that takes one object of exactly that size, and only where there is none of its name. Signs; calls nobody. */
export async function presignedCreate(ref: Ref, name: string, sizeBytes: number) {
  const headers = { "content-length": String(sizeBytes), "if-none-match": "*" }
  const signed = new Set(Object.keys(headers))
  const upload_url = await getSignedUrl(
    s3,
    new PutObjectCommand({ ...place(ref, name), ContentLength: sizeBytes, IfNoneMatch: "*" }),
    { expiresIn, signingDate: now(), signableHeaders: signed, unhoistableHeaders: signed },
  )
  return { name, upload_url, method: "PUT" as const, headers }
}

export const presignedGet = (ref: Ref, name: string) =>
  getSignedUrl(s3, new GetObjectCommand(place(ref, name)), { expiresIn, signingDate: now() })

/** Sizes by name of what is stored of a task's checkpoints: all of it, or what one run has written. */
export async function sizes(ref: Ref, runId?: string): Promise<Map<string, number>> {
  const prefix = prefixOf(ref)
  const found = new Map<string, number>()
  let ContinuationToken: string | undefined
  do {
    const page = await s3.send(
      new ListObjectsV2Command({
        Bucket: setting("BUCKET_NAME"),
        Prefix: runId === undefined ? prefix : `${prefix}${runId}/`,
        ContinuationToken,
      }),
    )
    for (const { Key = "", Size = 0 } of page.Contents ?? []) found.set(Key.slice(prefix.length), Size)
    ContinuationToken = page.NextContinuationToken
  } while (ContinuationToken)
  return found
}

/** As many as S3 takes in one call. */
const batch = 1000

/** Deletes objects by name; those that are not there count as deleted. */
export async function remove(ref: Ref, names: string[]): Promise<void> {
  for (let i = 0; i < names.length; i += batch) {
    const Objects = names.slice(i, i + batch).map((name) => ({ Key: prefixOf(ref) + name }))
    const { Errors = [] } = await s3.send(
      new DeleteObjectsCommand({ Bucket: setting("BUCKET_NAME"), Delete: { Objects, Quiet: true } }),
    )
    if (Errors[0]) throw new Error(`${Errors[0].Key} could not be deleted: ${Errors[0].Code}`)
  }
}
