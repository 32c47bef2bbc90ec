import { createHash, randomUUID } from "node:crypto"
import { millis } from "#core/clock.ts"
import { AwsError } from "../service.ts"
import { textOfBody } from "./body.ts"
import { type Answer, authorizeObject, type Call, type Headers, type Service, xmlAnswer } from "./call.ts"
import { type Checksum, checksumElements, checksumIn, checksumName, elementOf, joined, typeFor } from "./checksum.ts"
import { checkWrite } from "./conditions.ts"
import { authorizeWrite, iso, quoted, receive } from "./objects.ts"
import { encryptionHeaders, propertiesOf } from "./properties.ts"
import type { Part, StoredObject, Upload } from "./store.ts"
import { document, type Element, parse, textOf } from "./xml.ts"

const mostParts = 10_000
const smallestPart = 5 * 1024 ** 2

export const createMultipartUpload = (service: Service, call: Call): Answer => {
  authorizeWrite(service, call)
  const { bucket, key, headers } = call
  const properties = propertiesOf(headers)
  const checksum = wantedChecksum(headers)
  const upload: Upload = { id: randomUUID(), bucket, key, properties, ...(checksum && { checksum }) }
  service.store.createUpload(upload)
  const body = document("InitiateMultipartUploadResult", { Bucket: bucket, Key: key, UploadId: upload.id })
  const told: Record<string, string> = checksum
    ? { "x-amz-checksum-algorithm": checksum.name.toUpperCase(), "x-amz-checksum-type": checksum.type }
    : {}
  return xmlAnswer(body, { ...told, ...encryptionHeaders(properties) })
}

export const uploadPart = async (service: Service, call: Call): Promise<Answer> => {
  const { store, blobs } = service
  authorizeObject(service, call, "s3:PutObject")
  const number = partNumber(call.query.get("partNumber") ?? "")
  const upload = uploadOf(service, call)
  const { blob, received } = await receive(service, call, upload.checksum?.name)
  const { size, md5, checksum } = received
  const part: Part = { number, id: randomUUID(), size, etag: md5, modified: millis(), ...(checksum && { checksum }) }
  try {
    checkSameAlgorithm(upload, checksum)
    const freed = store.transaction(() => {
      uploadOf(service, call)
      return store.putPart(upload.id, part, { blob, size })
    })
    blobs.discard(freed)
  } catch (error) {
    blobs.discard([blob])
    throw error
  }
  const told = checksum ? { [`x-amz-checksum-${checksum.name}`]: checksum.value } : {}
  return { status: 200, headers: { etag: quoted(md5), ...told, ...encryptionHeaders(upload.properties) } }
}

export const listParts = (service: Service, call: Call): Answer => {
  authorizeObject(service, call, "s3:ListMultipartUploadParts")
  const { query, bucket, key } = call
  const upload = uploadOf(service, call)
  const limit = Math.min(wholeNumber(query.get("max-parts") ?? "1000", "max-parts"), 1000)
  const after = wholeNumber(query.get("part-number-marker") ?? "0", "part-number-marker")
  const found = service.store.parts(upload.id, after, limit + 1)
  const parts = found.slice(0, limit)
  const truncated = found.length > limit
  return xmlAnswer(
    document("ListPartsResult", {
      Bucket: bucket,
      Key: key,
      UploadId: upload.id,
      PartNumberMarker: after,
      NextPartNumberMarker: truncated ? (parts.at(-1)?.number ?? after) : undefined,
      MaxParts: limit,
      IsTruncated: truncated,
      ChecksumAlgorithm: upload.checksum?.name.toUpperCase(),
      ChecksumType: upload.checksum?.type,
      Part: parts.map(({ number, modified, etag, size, checksum }) => ({
        PartNumber: number,
        LastModified: iso(modified),
        ETag: quoted(etag),
        Size: size,
        ...(checksum && { [elementOf(checksum.name)]: checksum.value }),
      })),
    }),
  )
}

export const completeMultipartUpload = async (service: Service, call: Call): Promise<Answer> => {
  const { store, blobs } = service
  const { bucket, key, headers } = call
  authorizeObject(service, call, "s3:PutObject")
  // The checksum in these headers is that of the object, not of the list of parts in this body.
  const promised = checksumIn(headers)
  const list = parse(await textOfBody({ ...call, headers: withoutChecksums(headers) }))
  const { freed, object } = store.transaction(() => {
    const upload = store.upload(call.query.get("uploadId")!, bucket, key)
    if (!upload) return { freed: [], object: completedBefore(service, call) }
    const parts = chosenParts(list, store.parts(upload.id))
    const object = assemble(upload, parts)
    checkWhole(headers, object, promised)
    checkWrite(headers, store.find(bucket, key))
    const segments = parts.flatMap((part) => store.segments(part.id))
    const replaced = store.put(bucket, object, segments)
    return { object, freed: [...replaced, ...store.removeUpload(upload.id)] }
  })
  blobs.discard(freed)
  const result = { Bucket: bucket, Key: key, ETag: quoted(object.etag), ...checksumElements(object.checksum) }
  const location = `http://${headers.host}/${bucket}/${key}`
  return xmlAnswer(
    document("CompleteMultipartUploadResult", { Location: location, ...result }),
    encryptionHeaders(object.properties),
  )
}

export const abortMultipartUpload = (service: Service, call: Call): Answer => {
  const { store, blobs } = service
  authorizeObject(service, call, "s3:AbortMultipartUpload")
  const { id } = uploadOf(service, call)
  blobs.discard(store.transaction(() => store.removeUpload(id)))
  return { status: 204 }
}

const uploadOf = ({ store }: Service, { query, bucket, key }: Call): Upload =>
  store.upload(query.get("uploadId")!, bucket, key) ?? noSuchUpload()

const noSuchUpload = (): never => {
  const message =
    "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."
  throw new AwsError("NoSuchUpload", message, 404)
}

/** A completion whose answer was lost is asked for again; as long as its object stands, the answer is the same. */
const completedBefore = ({ store }: Service, { query, bucket, key }: Call): StoredObject => {
  const object = store.find(bucket, key)
  return object && object.id === query.get("uploadId") ? object : noSuchUpload()
}

const wantedChecksum = (headers: Headers): Checksum | undefined => {
  const algorithm = headers["x-amz-checksum-algorithm"]
  if (algorithm === undefined) return undefined
  const name = checksumName(algorithm)
  return { name, value: "", type: typeFor(name, headers["x-amz-checksum-type"]) }
}

const checkSameAlgorithm = ({ checksum: wanted }: Upload, checksum: Checksum | undefined) => {
  if (!wanted || wanted.name === checksum?.name) return
  const message = `Checksum Type mismatch occurred, expected checksum Type: ${wanted.name}, actual checksum Type: ${checksum?.name}`
  throw new AwsError("InvalidRequest", message)
}

/** The stored parts that a completion names, held against what it says of them. */
const chosenParts = (root: Element, stored: Part[]): Part[] => {
  const named = root.children.filter(({ name }) => name === "Part")
  if (root.name !== "CompleteMultipartUpload" || named.length === 0)
    throw new AwsError("MalformedXML", "The list of parts is empty.")
  const byNumber = new Map(stored.map((part) => [part.number, part]))
  const parts = named.map((element) => {
    const part = byNumber.get(partNumber(textOf(element, "PartNumber") ?? ""))
    if (!part || !describes(element, part)) throw invalidPart()
    return part
  })
  for (const [index, { number, size }] of parts.entries()) {
    const next = parts[index + 1]
    if (next && next.number <= number) {
      throw new AwsError(
        "InvalidPartOrder",
        "The list of parts was not in ascending order. Parts must be ordered by part number.",
      )
    }
    if (next && size < smallestPart) {
      const extra = { PartNumber: number, ProposedSize: size, MinSizeAllowed: smallestPart }
      throw new AwsError("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size", 400, extra)
    }
  }
  return parts
}

const describes = (element: Element, { etag, checksum }: Part) =>
  element.children.every(({ name, text }) => {
    if (name === "ETag") return text.replaceAll('"', "") === etag
    if (name.startsWith("Checksum")) return checksum !== undefined && name === elementOf(checksum.name) && text === checksum.value
    return true
  }) && textOf(element, "ETag") !== undefined

const invalidPart = () =>
  new AwsError(
    "InvalidPart",
    "One or more of the specified parts could not be found, or its entity tag or checksum did not match.",
  )

/** The object that parts make. Its id is the upload's, by which a repeated completion knows it. */
const assemble = ({ id, key, properties, checksum: wanted }: Upload, parts: Part[]): StoredObject => {
  const md5 = createHash("md5")
  for (const { etag } of parts) md5.update(Buffer.from(etag, "hex"))
  const size = parts.reduce((sum, part) => sum + part.size, 0)
  const values = parts.map((part) => ({ value: part.checksum?.value ?? "", size: part.size }))
  const checksum = wanted && joined(wanted.name, wanted.type, values)
  const etag = `${md5.digest("hex")}-${parts.length}`
  return { key, id, size, etag, modified: millis(), properties, ...(checksum && { checksum }) }
}

/** Holds the whole object against what the completion promised of it. */
const checkWhole = (headers: Headers, { size, checksum }: StoredObject, promised: ReturnType<typeof checksumIn>) => {
  const promisedSize = headers["x-amz-mp-object-size"]
  if (promisedSize !== undefined && Number(promisedSize) !== size) {
    throw new AwsError("InvalidRequest", "The provided 'x-amz-mp-object-size' header does not match what was computed.")
  }
  if (!promised) return
  if (promised.name === checksum?.name && promised.value === checksum.value) return
  throw new AwsError("BadDigest", `The ${promised.name} you specified did not match the calculated checksum.`)
}

const withoutChecksums = (headers: Headers) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith("x-amz-checksum-")))

const partNumber = (text: string) => {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (number >= 1 && number <= mostParts) return number
  throw new AwsError("InvalidArgument", `Part number must be an integer between 1 and ${mostParts}, inclusive`)
}

const wholeNumber = (text: string, name: string) => {
  if (!/^\d{1,9}$/.test(text)) throw new AwsError("InvalidArgument", `Provided ${name} not an integer or within integer range`)
  return Number(text)
}
