import { createHash, createHmac, timingSafeEqual } from "node:crypto"
import type { IncomingHttpHeaders } from "node:http"
import { millis } from "#core/clock.ts"
import { AwsError } from "./service.ts"

/**
 * Signature Version 4, as the receiving side checks it, for every service of the embedded AWS.
 *
 * Paths and queries are taken apart by hand: `URL` would resolve `..` and `%2e%2e`, which are ordinary parts of an S3 key.
 */
export interface SignedRequest {
  method: string
  /** Path and query as they stood in the request line. */
  url: string
  headers: IncomingHttpHeaders
  /** Hex SHA-256 of the body where it is known already. Without it the signed `X-Amz-Content-Sha256` is used, and the caller has to check it. */
  payloadHash?: string
  secretOf: (accessKeyId: string) => string | undefined
}

export interface Verified {
  accessKeyId: string
  /** Region and service that the request was signed for. */
  region: string
  service: string
  /** What was signed for the body: its hex SHA-256, `UNSIGNED-PAYLOAD`, or a `STREAMING-…` word. */
  payload: string
  /** Whether the signature stood in the query. */
  presigned: boolean
}

interface Claim {
  accessKeyId: string
  scope: { day: string; region: string; service: string }
  signedHeaders: string[]
  signature: string
  date: string
  payload: string
  /** Seconds, of a presigned request. */
  expires?: number
}

const algorithm = "AWS4-HMAC-SHA256"
const quarterOfAnHour = 900_000
const sevenDays = 604_800

/**
 * Says who signed a request and for what, or throws the `AwsError` that AWS would answer: AccessDenied, InvalidAccessKeyId (S3) or
 * UnrecognizedClientException, SignatureDoesNotMatch, RequestTimeTooSkewed, AuthorizationQueryParametersError.
 */
export const verify = (request: SignedRequest): Verified => {
  const query = parseQuery(request.url)
  const presigned = query.some(([name]) => name === "X-Amz-Algorithm")
  if (presigned && request.headers.authorization) throw refused("InvalidArgument", "Only one auth mechanism allowed.", 400)
  const claim = presigned ? claimOfQuery(query, request) : claimOfHeaders(request)
  const { accessKeyId, scope, payload } = claim
  const secret = request.secretOf(accessKeyId)
  if (secret === undefined) throw unknownKey(scope.service)
  checkTime(claim)
  checkHeadersSigned(claim, request.headers)
  if (isHash(payload) && payload !== (request.payloadHash ?? payload)) throw mismatch()
  if (!equal(sign(claim, canonical(claim, request, query), secret), claim.signature)) throw mismatch()
  return { accessKeyId, region: scope.region, service: scope.service, payload, presigned }
}

/** The path of a request line, still encoded. */
export const pathOf = (url: string) => url.split("?", 1)[0]!

/** Decoded parameters of a request line in their order. Problems: `AwsError` InvalidURI. */
export const parseQuery = (url: string): [name: string, value: string][] => {
  const at = url.indexOf("?")
  if (at < 0) return []
  const pairs = url.slice(at + 1).split("&")
  return pairs.filter(Boolean).map((pair) => {
    const equals = pair.indexOf("=")
    const [name, value] = equals < 0 ? [pair, ""] : [pair.slice(0, equals), pair.slice(equals + 1)]
    return [decode(name.replaceAll("+", " ")), decode(value.replaceAll("+", " "))]
  })
}

/** Percent-decodes as UTF-8. Problems: `AwsError` InvalidURI. */
export const decode = (text: string) => {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new AwsError("InvalidURI", "Couldn't parse the specified URI.", 400)
  }
}

/** Percent-encodes everything but the unreserved characters of RFC 3986. */
export const encode = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)

const claimOfHeaders = ({ headers, payloadHash }: SignedRequest): Claim => {
  if (!headers.authorization) throw refused("AccessDenied", "The request is not signed.")
  if (!headers.authorization.startsWith(`${algorithm} `))
    throw refused("AccessDenied", "The signature's algorithm is not supported.")
  const fields = new Map(
    headers.authorization
      .slice(algorithm.length)
      .split(",")
      .map((field) => {
        const [name, ...value] = field.trim().split("=")
        return [name, value.join("=")]
      }),
  )
  const payload = payloadHash ?? one(headers["x-amz-content-sha256"])
  if (!payload) throw refused("AccessDenied", "The header x-amz-content-sha256 is missing.")
  return {
    ...credential(fields.get("Credential")),
    signedHeaders: (fields.get("SignedHeaders") ?? "").split(";"),
    signature: fields.get("Signature") ?? "",
    date: one(headers["x-amz-date"]) ?? "",
    payload,
  }
}

const claimOfQuery = (query: [string, string][], { headers, payloadHash }: SignedRequest): Claim => {
  const fields = new Map(query)
  const expires = fields.get("X-Amz-Expires") ?? ""
  if (fields.get("X-Amz-Algorithm") !== algorithm) throw badQuery(`X-Amz-Algorithm only supports "${algorithm}".`)
  if (!/^\d{1,9}$/.test(expires)) throw badQuery("X-Amz-Expires should be a number of seconds.")
  if (Number(expires) < 1 || Number(expires) > sevenDays) throw badQuery("X-Amz-Expires must be between 1 and 604800 seconds.")
  const signedHeaders = (fields.get("X-Amz-SignedHeaders") ?? "").split(";")
  const hashHeader = signedHeaders.includes("x-amz-content-sha256") ? one(headers["x-amz-content-sha256"]) : undefined
  return {
    ...credential(fields.get("X-Amz-Credential")),
    signedHeaders,
    signature: fields.get("X-Amz-Signature") ?? "",
    date: fields.get("X-Amz-Date") ?? "",
    payload: fields.get("X-Amz-Content-Sha256") ?? hashHeader ?? payloadHash ?? "UNSIGNED-PAYLOAD",
    expires: Number(expires),
  }
}

const credential = (text = ""): Pick<Claim, "accessKeyId" | "scope"> => {
  const [accessKeyId, day, region, service, end, ...rest] = text.split("/")
  if (!accessKeyId || !day || !region || !service || end !== "aws4_request" || rest.length > 0) {
    throw refused("AccessDenied", "The credential must be <access key>/<date>/<region>/<service>/aws4_request.")
  }
  return { accessKeyId, scope: { day, region, service } }
}

const checkTime = ({ date, scope, expires }: Claim) => {
  const at = timeOf(date)
  if (at === undefined) throw refused("AccessDenied", "The request needs a valid X-Amz-Date.")
  if (!date.startsWith(scope.day)) throw refused("AccessDenied", "The credential's date is not the request's.")
  if (expires === undefined) {
    // The SDK stamps what it signs with the machine's own clock, so a clock that a test has moved says nothing about a skew.
    if (Math.abs(Date.now() - at) <= quarterOfAnHour) return
    throw refused("RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", 403, {
      RequestTime: date,
      ServerTime: new Date().toISOString(),
      MaxAllowedSkewMilliseconds: quarterOfAnHour,
    })
  }
  if (at - millis() > quarterOfAnHour) throw refused("AccessDenied", "Request is not yet valid")
  if (millis() <= at + expires * 1000) return
  throw refused("AccessDenied", "Request has expired", 403, {
    "X-Amz-Expires": expires,
    Expires: new Date(at + expires * 1000).toISOString(),
    ServerTime: new Date(millis()).toISOString(),
  })
}

const timeOf = (date: string) => {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date)
  if (!parts) return undefined
  const [, year, month, day, hour, minute, second] = parts
  const at = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(at) ? undefined : at
}

/** An unsigned `x-amz-` header could be added by whoever carries the request, and would change what it does. */
const checkHeadersSigned = ({ signedHeaders }: Claim, headers: IncomingHttpHeaders) => {
  const unsigned = Object.keys(headers).filter((name) => name.startsWith("x-amz-") && !signedHeaders.includes(name))
  if (!signedHeaders.includes("host")) unsigned.push("host")
  if (unsigned.length === 0) return
  const extra = { HeadersNotSigned: unsigned.join(", ") }
  throw refused("AccessDenied", "There were headers present in the request which were not signed", 403, extra)
}

const canonical = (
  { scope, signedHeaders, payload }: Claim,
  { method, url, headers }: SignedRequest,
  query: [string, string][],
) =>
  [
    method,
    canonicalPath(pathOf(url), scope.service),
    canonicalQuery(query),
    ...signedHeaders.map((name) => `${name}:${(headerNamed(headers, name) ?? "").trim().replace(/ +/g, " ")}`),
    "",
    signedHeaders.join(";"),
    payload,
  ].join("\n")

/** S3 signs the path encoded once and as it stands; every other service resolves its dots and encodes the encoded path again. */
const canonicalPath = (path: string, service: string) => {
  const segments = path.split("/")
  if (service === "s3") return segments.map((segment) => encode(decode(segment))).join("/")
  const resolved: string[] = []
  for (const segment of segments) {
    if (segment === "..") resolved.pop()
    else if (segment !== "" && segment !== ".") resolved.push(encode(segment))
  }
  const end = path.endsWith("/") && resolved.length > 0 ? "/" : ""
  return `/${resolved.join("/")}${end}`
}

const canonicalQuery = (query: [string, string][]) =>
  query
    .filter(([name]) => name !== "X-Amz-Signature")
    .map(([name, value]): [string, string] => [encode(name), encode(value)])
    .sort((a, b) => order(a[0], b[0]) || order(a[1], b[1]))
    .map(([name, value]) => `${name}=${value}`)
    .join("&")

const order = (a: string, b: string) => Number(a > b) - Number(a < b)

const sign = ({ scope, date }: Claim, request: string, secret: string) => {
  const { day, region, service } = scope
  const toSign = [algorithm, date, `${day}/${region}/${service}/aws4_request`, sha256(request)].join("\n")
  const key = [day, region, service, "aws4_request"].reduce(hmac, Buffer.from(`AWS4${secret}`))
  return hmac(key, toSign).toString("hex")
}

const isHash = (payload: string) => /^[0-9a-f]{64}$/.test(payload)
const hmac = (key: Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest()
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex")

const equal = (expected: string, given: string) => {
  const [a, b] = [Buffer.from(expected), Buffer.from(given)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** A name that a stranger chose must not find what every object has, such as `constructor`. */
const headerNamed = (headers: IncomingHttpHeaders, name: string) =>
  Object.hasOwn(headers, name) ? one(headers[name]) : undefined

const one = (value: string | string[] | undefined) => (Array.isArray(value) ? value.join(",") : value)

const refused = (code: string, message: string, status = 403, extra: Record<string, unknown> = {}) =>
  new AwsError(code, message, status, extra)

const badQuery = (message: string) => refused("AuthorizationQueryParametersError", message, 400)

const unknownKey = (service: string) =>
  service === "s3"
    ? refused("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
    : refused("UnrecognizedClientException", "The security token included in the request is invalid.", 400)

const mismatch = () =>
  refused(
    "SignatureDoesNotMatch",
    "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
  )
