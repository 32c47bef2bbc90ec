import { AwsError } from "../service.ts"
import { encode } from "../signature.ts"
import { type Answer, bucketArn, type Call, type Service, xmlAnswer } from "./call.ts"
import { iso, quoted } from "./objects.ts"
import type { StoredObject } from "./store.ts"
import { document } from "./xml.ts"

const mostKeys = 1000

interface Question {
  bucket: string
  prefix: string
  delimiter: string
  /** The first key that may be answered, in UTF-8. */
  from: Buffer
  limit: number
}

interface Page {
  objects: StoredObject[]
  prefixes: string[]
  /** Where the next page begins, if there is one. */
  next?: Buffer
}

export const listObjectsV2 = (service: Service, call: Call): Answer => {
  service.authorize(call.caller, "s3:ListBucket", bucketArn(call.bucket))
  const { query } = call
  const question = questionOf(call)
  const { objects, prefixes, next } = page(service, question)
  const shown = query.get("encoding-type") === "url" ? encodedPath : (text: string) => text
  return xmlAnswer(
    document("ListBucketResult", {
      Name: call.bucket,
      Prefix: shown(question.prefix),
      Delimiter: question.delimiter === "" ? undefined : shown(question.delimiter),
      StartAfter: query.has("start-after") ? shown(query.get("start-after")!) : undefined,
      EncodingType: query.get("encoding-type"),
      KeyCount: objects.length + prefixes.length,
      MaxKeys: question.limit,
      IsTruncated: next !== undefined,
      ContinuationToken: query.get("continuation-token"),
      NextContinuationToken: next?.toString("base64url"),
      Contents: objects.map((object) => ({
        Key: shown(object.key),
        LastModified: iso(object.modified),
        ETag: quoted(object.etag),
        ChecksumAlgorithm: object.checksum?.name.toUpperCase(),
        ChecksumType: object.checksum?.type,
        Size: object.size,
        StorageClass: object.properties.headers["x-amz-storage-class"] ?? "STANDARD",
      })),
      CommonPrefixes: prefixes.map((prefix) => ({ Prefix: shown(prefix) })),
    }),
  )
}

/** Walks the keys in order and jumps over what a common prefix stands for, so a page costs what it shows and no more. */
const page = ({ store }: Service, { bucket, prefix, delimiter, from, limit }: Question): Page => {
  const before = prefix === "" ? undefined : successor(prefix)
  const result: Page = { objects: [], prefixes: [] }
  let next = from
  for (;;) {
    const room = limit - result.objects.length - result.prefixes.length
    const found = store.list(bucket, next, before, room + 1)
    let jumped = false
    for (const object of found) {
      if (result.objects.length + result.prefixes.length === limit) return limit === 0 ? result : { ...result, next }
      const cut = delimiter === "" ? -1 : object.key.indexOf(delimiter, prefix.length)
      if (cut < 0) {
        result.objects.push(object)
        next = Buffer.concat([Buffer.from(object.key), Buffer.of(0)])
        continue
      }
      const common = object.key.slice(0, cut + delimiter.length)
      result.prefixes.push(common)
      next = successor(common)
      jumped = true
      break
    }
    if (!jumped) return result
  }
}

const questionOf = ({ bucket, query }: Call): Question => {
  const prefix = query.get("prefix") ?? ""
  const token = query.get("continuation-token")
  const after = query.get("start-after")
  const begin =
    token !== undefined ? fromToken(token) : after ? Buffer.concat([Buffer.from(after), Buffer.of(0)]) : Buffer.alloc(0)
  const first = Buffer.from(prefix)
  const from = Buffer.compare(begin, first) > 0 ? begin : first
  return { bucket, prefix, delimiter: query.get("delimiter") ?? "", from, limit: limitIn(query.get("max-keys")) }
}

const limitIn = (text: string | undefined) => {
  if (text === undefined) return mostKeys
  if (!/^\d{1,10}$/.test(text)) throw new AwsError("InvalidArgument", "Provided max-keys not an integer or within integer range")
  return Math.min(Number(text), mostKeys)
}

const fromToken = (token: string) => {
  const bytes = Buffer.from(token, "base64url")
  if (bytes.length > 0 && bytes.toString("base64url") === token) return bytes
  throw new AwsError("InvalidArgument", "The continuation token provided is incorrect")
}

/** The first key behind all that begin with `prefix`. No byte of UTF-8 is 255, so the last one can always grow. */
const successor = (prefix: string) => {
  const bytes = Buffer.from(prefix)
  bytes[bytes.length - 1]! += 1
  return bytes
}

const encodedPath = (text: string) => text.split("/").map(encode).join("/")
