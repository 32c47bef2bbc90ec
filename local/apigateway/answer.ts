import { once } from "node:events"
import type { ServerResponse } from "node:http"
import type { Prelude } from "../lambda/prelude.ts"

/** What a function may answer to a proxy integration, and how it goes to the client. */
export interface ProxyAnswer {
  status: number
  headers: Record<string, string[]>
  body: Buffer
}

/** Headers that the gateway renames on their way out, since it speaks for itself there. */
const remapped = new Set(["connection", "date", "server", "www-authenticate", "host", "user-agent", "via"])
const dropped = new Set(["content-length", "transfer-encoding", "te", "trailer", "upgrade", "keep-alive"])

/**
 * Reads a function's answer. Nothing when it is malformed: no object, no status, a body that is no text, a field that is unknown.
 * `binary` tells whether the client takes bytes: only then is base64 decoded, as the gateway does it.
 */
export function parseAnswer(payload: string, binary: boolean): ProxyAnswer | undefined {
  const answer = objectOf(payload)
  if (!answer) return
  const { statusCode = 200, headers, multiValueHeaders, body = "", isBase64Encoded = false, ...unknown } = answer
  const status = Number(statusCode)
  if (!Number.isInteger(status) || status < 200 || status > 599 || Object.keys(unknown).length > 0) return
  if (body !== null && typeof body !== "string") return
  const bytes = Buffer.from(body ?? "", isBase64Encoded && binary ? "base64" : "utf8")
  return { status, headers: headersOf({ headers, multiValueHeaders } as Prelude), body: bytes }
}

const objectOf = (payload: string): Record<string, unknown> | undefined => {
  const value: unknown = JSON.parse(payload)
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
}

/** Headers of an answer as they go out. */
function headersOf({ headers, multiValueHeaders, cookies }: Prelude): Record<string, string[]> {
  const all: [string, string[]][] = [
    ...Object.entries(headers ?? {}).map(([name, value]): [string, string[]] => [name, [String(value)]]),
    ...Object.entries(multiValueHeaders ?? {}).map(([name, values]): [string, string[]] => [name, values.map(String)]),
    ...(cookies ? ([["set-cookie", cookies]] as [string, string[]][]) : []),
  ]
  const out: Record<string, string[]> = {}
  for (const [name, values] of all) {
    const lower = name.toLowerCase()
    if (!dropped.has(lower)) out[remapped.has(lower) ? `x-amzn-remapped-${lower}` : lower] = values
  }
  return out
}

/** Sends a whole answer. */
export function sendAnswer(response: ServerResponse, requestId: string, { status, headers, body }: ProxyAnswer) {
  const type = "content-type" in headers ? {} : { "content-type": "application/json" }
  const length = status === 204 || status === 304 ? {} : { "content-length": body.length }
  response.writeHead(status, { ...type, ...headers, "x-amzn-requestid": requestId, ...length }).end(body)
}

/** Sends the head of a streamed answer at once, before there is a first byte. */
export function sendHead(response: ServerResponse, requestId: string, prelude: Prelude) {
  const { statusCode = 200 } = prelude
  const headers = headersOf(prelude)
  const type = "content-type" in headers ? {} : { "content-type": "application/octet-stream" }
  response.writeHead(statusCode, { ...type, ...headers, "x-amzn-requestid": requestId })
  response.flushHeaders()
}

/** Writes one chunk and waits until the client has room for the next; throws once the client has left. */
export async function sendChunk(response: ServerResponse, bytes: Uint8Array) {
  if (response.destroyed) throw new Error("The client has left")
  if (response.write(bytes)) return
  const either = new AbortController()
  const { signal } = either
  // What does not happen must not be listened for any longer: a stream has many chunks.
  await Promise.race([once(response, "drain", { signal }), once(response, "close", { signal })]).finally(() => either.abort())
}
