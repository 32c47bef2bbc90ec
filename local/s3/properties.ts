import { AwsError } from "../service.ts"
import type { Headers } from "./call.ts"

/** What a writer says about an object, kept as it was said. */
export interface Properties {
  /** Headers that are answered with the object, `x-amz-meta-` ones among them. */
  headers: Record<string, string>
  /** As of the header `x-amz-tagging`: a query string. */
  tagging?: string
}

const kept = [
  "content-type",
  "cache-control",
  "content-disposition",
  "content-language",
  "expires",
  "x-amz-server-side-encryption",
  "x-amz-server-side-encryption-aws-kms-key-id",
  "x-amz-server-side-encryption-bucket-key-enabled",
  "x-amz-storage-class",
  "x-amz-website-redirect-location",
]

/** What we would have to keep a promise about, and could not. */
const unsupported = ["x-amz-server-side-encryption-customer-algorithm", "x-amz-object-lock-mode", "x-amz-object-lock-legal-hold"]

const mostMetadata = 2048
const mostTags = 10

/** Reads an object's properties from the headers of the request that makes it. Problems: `AwsError` for what S3 refuses. */
export const propertiesOf = (headers: Headers): Properties => {
  for (const name of unsupported) {
    if (headers[name] !== undefined) throw new AwsError("NotImplemented", `The header ${name} is not implemented.`, 501)
  }
  const names = Object.keys(headers).filter((name) => kept.includes(name) || name.startsWith("x-amz-meta-"))
  const properties: Properties = { headers: Object.fromEntries(names.map((name) => [name, headers[name]!])) }
  const encoding = contentEncoding(headers["content-encoding"])
  if (encoding) properties.headers["content-encoding"] = encoding
  if (properties.headers["x-amz-storage-class"] === "STANDARD") delete properties.headers["x-amz-storage-class"]
  checkMetadata(properties.headers)
  const tagging = headers["x-amz-tagging"]
  if (tagging) properties.tagging = checkedTagging(tagging)
  return properties
}

/** Tags of an object in the order given. */
export const tagsOf = ({ tagging }: Properties) => [...new URLSearchParams(tagging ?? "")].map(([Key, Value]) => ({ Key, Value }))

/** The part of the headers that every answer to a write repeats. */
export const encryptionHeaders = ({ headers }: Properties) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith("x-amz-server-side-encryption")))

/** `aws-chunked` is how the body travelled, not what it is. */
const contentEncoding = (header = "") =>
  header
    .split(",")
    .map((coding) => coding.trim())
    .filter((coding) => coding !== "" && coding !== "aws-chunked")
    .join(",")

const checkMetadata = (headers: Record<string, string>) => {
  const metadata = Object.entries(headers).filter(([name]) => name.startsWith("x-amz-meta-"))
  const size = metadata.reduce((sum, [name, value]) => sum + name.length - "x-amz-meta-".length + Buffer.byteLength(value), 0)
  if (size > mostMetadata)
    throw new AwsError("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size.")
}

const checkedTagging = (tagging: string) => {
  const tags = [...new URLSearchParams(tagging)]
  const names = new Set(tags.map(([name]) => name))
  if (tags.length > mostTags) throw new AwsError("BadRequest", "Object tags cannot be greater than 10")
  if (names.size < tags.length) throw new AwsError("InvalidTag", "Cannot provide multiple Tags with the same key")
  if (tags.some(([name, value]) => name === "" || name.length > 128 || value.length > 256)) {
    throw new AwsError("InvalidTag", "The TagKey or the TagValue you have provided is invalid")
  }
  return tagging
}
