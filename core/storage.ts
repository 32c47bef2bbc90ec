import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  NotFound,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3"
import { getSignedUrl } from "@aws-sdk/s3-request-presigner"
import { setting } from "./aws.ts"
import { now } from "./clock.ts"

/** Objects of the bucket: addresses to put and get them by, and what there is. */

// An address is signed before there are bytes that a checksum could be taken of.
const s3 = new S3Client({ requestChecksumCalculation: "WHEN_REQUIRED" })

const object = (Key: string) => ({ Bucket: setting("BUCKET_NAME"), Key })

/** How long an address may be used, in seconds. */
export const putSeconds = 900
const getSeconds = 300

interface Expected {
  /** Nothing but so many bytes is taken; left out, whatever S3 takes in one go, which is 5 GiB. */
  sizeBytes?: number | undefined
  /** In hexadecimal: nothing but bytes of this hash are taken. */
  sha256?: string | undefined
  /** What was put there cannot be replaced. */
  once?: boolean
}

/** An address that takes one object for a quarter of an hour, with the method and the headers to use. */
export async function presignedPut(Key: string, { sizeBytes, sha256, once = false }: Expected) {
  const checksum = sha256 === undefined ? undefined : Buffer.from(sha256, "hex").toString("base64")
  const headers: Record<string, string> = {
    ...(sizeBytes === undefined ? {} : { "content-length": String(sizeBytes) }),
    ...(checksum === undefined ? {} : { "x-amz-checksum-sha256": checksum }),
    ...(once ? { "if-none-match": "*" } : {}),
  }
  const command = new PutObjectCommand({
    ...object(Key),
    ContentLength: sizeBytes,
    ChecksumSHA256: checksum,
    ...(once ? { IfNoneMatch: "*" } : {}),
  })
  const names = new Set(Object.keys(headers))
  const url = await getSignedUrl(s3, command, {
    expiresIn: putSeconds,
    signingDate: now(),
    signableHeaders: names,
    unhoistableHeaders: names,
  })
  return { url, method: "PUT" as const, headers }
}

interface Shown {
  disposition: string
  contentType: string
}

/** An address to read an object from within five minutes; `shown` is what the answer says of it. */
export async function presignedGet(Key: string, shown?: Shown): Promise<string> {
  const command = new GetObjectCommand({
    ...object(Key),
    ...(shown && { ResponseContentDisposition: shown.disposition, ResponseContentType: shown.contentType }),
  })
  return getSignedUrl(s3, command, { expiresIn: getSeconds, signingDate: now() })
}

/** An object's bytes, or the range of them that a `Range` header asks for. Rejects with S3's `InvalidRange` for one that is not there. */
export const read = (Key: string, range?: string) =>
  s3.send(new GetObjectCommand({ ...object(Key), ...(range === undefined ? {} : { Range: range }) }))

/** Size and SHA-256 of an object, the latter where it was checked when the bytes came; undefined when there is no object. */
export async function head(Key: string) {
  try {
    const { ContentLength, ChecksumSHA256 } = await s3.send(new HeadObjectCommand({ ...object(Key), ChecksumMode: "ENABLED" }))
    return { sizeBytes: ContentLength!, sha256: ChecksumSHA256 && Buffer.from(ChecksumSHA256, "base64").toString("hex") }
  } catch (error) {
    if (error instanceof NotFound) return undefined
    throw error
  }
}

/** Deletes an object. Deleting twice is deleting once. */
export async function remove(Key: string): Promise<void> {
  await s3.send(new DeleteObjectCommand(object(Key)))
}

/** Deletes every object whose key begins with this, which ends with a slash. */
export async function removeFolder(Prefix: string): Promise<void> {
  const Bucket = setting("BUCKET_NAME")
  // What is deleted is no longer listed, so that each page is the first one.
  for (;;) {
    const { Contents = [], IsTruncated } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix }))
    if (Contents.length) {
      const Objects = Contents.map(({ Key }) => ({ Key }))
      const { Errors = [] } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }))
      if (Errors.length) throw new Error(`S3 did not delete ${Errors[0]!.Key}: ${Errors[0]!.Message}`)
    }
    if (!IsTruncated) return
  }
}
