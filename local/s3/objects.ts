import { randomUUID } from "node:crypto"
import { millis } from "#core/clock.ts"
import { AwsError } from "../service.ts"
import { decode } from "../signature.ts"
import { bodyOf, type Received, textOfBody } from "./body.ts"
import { type Answer, authorizeObject, bucketArn, type Call, type Headers, objectArn, type Service, xmlAnswer } from "./call.ts"
import { checksumElements, checksumHeaders, checksumName } from "./checksum.ts"
import { checkRead, checkWrite, failed, noSuchKey } from "./conditions.ts"
import { encryptionHeaders, type Properties, propertiesOf, tagsOf } from "./properties.ts"
import type { StoredObject } from "./store.ts"
import { document, type Element, parse, textOf } from "./xml.ts"

const mostDeleted = 1000

export const putObject = async (service: Service, call: Call): Promise<Answer> => {
  const { store, blobs } = service
  const { bucket, key } = call
  authorizeWrite(service, call)
  const properties = propertiesOf(call.headers)
  checkWrite(call.headers, store.find(bucket, key))
  const { received, blob } = await receive(service, call)
  const { size, md5, checksum } = received
  const object: StoredObject = {
    key,
    id: randomUUID(),
    size,
    etag: md5,
    modified: millis(),
    properties,
    ...(checksum && { checksum }),
  }
  try {
    const freed = store.transaction(() => {
      checkWrite(call.headers, store.find(bucket, key))
      return store.put(bucket, object, [{ blob, size }])
    })
    blobs.discard(freed)
  } catch (error) {
    blobs.discard([blob])
    throw error
  }
  return { status: 200, headers: { etag: quoted(md5), ...checksumHeaders(checksum), ...encryptionHeaders(properties) } }
}

/** Writes the body of a request to a blob; it is on the disk when this resolves. */
export const receive = async ({ blobs }: Service, call: Call, wanted?: Parameters<typeof bodyOf>[1]) => {
  const body = bodyOf(call, wanted)
  const blob = await blobs.create(body.bytes)
  return { blob, received: body.received() satisfies Received }
}

/** A copy shares the bytes of its source, which never change. It keeps the source's ETag, even that of an object made of parts. */
export const copyObject = (service: Service, call: Call): Answer => {
  const { store, blobs } = service
  const { bucket, key, headers } = call
  const source = copySource(headers["x-amz-copy-source"] ?? "")
  service.authorize(call.caller, "s3:GetObject", objectArn(source.bucket, source.key))
  authorizeWrite(service, call)
  const { freed, object } = store.transaction(() => {
    if (!store.hasBucket(source.bucket)) throw noSuchBucket(source.bucket)
    const found = store.find(source.bucket, source.key) ?? missing(service, call, source.bucket)
    if (checkRead(headers, found, "x-amz-copy-source-") === "unchanged") throw failed("If-None-Match")
    checkWrite(headers, store.find(bucket, key))
    checkCopyChecksum(headers["x-amz-checksum-algorithm"], found)
    const object = { ...found, key, id: randomUUID(), modified: millis(), properties: copiedProperties(call, source, found) }
    return { object, freed: store.put(bucket, object, store.segments(found.id)) }
  })
  blobs.discard(freed)
  const result = { LastModified: iso(object.modified), ETag: quoted(object.etag), ...checksumElements(object.checksum) }
  return xmlAnswer(document("CopyObjectResult", result), encryptionHeaders(object.properties))
}

export const deleteObject = (service: Service, call: Call): Answer => {
  const { store, blobs } = service
  const { bucket, key, headers } = call
  authorizeObject(service, call, "s3:DeleteObject")
  const freed = store.transaction(() => {
    if (headers["if-match"] !== undefined) checkWrite(headers, store.find(bucket, key))
    return store.remove(bucket, key)
  })
  blobs.discard(freed)
  return { status: 204 }
}

export const deleteObjects = async (service: Service, call: Call): Promise<Answer> => {
  const { store, blobs } = service
  checkDigestGiven(call.headers)
  const { keys, quiet } = deletions(parse(await textOfBody(call)))
  const [deleted, errors]: [string[], { Key: string; Code: string; Message: string }[]] = [[], []]
  for (const key of keys) {
    try {
      service.authorize(call.caller, "s3:DeleteObject", objectArn(call.bucket, key))
      deleted.push(key)
    } catch (error) {
      if (!(error instanceof AwsError)) throw error
      errors.push({ Key: key, Code: error.code, Message: error.message })
    }
  }
  blobs.discard(store.transaction(() => deleted.flatMap((key) => store.remove(call.bucket, key))))
  return xmlAnswer(document("DeleteResult", { Deleted: quiet ? [] : deleted.map((Key) => ({ Key })), Error: errors }))
}

export const getObjectTagging = (service: Service, call: Call): Answer => {
  authorizeObject(service, call, "s3:GetObjectTagging")
  const { properties } = service.store.find(call.bucket, call.key) ?? missing(service, call)
  return xmlAnswer(document("Tagging", { TagSet: { Tag: tagsOf(properties).map(({ Key, Value }) => ({ Key, Value })) } }))
}

/** Asks for everything that writing this object needs. */
export const authorizeWrite = (service: Service, call: Call) => {
  authorizeObject(service, call, "s3:PutObject")
  if (call.headers["x-amz-tagging"]) authorizeObject(service, call, "s3:PutObjectTagging")
}

/** Like S3, tells that an object is missing only those who may list the bucket; to others it is AccessDenied. */
export const missing = (service: Service, call: Call, bucket = call.bucket): never => {
  service.authorize(call.caller, "s3:ListBucket", bucketArn(bucket))
  throw noSuchKey()
}

export const noSuchBucket = (bucket: string) =>
  new AwsError("NoSuchBucket", "The specified bucket does not exist", 404, { BucketName: bucket })

export const quoted = (etag: string) => `"${etag}"`
export const iso = (time: number) => new Date(time).toISOString()

const copySource = (header: string) => {
  const [path, query] = header.split("?", 2)
  if (query) throw new AwsError("NotImplemented", "Versions of objects are not implemented.", 501)
  const parts = /^\/?([^/]+)\/(.+)$/s.exec(decode(path!))
  if (!parts) throw new AwsError("InvalidArgument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
  return { bucket: parts[1]!, key: parts[2]! }
}

const copiedProperties = (
  { bucket, key, headers }: Call,
  source: { bucket: string; key: string },
  found: StoredObject,
): Properties => {
  const replaced = propertiesOf(headers)
  const replace = headers["x-amz-metadata-directive"] === "REPLACE"
  if (!replace && source.bucket === bucket && source.key === key && Object.keys(encryptionHeaders(replaced)).length === 0) {
    const message = "This copy request is illegal because it is trying to copy an object to itself without changing its metadata."
    throw new AwsError("InvalidRequest", message)
  }
  const kept = { ...found.properties.headers, ...encryptionHeaders(replaced) }
  const tagging = headers["x-amz-tagging-directive"] === "REPLACE" ? replaced.tagging : found.properties.tagging
  return { headers: replace ? replaced.headers : kept, ...(tagging && { tagging }) }
}

/** A copy keeps its source's checksum. To take another one would mean to read all of it. */
const checkCopyChecksum = (wanted: string | undefined, found: StoredObject) => {
  if (wanted === undefined || checksumName(wanted) === found.checksum?.name) return
  throw new AwsError("NotImplemented", "To give a copy another checksum than its source has is not implemented.", 501)
}

const checkDigestGiven = (headers: Headers) => {
  const given = ["content-md5", "x-amz-trailer"].some((name) => headers[name] !== undefined)
  if (given || Object.keys(headers).some((name) => name.startsWith("x-amz-checksum-"))) return
  throw new AwsError("InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
}

const deletions = (root: Element) => {
  const objects = root.children.filter(({ name }) => name === "Object")
  const keys = objects.map((object) => textOf(object, "Key") ?? "")
  if (root.name !== "Delete" || keys.length === 0 || keys.length > mostDeleted || keys.includes("")) {
    throw new AwsError("MalformedXML", "The XML you provided was not well-formed or did not validate against our schema")
  }
  if (objects.some((object) => object.children.length > 1)) {
    throw new AwsError("NotImplemented", "To delete by version or by condition in a batch is not implemented.", 501)
  }
  return { keys, quiet: textOf(root, "Quiet") === "true" }
}
