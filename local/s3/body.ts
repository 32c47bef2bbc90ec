import { createHash } from "node:crypto"
import { AwsError } from "../service.ts"
import type { Call } from "./call.ts"
import { type Checksum, type ChecksumName, checksumIn, checksumName, digestOf, wellFormed } from "./checksum.ts"
import { dechunker } from "./chunked.ts"

const largest = 5 * 1024 ** 3
const longestDocument = 8 * 1024 ** 2
const unsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

/** The body of a request without its framing. What it promised is checked as it goes by; the last check throws after the last byte. */
export interface Body {
  bytes: AsyncIterable<Buffer>
  /** What was received. Known once `bytes` has ended. */
  received(): Received
}

export interface Received {
  size: number
  /** Hex MD5. */
  md5: string
  checksum?: Checksum
}

/**
 * Opens the body of a request that stores bytes. `wanted` is a checksum to take of it even when the request brings none.
 * Problems (while it is read): `AwsError` IncompleteBody, BadDigest, InvalidDigest, XAmzContentSHA256Mismatch and the like.
 */
export const bodyOf = (call: Call, wanted?: ChecksumName): Body => {
  const declared = declaredSize(call)
  const trailer = trailerName(call)
  const header = checksumIn(call.headers)
  if (header && trailer) throw invalid("Expecting a single x-amz-checksum- header. Multiple checksum types are not allowed.")
  const name = header?.name ?? trailer ?? wanted
  const md5 = createHash("md5")
  const sha256 = /^[0-9a-f]{64}$/.test(call.payload) ? createHash("sha256") : undefined
  const digest = name && digestOf(name)
  let received: Received | undefined

  async function* bytes() {
    let size = 0
    const trailers: Record<string, string | undefined> = {}
    for await (const piece of unframed(call, trailers)) {
      size += piece.length
      if (size > declared) throw incomplete()
      md5.update(piece)
      sha256?.update(piece)
      digest?.update(piece)
      yield piece
    }
    if (size !== declared) throw incomplete()
    if (sha256 && sha256.digest("hex") !== call.payload) {
      throw new AwsError(
        "XAmzContentSHA256Mismatch",
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
      )
    }
    const md5Digest = md5.digest()
    checkMd5(call.headers["content-md5"], md5Digest)
    const checksum = digest && name ? { name, value: digest.base64(), type: "FULL_OBJECT" as const } : undefined
    if (checksum) checkChecksum(checksum, header?.value ?? trailerValue(trailer, trailers))
    received = { size, md5: md5Digest.toString("hex"), ...(checksum && { checksum }) }
  }

  return {
    bytes: bytes(),
    received() {
      if (!received) throw new Error("The body has not been read to its end")
      return received
    },
  }
}

/** Reads a body that is a document. Problems: as of `bodyOf`, and `AwsError` MalformedXML when it is too long. */
export const textOfBody = async (call: Call) => {
  if (declaredSize(call) > longestDocument) throw new AwsError("MalformedXML", "The XML you provided is too long.")
  const pieces: Buffer[] = []
  for await (const piece of bodyOf(call).bytes) pieces.push(piece)
  return Buffer.concat(pieces).toString("utf8")
}

/** The request itself is never destroyed: its connection is still needed to answer what was wrong with it. */
async function* unframed({ request, payload }: Call, trailers: Record<string, string | undefined>): AsyncGenerator<Buffer> {
  const pieces: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false })
  if (!payload.startsWith("STREAMING-")) {
    yield* pieces
    return
  }
  const frames = dechunker()
  for await (const piece of pieces) yield* frames.push(piece)
  Object.assign(trailers, frames.end())
}

const declaredSize = ({ headers, payload }: Call) => {
  const streaming = payload.startsWith("STREAMING-")
  if (streaming && payload !== unsignedTrailer) {
    throw new AwsError("NotImplemented", `A body with the signature ${payload} is not implemented.`, 501)
  }
  const declared = headers[streaming ? "x-amz-decoded-content-length" : "content-length"]
  if (declared === undefined) {
    if (!streaming && headers["transfer-encoding"] === undefined) return 0
    throw new AwsError("MissingContentLength", "You must provide the Content-Length HTTP header.", 411)
  }
  if (!/^\d{1,15}$/.test(declared)) throw invalid("The length of the body is not a number.")
  if (Number(declared) > largest) throw new AwsError("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size.")
  return Number(declared)
}

/** Which checksum stands behind the body. */
const trailerName = ({ headers, payload }: Call) => {
  const announced = headers["x-amz-trailer"]?.trim().toLowerCase()
  if (!announced || payload !== unsignedTrailer) return undefined
  if (!announced.startsWith("x-amz-checksum-")) throw invalid("The value specified in the x-amz-trailer header is not supported.")
  return checksumName(announced.slice("x-amz-checksum-".length))
}

const trailerValue = (name: ChecksumName | undefined, trailers: Record<string, string | undefined>) => {
  if (!name) return undefined
  const value = trailers[`x-amz-checksum-${name}`]
  if (value !== undefined) return value
  throw new AwsError("MalformedTrailerError", "The request did not contain the trailer that x-amz-trailer announced.")
}

const checkMd5 = (given: string | undefined, digest: Buffer) => {
  if (given === undefined) return
  const expected = Buffer.from(given, "base64")
  if (expected.length !== 16) throw new AwsError("InvalidDigest", "The Content-MD5 you specified was invalid.")
  if (!expected.equals(digest)) throw new AwsError("BadDigest", "The Content-MD5 you specified did not match what we received.")
}

const checkChecksum = ({ name, value }: Checksum, given: string | undefined) => {
  if (given === undefined || given === value) return
  if (!wellFormed(name, given)) throw invalid(`Value for x-amz-checksum-${name} header is invalid.`)
  throw new AwsError("BadDigest", `The ${name.toUpperCase()} you specified did not match the calculated checksum.`)
}

const incomplete = () =>
  new AwsError("IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header.")

const invalid = (message: string) => new AwsError("InvalidRequest", message)
