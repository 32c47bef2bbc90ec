import { randomBytes, timingSafeEqual } from "node:crypto"
import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { pipeline } from "node:stream/promises"
import { millis, sleep } from "../../core/clock.ts"
import { messageOf } from "./api.ts"
import { readAll, send } from "./http.ts"

/** The last time the gateway or the provider said no. `attempts` counts how often in a row. */
export type Refusal = { status: number; message: string; attempts: number }

type Options = {
  /** The API's address, ending in `/api`. */
  api: string
  runToken: string
  provider: string
  /** A refused request is going to be repeated. */
  onWait: (refusal: Refusal, seconds: number) => void
}

/** What pi asks of models. Anything else would let the agent use the run token for more than models. */
const modelPath = /^\/(?:api\/)?v1\/(?:messages|responses|chat\/completions)(?:\?[\w=&.-]*)?$/
const requestBytes = 32 * 1024 ** 2

const passing = new Set([408, 429, 500, 502, 503, 504, 529])
const attemptsMax = 8
const waitSecondsMax = 60

/**
 * Offers the models on loopback to whoever knows `key`, which is good for nothing else. Requests go on to the gateway with
 * the run token, and are repeated when it or the provider is busy; answers are handed through byte by byte.
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
  return { origin, key, close, refusal: gateway.refusal }
}

type Gateway = ReturnType<typeof createGateway>
type Asked = { method: string; path: string; headers: Record<string, string>; body: Buffer; signal: AbortSignal }
type Answer = IncomingMessage | { refusal: Omit<Refusal, "attempts">; body: Buffer; headers: OutgoingHttpHeaders }

const createGateway = ({ api, runToken, provider, onWait }: Options) => {
  let refusal: Refusal | undefined

  const ask = async ({ path, headers, ...rest }: Asked): Promise<Answer> => {
    const url = new URL(`${api}/agent/models/${provider}${path}`)
    try {
      const response = await send(url, { ...rest, headers: { ...headers, authorization: `Bearer ${runToken}` } })
      const status = response.statusCode ?? 0
      if (status < 400) return response
      const body = await readAll(response)
      const message = messageOf(body.toString("utf8")) ?? "no reason was given"
      return { refusal: { status, message }, body, headers: response.headers }
    } catch (error) {
      rest.signal.throwIfAborted()
      const message = `The model gateway cannot be reached (${error instanceof Error ? error.message : String(error)})`
      return {
        refusal: { status: 502, message },
        body: Buffer.from(JSON.stringify({ error: { message } })),
        headers: {},
      }
    }
  }

  const persist = async (asked: Asked): Promise<Answer> => {
    for (;;) {
      const answer = await ask(asked)
      if (!("refusal" in answer)) {
        refusal = undefined
        return answer
      }
      // Counted over requests: pi repeats what we have given up as well, and then one more no is enough.
      refusal = { ...answer.refusal, attempts: (refusal?.attempts ?? 0) + 1 }
      if (!passing.has(refusal.status) || refusal.attempts >= attemptsMax) return answer
      const seconds = Math.min(retryAfter(answer.headers["retry-after"]) ?? 2 ** (refusal.attempts - 1), waitSecondsMax)
      onWait(refusal, seconds)
      await sleep(seconds * 1000, asked.signal)
      asked.signal.throwIfAborted()
    }
  }

  return { ask: persist, refusal: () => refusal }
}

/** Seconds, from a header that holds seconds or a date. */
const retryAfter = (header: OutgoingHttpHeaders[string]): number | undefined => {
  if (header === undefined) return undefined
  const seconds = Number(header)
  const wait = Number.isNaN(seconds) ? (Date.parse(String(header)) - millis()) / 1000 : seconds
  return Number.isNaN(wait) ? undefined : Math.max(wait, 0)
}

const forward = async (key: string, gateway: Gateway, request: IncomingMessage, response: ServerResponse) => {
  const { method = "", url = "" } = request
  if (!isKnown(request, key)) return refuse(response, 401, "The key is not the one that was given to the agent")
  if (method !== "POST" || !modelPath.test(url)) return refuse(response, 404, "There are only models here")
  const body = await readBody(request)
  if (!body) return refuse(response, 413, "A request to a model may have 32 MB at most")

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

const readBody = async (request: IncomingMessage): Promise<Buffer | undefined> => {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of request) {
    size += part.length
    if (size > requestBytes) return undefined
    parts.push(part)
  }
  return Buffer.concat(parts)
}

// Without `accept-encoding`, so that the reason of a refusal can be read.
const notPassedOn = new Set(["x-api-key", "authorization", "host", "content-length", "accept-encoding"])
const hopByHop = new Set(["connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "proxy-authorization"])

const passedOn = ({ headers }: IncomingMessage): Record<string, string> => {
  const kept = Object.entries(headers).filter(([name]) => !notPassedOn.has(name) && !hopByHop.has(name))
  return Object.fromEntries(kept.map(([name, value]) => [name, String(value)]))
}

const withoutHopByHop = (headers: OutgoingHttpHeaders) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !hopByHop.has(name)))

const refuse = (response: ServerResponse, status: number, message: string) => {
  response.writeHead(status, { "content-type": "application/json", connection: "close" })
  response.end(JSON.stringify({ error: { type: "refused", message } }))
}
