import { validateHeaderValue } from "node:http"
import { AwsError } from "../service.ts"
import { type Answer, authorizeObject, type Call, type Service } from "./call.ts"
import { checksumHeaders } from "./checksum.ts"
import { checkRead } from "./conditions.ts"
import { missing, quoted } from "./objects.ts"
import { tagsOf } from "./properties.ts"
import type { StoredObject } from "./store.ts"

/** Headers of the answer that a request may replace by the parameter `response-<name>`. */
export const overridable = [
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-type",
  "expires",
]

interface Range {
  start: number
  end: number
}

export const getObject = (service: Service, call: Call): Answer => {
  const { answer, object, range } = head(service, call)
  if (answer.status === 304 || object.size === 0) return answer
  const { start, end } = range ?? { start: 0, end: object.size - 1 }
  return { ...answer, body: service.blobs.read(service.store.segments(object.id), start, end) }
}

export const headObject = (service: Service, call: Call): Answer => head(service, call).answer

/** Both are one request to S3, but for the body. */
const head = (service: Service, call: Call) => {
  authorizeObject(service, call, "s3:GetObject")
  const object = service.store.find(call.bucket, call.key) ?? missing(service, call)
  const headers: Answer["headers"] = { etag: quoted(object.etag), "last-modified": new Date(object.modified).toUTCString() }
  if (checkRead(call.headers, object) === "unchanged") return { object, answer: { status: 304, headers } }
  const range = rangeIn(call.headers.range, object.size)
  Object.assign(headers, describe(object), overrides(call.query))
  headers["content-length"] = range ? range.end - range.start + 1 : object.size
  if (range) headers["content-range"] = `bytes ${range.start}-${range.end}/${object.size}`
  if (!range && call.headers["x-amz-checksum-mode"]?.toUpperCase() === "ENABLED") {
    Object.assign(headers, checksumHeaders(object.checksum))
  }
  return { object, range, answer: { status: range ? 206 : 200, headers } }
}

const describe = ({ properties }: StoredObject) => {
  const tags = tagsOf(properties).length
  return {
    "accept-ranges": "bytes",
    "content-type": "binary/octet-stream",
    ...properties.headers,
    ...(tags > 0 && { "x-amz-tagging-count": tags }),
  }
}

const overrides = (query: Map<string, string>) => {
  const given = overridable.filter((name) => query.has(`response-${name}`))
  return Object.fromEntries(given.map((name) => [name, headerValue(name, query.get(`response-${name}`)!)]))
}

const headerValue = (name: string, value: string) => {
  try {
    validateHeaderValue(name, value)
    return value
  } catch {
    throw new AwsError("InvalidArgument", "Header value cannot be represented using ISO-8859-1.")
  }
}

/** One range, or nothing where S3 sends the whole object: none, several, or one that cannot be read. */
const rangeIn = (header: string | undefined, size: number): Range | undefined => {
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? []
  if (first === "" && last === "") return undefined
  if (first !== "" && last !== "" && Number(last) < Number(first)) return undefined
  const start = first === "" ? Math.max(size - Number(last), 0) : Number(first)
  const end = first === "" || last === "" ? size - 1 : Math.min(Number(last), size - 1)
  if (start <= end) return { start, end }
  const extra = { RangeRequested: header, ActualObjectSize: size }
  throw new AwsError("InvalidRange", "The requested range is not satisfiable", 416, extra)
}
