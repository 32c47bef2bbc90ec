import { randomBytes, timingSafeEqual } from "node:crypto"
import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { pipeline } from "node:stream/promises"
import { limits } from "../../core/limits.ts"
import { createGateway, type Gateway, type Options } from "./model-gateway.ts"

/** What pi asks of models. Anything else would let the agent use the run token for more than models. */
const modelPath = /^\/(?:api\/)?v1\/(?:messages|responses|chat\/completions)(?:\?[\w=&.-]*)?$/

/**
 * Offers the models on loopback to whoever knows `key`, which is good for nothing else. Requests go on to the gateway; answers are
 * handed through byte by byte.
 */
export const startModelProxy = async (options: Options) => {
  const key = randomBytes(24).toString("base64url")
  const gateway = createGateway(options)
  const server = createServer((request, response) => {
    forward(key, gateway, request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const close = () => {
    server.close()
    server.closeAllConnections()
  }
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { origin, key, close, startTurn: gateway.startTurn, refusal: gateway.refusal }
}

const tooLarge = `A request to a model may have ${limits.storedModelRequestBytes / 1024 ** 2} MB at most`

const forward = async (key: string, gateway: Gateway, request: IncomingMessage, response: ServerResponse) => {
  const { method = "", url = "" } = request
  if (!isKnown(request, key)) return refuse(response, 401, "The key is not the one that was given to the agent")
  if (method !== "POST" || !modelPath.test(url)) return refuse(response, 404, "There are only models here")
  const body = await readBody(request)
  if (!body) {
    gateway.refuse(413, tooLarge)
    return refuse(response, 413, tooLarge)
  }

  const gone = new AbortController()
  response.on("close", () => gone.abort())
  const asked = { method, path: url, headers: { ...passedOn(request), "content-length": String(body.length) }, body }
  const answer = await gateway.ask({ ...asked, signal: gone.signal })
  if ("refusal" in answer) {
    response.writeHead(answer.refusal.status, { "content-type": "application/json" }).end(answer.body)
    return
  }
  response.writeHead(answer.statusCode ?? 502, withoutHopByHop(answer.headers))
  response.flushHeaders()
  // A stream that breaks off must break off for pi too: ended properly, half an answer would look like a whole one.
  await pipeline(answer, response)
}

const isKnown = ({ headers }: IncomingMessage, key: string) => {
  const given = Buffer.from(String(headers["x-api-key"] ?? headers.authorization?.replace(/^Bearer /, "") ?? ""))
  const wanted = Buffer.from(key)
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}

/** Nothing for a body that is too large. It is read to its end all the same, since nobody hears a no while speaking. */
const readBody = async (request: IncomingMessage): Promise<Buffer | undefined> => {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of request) {
    size += part.length
    if (size <= limits.storedModelRequestBytes) parts.push(part)
  }
  return size <= limits.storedModelRequestBytes ? Buffer.concat(parts) : undefined
}

// Without `accept-encoding`, so that the reason of a refusal can be read.
const notPassedOn = /^(x-api-key|authorization|host|content-length|accept-encoding|x-dormouse-.*)$/
const hopByHop = new Set(["connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "proxy-authorization"])

const passedOn = ({ headers }: IncomingMessage): Record<string, string> => {
  const kept = Object.entries(headers).filter(([name]) => !notPassedOn.test(name) && !hopByHop.has(name))
  return Object.fromEntries(kept.map(([name, value]) => [name, String(value)]))
}

const withoutHopByHop = (headers: OutgoingHttpHeaders) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !hopByHop.has(name)))

const refuse = (response: ServerResponse, status: number, message: string) => {
  response.writeHead(status, { "content-type": "application/json", connection: "close" })
  response.end(JSON.stringify({ error: { type: "refused", message } }))
}
