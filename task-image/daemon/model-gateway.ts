import type { IncomingMessage, OutgoingHttpHeaders } from "node:http"
import { millis, sleep } from "../../core/clock.ts"
import { limits } from "../../core/limits.ts"
import { storedRequestHeader } from "../../core/protocol.ts"
import { messageOf, Refused } from "./api.ts"
import { readAll, send } from "./http.ts"

/** The last time the gateway or the provider said no. `attempts` counts how often in a row. */
export type Refusal = { status: number; message: string; attempts: number }

export type Options = {
  /** The API's address, ending in `/api`. */
  api: string
  runToken: string
  provider: string
  /** Stores a body that is too large to be sent, and answers the id that names it to the gateway. */
  store: (body: Buffer) => Promise<string>
  /** A refused request is going to be repeated. */
  onWait: (refusal: Refusal, seconds: number) => void
}

export type Asked = { method: string; path: string; headers: Record<string, string>; body: Buffer; signal: AbortSignal }

type No = { refusal: Omit<Refusal, "attempts">; body: Buffer; headers: OutgoingHttpHeaders }

const passing = new Set([408, 429, 500, 502, 503, 504, 529])
const attemptsMax = 8
const waitSecondsMax = 60
/** A provider may ask for more than we would wait by ourselves, but not for so much that its silence ends the turn. */
const askedSecondsMax = limits.modelIdleSeconds - 60

/**
 * The model gateway with the run token, and with patience: requests are repeated when it or the provider is busy, and large ones
 * find their way.
 */
export const createGateway = (options: Options) => {
  const { store, onWait } = options
  let refusal: Refusal | undefined

  const ask = async (asked: Asked): Promise<IncomingMessage | No> => {
    let request = asked
    for (;;) {
      const answer = await lighten(request, store)
        .then((light) => {
          request = light
          return once(options, request)
        })
        .catch((error: unknown) => {
          asked.signal.throwIfAborted()
          return failure(error)
        })
      if (!("refusal" in answer)) {
        refusal = undefined
        return answer
      }
      // Counted over requests: pi repeats what we have given up as well, and then one more no is enough.
      refusal = { ...answer.refusal, attempts: (refusal?.attempts ?? 0) + 1 }
      if (!isPassing(refusal.status, answer.headers) || refusal.attempts >= attemptsMax) return answer
      const seconds = waitSeconds(refusal.attempts, answer.headers)
      onWait(refusal, seconds)
      await sleep(seconds * 1000, asked.signal)
      asked.signal.throwIfAborted()
    }
  }

  return {
    ask,
    /** What was refused in the turn before is no reason to have less patience in this one. */
    startTurn: () => {
      refusal = undefined
    },
    refusal: () => refusal,
    /** Notes what was refused before it came to the gateway. */
    refuse: (status: number, message: string) => {
      refusal = { status, message, attempts: 1 }
    },
  }
}

export type Gateway = ReturnType<typeof createGateway>

const once = async ({ api, runToken, provider }: Options, { path, headers, ...rest }: Asked): Promise<IncomingMessage | No> => {
  const url = new URL(`${api}/agent/models/${provider}${path}`)
  const response = await send(url, { ...rest, headers: { ...headers, authorization: `Bearer ${runToken}` } })
  const status = response.statusCode ?? 0
  if (status < 400) return response
  const body = await readAll(response)
  const message = messageOf(body.toString("utf8")) ?? "no reason was given"
  return { refusal: { status, message }, body, headers: response.headers }
}

/** What the API says when a body is to be stored is said as it is; anything else is a gateway that is not there. */
const failure = (error: unknown): No => {
  const reason = error instanceof Error ? error.message : String(error)
  const refusal =
    error instanceof Refused
      ? { status: error.status, message: reason }
      : { status: 502, message: `The model gateway cannot be reached (${reason})` }
  return { refusal, body: Buffer.from(JSON.stringify({ error: { message: refusal.message } })), headers: {} }
}

/** The request as it can be sent: a body that is too large is stored, once, and named in its place. */
const lighten = async (asked: Asked, store: Options["store"]): Promise<Asked> => {
  if (fits(asked.body)) return asked
  const id = await store(asked.body)
  const headers = { ...asked.headers, "content-length": "0", [storedRequestHeader]: id }
  return { ...asked, headers, body: Buffer.alloc(0) }
}

/** What a Lambda takes is 6 MB, with some room for what comes beside the body. */
const eventBytes = 5.5 * 1024 ** 2

/** The body reaches the gateway as a text in JSON, where some characters are two. */
const fits = (body: Buffer) => body.length <= limits.modelRequestBytes && body.length + escapedIn(body) <= eventBytes

const escaped = new Set(Buffer.from('"\\\n\r\t'))

const escapedIn = (body: Buffer) => {
  let count = 0
  for (const byte of body) if (escaped.has(byte)) count++
  return count
}

/** A provider that says whether it is worth another attempt knows best. */
const isPassing = (status: number, { "x-should-retry": advice }: OutgoingHttpHeaders) =>
  advice === "true" || (advice !== "false" && passing.has(status))

const waitSeconds = (attempts: number, headers: OutgoingHttpHeaders) => {
  const asked = retryAfter(headers)
  return asked === undefined ? Math.min(2 ** (attempts - 1), waitSecondsMax) : Math.min(asked, askedSecondsMax)
}

/** Seconds, from a header that holds milliseconds, or one that holds seconds or a date. */
const retryAfter = ({ "retry-after-ms": exact, "retry-after": rough }: OutgoingHttpHeaders): number | undefined => {
  if (isNumber(exact)) return Number(exact) / 1000
  if (isNumber(rough)) return Number(rough)
  const date = Date.parse(String(rough))
  return Number.isNaN(date) ? undefined : Math.max((date - millis()) / 1000, 0)
}

const isNumber = (header: OutgoingHttpHeaders[string]) => /^\d+(\.\d+)?$/.test(String(header))
