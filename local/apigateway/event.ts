import type { IncomingMessage } from "node:http"
import { millis } from "#core/clock.ts"
import type { ApiWiring, Wiring } from "../wiring.ts"

/** The event of a REST API's proxy integration, payload version 1.0. */

export type Route = ApiWiring["routes"][number]

export interface Match {
  route: Route
  /** Values of `{name}` in the path, decoded. */
  parameters: Record<string, string>
}

type Pattern = { route: Route; names: string[]; expression: RegExp; rank: string }

/** Compiles the routes: an exact segment goes before `{x}`, and that before `{x+}`. Throws `URIError` for a bad percent-encoding. */
export function makeRouter(routes: readonly Route[]) {
  const patterns = routes.map(compile).sort((a, b) => (a.rank < b.rank ? -1 : 1))
  return (method: string, path: string): Match | undefined => {
    for (const { route, names, expression } of patterns) {
      if (route.method !== method && route.method !== "ANY") continue
      const found = expression.exec(path)
      if (!found) continue
      return { route, parameters: Object.fromEntries(names.map((name, at) => [name, decodeURIComponent(found[at + 1]!)])) }
    }
  }
}

function compile(route: Route): Pattern {
  const segments = route.path.split("/")
  const names = segments.filter((segment) => segment.startsWith("{")).map((segment) => segment.replace(/^\{|\+?\}$/g, ""))
  const source = segments.map((segment) => {
    if (segment.endsWith("+}")) return "(.+)"
    return segment.startsWith("{") ? "([^/]+)" : segment.replace(/[.*+?^$()|[\]\\]/g, "\\$&")
  })
  const ranks = segments.map((segment) => (segment.endsWith("+}") ? "2" : segment.startsWith("{") ? "1" : "0"))
  return {
    route,
    names,
    expression: new RegExp(`^${source.join("/")}$`),
    rank: `${ranks.join("")}${route.method === "ANY" ? 1 : 0}`,
  }
}

/** What the gateway keeps to itself. */
const hopByHop = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
])

export interface Received {
  request: IncomingMessage
  match: Match
  /** Path below the stage, as it was sent. */
  path: string
  query: string
  body: Buffer
  requestId: string
}

/** The event for a request that a route took. */
export function eventOf({ region, account, api }: Pick<Wiring, "region" | "account" | "api">, received: Received) {
  const { request, match, path, query, body, requestId } = received
  const headers = group(headerPairs(request))
  const parameters = group([...new URLSearchParams(query)])
  const binary = isBinary(api, request.headers["content-type"])
  const at = millis()
  return {
    resource: match.route.path,
    path,
    httpMethod: request.method!,
    headers: last(headers),
    multiValueHeaders: headers,
    queryStringParameters: orNull(last(parameters)),
    multiValueQueryStringParameters: orNull(parameters),
    pathParameters: orNull(match.parameters),
    stageVariables: null,
    requestContext: {
      accountId: account,
      apiId: api.id,
      stage: api.stage,
      requestId,
      extendedRequestId: requestId,
      path: `/${api.stage}${path}`,
      resourcePath: match.route.path,
      httpMethod: request.method!,
      protocol: `HTTP/${request.httpVersion}`,
      domainName: request.headers.host ?? `${api.id}.execute-api.${region}.amazonaws.com`,
      requestTime: new Date(at).toUTCString(),
      requestTimeEpoch: at,
      identity: { sourceIp: request.socket.remoteAddress ?? "127.0.0.1", userAgent: request.headers["user-agent"] ?? null },
    },
    body: body.length === 0 ? null : body.toString(binary ? "base64" : "utf8"),
    isBase64Encoded: binary && body.length > 0,
  }
}

/** Whether a content type is one of those that travel as base64. */
export function isBinary({ binaryMediaTypes }: Pick<ApiWiring, "binaryMediaTypes">, contentType = ""): boolean {
  const type = contentType.split(";")[0]!.trim().toLowerCase()
  return binaryMediaTypes.some((known) => {
    const wanted = known.toLowerCase()
    return wanted === "*/*" || wanted === type || (wanted.endsWith("/*") && type.startsWith(wanted.slice(0, -1)))
  })
}

const headerPairs = ({ rawHeaders, socket }: IncomingMessage) => {
  const pairs: [string, string][] = []
  for (let at = 0; at < rawHeaders.length; at += 2) pairs.push([rawHeaders[at]!, rawHeaders[at + 1]!])
  const sent = pairs.filter(([name]) => !hopByHop.has(name.toLowerCase()) && !/^x-forwarded-/i.test(name))
  const through: [string, string][] = [
    ["X-Forwarded-For", socket.remoteAddress ?? "127.0.0.1"],
    ["X-Forwarded-Port", String(socket.localPort)],
    ["X-Forwarded-Proto", "http"],
  ]
  return [...sent, ...through]
}

const group = (pairs: readonly [string, string][]) => {
  const grouped: Record<string, string[]> = {}
  for (const [name, value] of pairs) {
    if (Object.hasOwn(grouped, name)) grouped[name]!.push(value)
    else Object.defineProperty(grouped, name, { value: [value], enumerable: true, configurable: true, writable: true })
  }
  return grouped
}

const last = (grouped: Record<string, string[]>) =>
  Object.fromEntries(Object.entries(grouped).map(([name, values]) => [name, values.at(-1)!]))

const orNull = <T extends object>(record: T) => (Object.keys(record).length > 0 ? record : null)
