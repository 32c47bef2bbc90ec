import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3"
import { getSignedUrl } from "@aws-sdk/s3-request-presigner"
import { setting } from "./aws.ts"
import { now } from "./clock.ts"

const s3 = new S3Client({})

/** How long an address may be used, in seconds. */
const expiresIn = 900

/** An address that takes one object, of exactly that size, for a quarter of an hour, with the method and headers to use. */
export async function presignedPut(Key: string, sizeBytes: number) {
  const command = new PutObjectCommand({ Bucket: setting("BUCKET_NAME"), Key, ContentLength: sizeBytes })
  const upload_url = await getSignedUrl(s3, command, {
    expiresIn,
    signingDate: now(),
    signableHeaders: new Set(["content-length"]),
    unhoistableHeaders: new Set(["content-length"]),
  })
  return { upload_url, method: "PUT" as const, headers: { "content-length": String(sizeBytes) } }
}
