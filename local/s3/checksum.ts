import { createHash } from "node:crypto"
import { crc32 } from "node:zlib"
import { AwsError } from "../service.ts"
import type { Headers } from "./call.ts"
import { type CrcName, combine, crc32c, crc64nvme } from "./crc.ts"

/** The checksums that S3 takes, in the spelling of its headers: `x-amz-checksum-<name>`. */
export const checksumNames = ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"] as const
export type ChecksumName = (typeof checksumNames)[number]

/** Of the whole object, or of the checksums of its parts with their number behind a dash. */
export type ChecksumType = "FULL_OBJECT" | "COMPOSITE"

/** What is stored with an object or a part; `value` is base64. */
export interface Checksum {
  name: ChecksumName
  value: string
  type: ChecksumType
}

const sizes: Record<ChecksumName, number> = { crc32: 4, crc32c: 4, crc64nvme: 8, sha1: 20, sha256: 32 }

/** A checksum that is fed piece by piece. */
export const digestOf = (name: ChecksumName): { update(bytes: Uint8Array): void; base64(): string } => {
  if (name === "sha1" || name === "sha256") {
    const hash = createHash(name)
    return { update: (bytes) => void hash.update(bytes), base64: () => hash.digest("base64") }
  }
  let value = 0n
  const next = (bytes: Uint8Array) => {
    if (name === "crc64nvme") return crc64nvme(bytes, value)
    return BigInt((name === "crc32" ? crc32 : crc32c)(bytes, Number(value)))
  }
  return {
    update(bytes) {
      value = next(bytes)
    },
    base64: () => toBase64(name, value),
  }
}

/** Takes a name in any case, as `x-amz-checksum-algorithm` gives it. Problems: `AwsError` InvalidRequest. */
export const checksumName = (text: string): ChecksumName => {
  const name = checksumNames.find((each) => each === text.toLowerCase())
  if (!name) throw new AwsError("InvalidRequest", "Checksum algorithm provided is unsupported.")
  return name
}

/** The one checksum that headers (or trailers) carry. Problems: `AwsError` InvalidRequest for two, or one that is none. */
export const checksumIn = (headers: Headers): { name: ChecksumName; value: string } | undefined => {
  const given = checksumNames.filter((name) => headers[`x-amz-checksum-${name}`] !== undefined)
  if (given.length > 1) {
    throw new AwsError("InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum types are not allowed.")
  }
  const [name] = given
  if (!name) return undefined
  return { name, value: headers[`x-amz-checksum-${name}`]! }
}

/** Whether `value` has the form of a checksum of this kind. */
export const wellFormed = (name: ChecksumName, value: string) => {
  const bytes = Buffer.from(value, "base64")
  return bytes.length === sizes[name] && bytes.toString("base64") === value
}

/** The headers that tell of a stored checksum. */
export const checksumHeaders = (checksum: Checksum | undefined): Record<string, string> =>
  checksum ? { [`x-amz-checksum-${checksum.name}`]: checksum.value, "x-amz-checksum-type": checksum.type } : {}

/** The XML elements that tell of a stored checksum. */
export const checksumElements = (checksum: Checksum | undefined) =>
  checksum ? { [elementOf(checksum.name)]: checksum.value, ChecksumType: checksum.type } : {}

/** The name of the XML element of a checksum. */
export const elementOf = (name: ChecksumName) => `Checksum${name.toUpperCase()}`

/** The type that an upload's checksum has, with S3's defaults. Problems: `AwsError` InvalidRequest for a pair that S3 does not have. */
export const typeFor = (name: ChecksumName, wanted: string | undefined): ChecksumType => {
  const type = wanted ?? (name === "crc64nvme" ? "FULL_OBJECT" : "COMPOSITE")
  if (type === "FULL_OBJECT" && !name.startsWith("sha")) return type
  if (type === "COMPOSITE" && name !== "crc64nvme") return type
  throw new AwsError("InvalidRequest", `The ${type} checksum type cannot be used with the ${name} checksum algorithm.`)
}

/** The checksum of an object made of parts. */
export const joined = (name: ChecksumName, type: ChecksumType, parts: { value: string; size: number }[]): Checksum => {
  if (type === "FULL_OBJECT") {
    const [first, ...rest] = parts.map(({ value, size }) => ({ crc: fromBase64(value), size }))
    const whole = rest.reduce((crc, part) => combine(name as CrcName, crc, part.crc, part.size), first!.crc)
    return { name, type, value: toBase64(name, whole) }
  }
  const digest = digestOf(name)
  for (const { value } of parts) digest.update(Buffer.from(value, "base64"))
  return { name, type, value: `${digest.base64()}-${parts.length}` }
}

const toBase64 = (name: ChecksumName, value: bigint) =>
  Buffer.from(value.toString(16).padStart(sizes[name] * 2, "0"), "hex").toString("base64")

const fromBase64 = (value: string) => BigInt(`0x${Buffer.from(value, "base64").toString("hex")}`)
