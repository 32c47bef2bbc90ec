import { AwsError } from "../service.ts"
import { createBucket, headBucket } from "./buckets.ts"
import type { Answer, Call, Service } from "./call.ts"
import { listObjectsV2 } from "./list.ts"
import { abortMultipartUpload, completeMultipartUpload, createMultipartUpload, listParts, uploadPart } from "./multipart.ts"
import { copyObject, deleteObject, deleteObjects, getObjectTagging, putObject } from "./objects.ts"
import { getObject, headObject, overridable } from "./read.ts"

interface Operation {
  method: string
  on: "bucket" | "object"
  /** Parameters that make a request this operation; with `=` behind them, their value too. */
  needs?: string[]
  /** Parameters that it takes besides. */
  takes?: string[]
  /** Whether the header `x-amz-copy-source` makes a request this operation. */
  copies?: boolean
  run(service: Service, call: Call): Answer | Promise<Answer>
}

const listing = ["prefix", "delimiter", "continuation-token", "start-after", "max-keys", "encoding-type", "fetch-owner"]
const overrides = overridable.map((name) => `response-${name}`)

/** Every operation that this S3 has, by the name that S3 gives it. */
const operations = {
  CreateBucket: { method: "PUT", on: "bucket", run: createBucket },
  HeadBucket: { method: "HEAD", on: "bucket", run: headBucket },
  ListObjectsV2: { method: "GET", on: "bucket", needs: ["list-type=2"], takes: listing, run: listObjectsV2 },
  DeleteObjects: { method: "POST", on: "bucket", needs: ["delete"], run: deleteObjects },
  PutObject: { method: "PUT", on: "object", run: putObject },
  CopyObject: { method: "PUT", on: "object", copies: true, run: copyObject },
  GetObject: { method: "GET", on: "object", takes: overrides, run: getObject },
  HeadObject: { method: "HEAD", on: "object", takes: overrides, run: headObject },
  DeleteObject: { method: "DELETE", on: "object", run: deleteObject },
  GetObjectTagging: { method: "GET", on: "object", needs: ["tagging"], run: getObjectTagging },
  CreateMultipartUpload: { method: "POST", on: "object", needs: ["uploads"], run: createMultipartUpload },
  UploadPart: { method: "PUT", on: "object", needs: ["uploadId", "partNumber"], run: uploadPart },
  ListParts: { method: "GET", on: "object", needs: ["uploadId"], takes: ["max-parts", "part-number-marker"], run: listParts },
  CompleteMultipartUpload: { method: "POST", on: "object", needs: ["uploadId"], run: completeMultipartUpload },
  AbortMultipartUpload: { method: "DELETE", on: "object", needs: ["uploadId"], run: abortMultipartUpload },
} satisfies Record<string, Operation>

/** Parameters that sign a request or only name its operation. */
const always = [
  "x-id",
  "X-Amz-Algorithm",
  "X-Amz-Content-Sha256",
  "X-Amz-Credential",
  "X-Amz-Date",
  "X-Amz-Expires",
  "X-Amz-Security-Token",
  "X-Amz-Signature",
  "X-Amz-SignedHeaders",
]

/**
 * Finds the operation of a request. One with a parameter that no operation here takes is refused, because to carry it out without
 * would do something else than was asked. Problems: `AwsError` NotImplemented.
 */
export const operationOf = (call: Call): [name: string, run: Operation["run"]] => {
  for (const [name, operation] of Object.entries(operations)) if (fits(operation, call)) return [name, operation.run]
  const message = "A header or parameter you provided implies functionality that is not implemented"
  throw new AwsError("NotImplemented", message, 501, { Parameters: [...call.query.keys()].join(", ") })
}

const fits = ({ method, on, needs = [], takes = [], copies = false }: Operation, { request, key, query, headers }: Call) => {
  if (request.method !== method || (key === "" ? "bucket" : "object") !== on) return false
  if (copies !== (headers["x-amz-copy-source"] !== undefined)) return false
  const needed = needs.map((need) => need.split("=") as [string, string?])
  if (!needed.every(([name, value]) => query.has(name) && (value === undefined || query.get(name) === value))) return false
  const known = [...needed.map(([name]) => name), ...takes, ...always]
  return [...query.keys()].every((name) => known.includes(name) || name.startsWith("x-amz-"))
}
