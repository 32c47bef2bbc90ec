import { randomBytes } from "node:crypto"
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http"
import { join } from "node:path"
import { pipeline } from "node:stream/promises"
import { AwsError, type Caller } from "../service.ts"
import { decode, parseQuery, pathOf, type Verified, verify } from "../signature.ts"
import type { CorsRule } from "../wiring.ts"
import { Blobs } from "./blobs.ts"
import { checkBucketName } from "./buckets.ts"
import type { Answer, Call, Headers, Service } from "./call.ts"
import { corsHeaders, preflight } from "./cors.ts"
import { noSuchBucket } from "./objects.ts"
import { operationOf } from "./route.ts"
import { Store } from "./store.ts"
import { document } from "./xml.ts"

export interface S3Options {
  /** Where objects are kept; made if it is not there. One process at a time may have it open. */
  directory: string
  secretOf: (accessKeyId: string) => string | undefined
  /** Throws `AwsError` AccessDenied for what the caller may not do. The caller comes without its role: that goes by its access key. */
  authorize?: (caller: Caller, action: string, resource: string) => void
  /** Is told of every operation that was asked for with a good signature. */
  onRequest?: (operation: string) => void
}

export interface S3 {
  /** Makes a bucket unless it is there. Problems: `AwsError` InvalidBucketName. */
  createBucket(name: string, corsRules?: CorsRule[]): void
  /** Answers one request, whatever comes of it. The path is `/bucket/key`. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>
  /** Lets go of the directory. What is being written at this time is not stored. */
  close(): void
}

const longestKey = 1024

/** Opens an S3 over files: bytes under random names in `blobs`, everything else in `objects.sqlite`. */
export const openS3 = ({ directory, secretOf, authorize = () => undefined, onRequest = () => undefined }: S3Options): S3 => {
  const blobs = new Blobs(join(directory, "blobs"))
  const store = new Store(join(directory, "objects.sqlite"))
  blobs.sweep(store.blobs())
  const service: Service = { store, blobs, authorize }
  const cors = new Map<string, CorsRule[]>()
  let open = true

  const rulesFor = ({ url = "" }: IncomingMessage) => cors.get(decode(pathOf(url).split("/")[1] ?? "")) ?? []

  const answer = async (request: IncomingMessage): Promise<Answer> => {
    const { method = "", url = "", headers } = request
    if (method === "OPTIONS") return preflight(rulesFor(request), headers)
    const verified = verify({ method, url, headers, secretOf })
    if (verified.service !== "s3")
      throw new AwsError("AuthorizationHeaderMalformed", "The request was signed for another service.")
    const call = callOf(request, verified)
    const [name, run] = operationOf(call)
    onRequest(name)
    if (name !== "CreateBucket" && !store.hasBucket(call.bucket)) throw noSuchBucket(call.bucket)
    return await run(service, call)
  }

  return {
    createBucket(name, corsRules = []) {
      checkBucketName(name)
      cors.set(name, corsRules)
      store.createBucket(name)
    },
    async handle(request, response) {
      const requestId = randomBytes(8).toString("hex").toUpperCase()
      response.setHeader("x-amz-request-id", requestId)
      response.setHeader("x-amz-id-2", randomBytes(24).toString("base64"))
      try {
        if (!open) throw closed()
        response.setHeaders(new Map(Object.entries(corsHeaders(rulesFor(request), request.method ?? "", request.headers))))
        await send(response, await answer(request))
      } catch (problem) {
        // Whoever went away in the middle is owed no answer, and what it had begun to write is gone.
        if (wentAway(problem)) return
        if (open && !(problem instanceof AwsError))
          console.error(`S3: ${request.method} ${pathOf(request.url ?? "")} failed`, problem)
        if (response.headersSent) response.destroy()
        else await send(response, failure(open ? problem : closed(), request, requestId))
      }
    },
    close() {
      if (open) store.close()
      open = false
    },
  }
}

const callOf = (request: IncomingMessage, { accessKeyId, region, payload, presigned }: Verified): Call => {
  const [, bucket = "", ...rest] = pathOf(request.url ?? "").split("/")
  const key = decode(rest.join("/"))
  if (bucket === "") throw new AwsError("NotImplemented", "Operations without a bucket are not implemented.", 501)
  if (Buffer.byteLength(key) > longestKey) {
    throw new AwsError("KeyTooLongError", "Your key is too long", 400, {
      Size: Buffer.byteLength(key),
      MaxSizeAllowed: longestKey,
    })
  }
  const query = new Map(parseQuery(request.url ?? ""))
  const headers = { ...(presigned ? hoisted(query) : {}), ...flat(request.headers) }
  return { request, bucket: decode(bucket), key, query, headers, payload, caller: { accessKeyId, region } }
}

/**
 * Headers that a signer put into the query. A checksum there is none of them: S3 does not look at it, and the SDK writes one of an
 * empty body. One that is to hold has to be a signed header.
 */
const hoisted = (query: Map<string, string>) =>
  Object.fromEntries(
    [...query].filter(
      ([name]) => name.startsWith("x-amz-") && !name.startsWith("x-amz-checksum-") && !name.startsWith("x-amz-sdk-"),
    ),
  )

const flat = (headers: IncomingHttpHeaders): Headers =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(",") : value]))

const send = async (response: ServerResponse, { status, headers = {}, body }: Answer) => {
  if (body !== undefined && typeof body !== "string") {
    response.writeHead(status, headers)
    await pipeline(body, response)
    return
  }
  const bodiless = response.req.method === "HEAD" || status === 204 || status === 304
  response.writeHead(status, bodiless ? headers : { "content-length": Buffer.byteLength(body ?? ""), ...headers })
  response.end(bodiless ? undefined : body)
}

const failure = (problem: unknown, { method, url = "" }: IncomingMessage, RequestId: string): Answer => {
  const error = problem instanceof AwsError ? problem : new AwsError("InternalError", "We encountered an internal error.", 500)
  const { code, message, status, extra } = error
  const fields = { Code: code, Message: message, ...(extra as Record<string, string | number>), Resource: pathOf(url), RequestId }
  if (method === "HEAD") return { status }
  return { status, headers: { "content-type": "application/xml" }, body: document("Error", fields) }
}

const wentAway = (problem: unknown) =>
  problem instanceof Error &&
  "code" in problem &&
  ["ECONNRESET", "EPIPE", "ERR_STREAM_PREMATURE_CLOSE"].includes(String(problem.code))

const closed = () => new AwsError("ServiceUnavailable", "The service is shutting down.", 503)
