import { GetObjectCommand, NoSuchKey, S3Client } from "@aws-sdk/client-s3"
import type { z } from "zod"
import { setting } from "./aws.ts"
import { newId } from "./id.ts"
import { limits } from "./limits.ts"
import { invalid, Problem } from "./problem.ts"
import { type PreparedModelRequest, type PrepareModelRequest, storedRequestHeader } from "./protocol.ts"
import * as Run from "./run.ts"
import * as Storage from "./storage.ts"

/**
 * Bodies of model requests: what is too large for the way through the gateway is stored first, and named in its place. A request may
 * be repeated, so nothing is deleted here; the stack forgets what lies below the prefix after a day (`infra/bucket.ts`).
 */

const s3 = new S3Client({})

const keyOf = ({ accountId, taskId, runId }: Run.Ref, id: string) => `model-requests/${accountId}/${taskId}/${runId}/${id}`

/** Where a container may put the body of a request, good for a quarter of an hour. Raises `lease_lost`, `payload_too_large`. */
export async function prepare(
  ref: Run.Ref,
  { size_bytes }: z.output<typeof PrepareModelRequest>,
): Promise<z.infer<typeof PreparedModelRequest>> {
  await Run.claimed(ref)
  if (size_bytes > limits.storedModelRequestBytes) throw new Problem("payload_too_large")
  const request_id = newId("modelRequest")
  const { url, method, headers } = await Storage.presignedPut(keyOf(ref, request_id), { sizeBytes: size_bytes })
  return { request_id, upload_url: url, method, headers }
}

interface Request {
  headers: Record<string, string | undefined>
  body: Buffer
}

/**
 * The body as it came, or the stored one that the request names: only ever one of this very run. Raises `payload_too_large`,
 * `upload_incomplete`.
 */
export async function bodyOf(ref: Run.Ref, { headers, body }: Request): Promise<Uint8Array> {
  const id = Object.entries(headers).find(([name]) => name.toLowerCase() === storedRequestHeader)?.[1]
  if (id !== undefined) return stored(ref, id)
  if (body.length > limits.modelRequestBytes) throw new Problem("payload_too_large")
  return body
}

async function stored(ref: Run.Ref, id: string) {
  if (!/^\w{1,100}$/.test(id)) throw invalid(storedRequestHeader, "This is no id of a stored request")
  try {
    const object = await s3.send(new GetObjectCommand({ Bucket: setting("BUCKET_NAME"), Key: keyOf(ref, id) }))
    return await object.Body!.transformToByteArray()
  } catch (error) {
    if (error instanceof NoSuchKey) throw new Problem("upload_incomplete")
    throw error
  }
}
