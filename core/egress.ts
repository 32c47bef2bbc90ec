import { type LookupAddress, lookup as resolve } from "node:dns"
import {
  type AgentOptions,
  type ClientRequest,
  Agent as HttpAgent,
  type IncomingMessage,
  request as requestHttp,
} from "node:http"
import { Agent as HttpsAgent, request as requestHttps } from "node:https"
import { isIP, type LookupFunction } from "node:net"
import { isPublic } from "./address.ts"
import { setting } from "./aws.ts"
import { after } from "./clock.ts"
import { limits } from "./limits.ts"

/**
 * Requests to addresses that customers name. Nobody may use us to look into our network or anybody's who trusts us: what is dialled
 * has to be public, judged on the address that the connection is really made to, after DNS and for every connection.
 */

/** More of an answer is not read. It is never unpacked: nothing but its status counts. */
const mostBytes = 64 * 1024

/** Whether this stack also sends to plain HTTP and to addresses that are not public: for stacks on a developer's machine. */
const allowsAnything = () => setting("WEBHOOK_TARGETS") === "any"

/** What is wrong with an address as it is written, in words; undefined where nothing is. What it leads to is judged when dialled. */
export function fault(text: string): string | undefined {
  if (text.length > limits.webhookUrl) return `At most ${limits.webhookUrl} characters`
  if (!URL.canParse(text)) return "This is not an absolute URL"
  const url = new URL(text)
  if (url.protocol !== "https:" && !(url.protocol === "http:" && allowsAnything())) {
    return `The URL must begin with https://${allowsAnything() ? " or http://" : ""}`
  }
  if (url.username || url.password) return "The URL must not hold a user name or password"
  if (allowsAnything()) return undefined
  if (!isAllowedPort(url.port)) return "The port must be 443, or 1024 or higher"
  const host = hostOf(url)
  if (isIP(host) && !isPublic(host)) return "The address is not one of the public internet"
  if (/(^|\.)(localhost|local|internal)\.?$/.test(host)) return "The host is not one of the public internet"
  return undefined
}

const isAllowedPort = (port: string) => port === "" || port === "443" || Number(port) >= 1024

const hostOf = ({ hostname }: URL) => hostname.replace(/^\[|\]$/g, "")

/** Why a request got no answer, in a sentence for the customer. */
export class Unreachable extends Error {
  readonly isTimeout: boolean

  constructor(message: string, isTimeout = false) {
    super(message)
    this.isTimeout = isTimeout
  }
}

export interface Answer {
  status: number
  /** As it came. */
  retryAfter: string | undefined
}

/**
 * Posts a body, within so many milliseconds from the first look-up to the last byte of the answer. A redirect is an answer like any
 * other. Raises `Unreachable`.
 */
export async function post(url: string, headers: Record<string, string>, body: string, timeoutMs = 15_000): Promise<Answer> {
  const wrong = fault(url)
  if (wrong) throw new Unreachable(`${wrong}.`)
  let isLate = false
  let current: ClientRequest | undefined
  // Not by a signal: what Node does around one costs a tenth of a delivery.
  const cancel = after(timeoutMs, () => {
    isLate = true
    current?.destroy(new Error("Late"))
  })
  try {
    return await exchange(new URL(url), headers, body, (request) => {
      current = request
    })
  } catch (error) {
    throw isLate ? new Unreachable(`No answer within ${timeoutMs / 1000} seconds.`, true) : said(error)
  } finally {
    cancel()
  }
}

/**
 * Never a proxy, whatever the environment says. A connection was judged when it was made, and goes where it went: it is kept for the next
 * request to the same host, for less time than receivers usually keep theirs.
 */
const agentsWith = (options: AgentOptions) => ({ "http:": new HttpAgent(options), "https:": new HttpsAgent(options) })
const keeping = agentsWith({ keepAlive: true, timeout: 4_000 })
const fresh = agentsWith({ keepAlive: false })

/** Tells of each request that it makes, one after the other, so that it can be stopped. */
async function exchange(
  url: URL,
  headers: Record<string, string>,
  body: string,
  onRequest: (request: ClientRequest) => void,
): Promise<Answer> {
  const options = {
    method: "POST",
    headers: { ...headers, "content-length": Buffer.byteLength(body), "accept-encoding": "identity" },
    lookup: judged,
    rejectUnauthorized: true,
  }
  const protocol = url.protocol as keyof typeof keeping
  const open = (agents: typeof keeping) => {
    const request = (protocol === "https:" ? requestHttps : requestHttp)(url, { ...options, agent: agents[protocol] })
    onRequest(request)
    return request
  }
  const request = open(keeping)
  try {
    return await answer(request, body)
  } catch (error) {
    // The receiver has let go of a connection in the moment in which it was to be used again, which says nothing about the receiver.
    if (!request.reusedSocket || !isClosed(error)) throw error
    return answer(open(fresh), body)
  }
}

const isClosed = (error: unknown) => ["ECONNRESET", "EPIPE"].includes((error as NodeJS.ErrnoException).code ?? "")

const answer = (request: ClientRequest, body: string) =>
  new Promise<Answer>((fulfil, reject) => {
    request.on("response", (response) => {
      // From here on there is an answer, whatever becomes of the rest of it.
      request.off("error", reject).on("error", () => response.destroy())
      const status = response.statusCode ?? 0
      void drained(response).then(() => fulfil({ status, retryAfter: response.headers["retry-after"] }))
    })
    request.on("error", reject)
    request.end(body)
  })

/** Lets an answer come to its end, or to as much of it as is taken. What its status says holds even where the rest never comes. */
const drained = (response: IncomingMessage) =>
  new Promise<void>((fulfil) => {
    let bytes = 0
    response.on("data", (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > mostBytes) response.destroy()
    })
    response.on("error", () => response.destroy())
    response.on("close", fulfil)
  })

/** The system's resolver, whose answer is refused as a whole if any address in it is not public: what is dialled is one of these. */
const judged: LookupFunction = (host, options, done) => {
  resolve(host, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
    if (error) return done(error, [])
    const bad = allowsAnything() ? undefined : addresses.find(({ address }) => !isPublic(address))
    if (bad) return done(new Unreachable(`${host} leads to ${bad.address}, which is not an address of the public internet.`), [])
    if (options.all) return done(null, addresses)
    const [first] = addresses
    return done(null, first!.address, first!.family)
  })
}

const words: Record<string, string> = {
  ECONNREFUSED: "The connection was refused.",
  ECONNRESET: "The connection was closed before an answer came.",
  ENOTFOUND: "The host does not exist.",
  EAI_AGAIN: "The host could not be looked up.",
  EHOSTUNREACH: "The host cannot be reached.",
  ENETUNREACH: "The host cannot be reached.",
  EPROTO: "TLS failed: the receiver does not speak it.",
}

const said = (error: unknown): Unreachable => {
  if (error instanceof Unreachable) return error
  const { code = "", message } = error as NodeJS.ErrnoException
  return new Unreachable(
    words[code] ?? (/CERT|SSL|TLS|ALTNAME/.test(code) ? `TLS failed: ${code}.` : `The request failed: ${code || message}.`),
  )
}
