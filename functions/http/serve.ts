import { Logger } from "@aws-lambda-powertools/logger"
import middy from "@middy/core"
import { executionModeStreamifyResponse } from "@middy/core/StreamifyResponse"
import type { APIGatewayProxyEvent } from "aws-lambda"
import { millis } from "#core/clock.ts"
import { Problem } from "#core/problem.ts"
import { authenticate } from "./authenticate.ts"
import { once } from "./once.ts"
import { parse, parseBody } from "./parse.ts"
import { givesTag, matching, tagOf } from "./precondition.ts"
import { limitRate } from "./rate-limit.ts"
import type { Callers, Incoming, Raw, Route } from "./route.ts"

const logger = new Logger({ serviceName: "dormouse" })

/** A request on its way: what it is, what the log will say of it, and what every answer to it carries. */
interface Exchange {
  routes: readonly Route[]
  route: Route
  event: APIGatewayProxyEvent
  line: Record<string, unknown>
  headers: Record<string, string>
}

/** Turns a table of routes into a Lambda handler. The gateway has already matched the URL. */
export const serve = (routes: readonly Route[]) => {
  const isStreaming = isOnLambda() && routes.some(({ streaming }) => streaming)
  const answer = async (input: unknown) => {
    const event = input as APIGatewayProxyEvent
    const started = millis()
    const route = routeOf(routes, event)
    const { requestId } = event.requestContext
    const exchange = { routes, route, event, line: { route: route.name, requestId }, headers: { "x-request-id": requestId } }
    const raw = await handle(exchange).catch((error: unknown) => failure(error, exchange))
    logger.info("request", { ...exchange.line, status: raw.status, milliseconds: millis() - started })
    return { statusCode: raw.status, headers: { ...raw.headers, ...exchange.headers }, body: raw.body }
  }
  return isStreaming ? middy({ executionMode: executionModeStreamifyResponse }).handler(answer) : middy().handler(answer)
}

/** Only Lambda's runtime can stream. Elsewhere a table is imported for its routes alone: by the documents and the tests. */
const isOnLambda = () =>
  typeof (globalThis as { awslambda?: { streamifyResponse?: unknown } }).awslambda?.streamifyResponse === "function"

const routeOf = (routes: readonly Route[], { httpMethod, resource }: APIGatewayProxyEvent) => {
  const route = routes.find(
    (candidate) => candidate.resource === resource && (candidate.method === httpMethod || candidate.method === "ANY"),
  )
  if (!route) throw new Error(`The gateway sent ${httpMethod} ${resource}, which no route here serves`)
  return route
}

async function handle(exchange: Exchange): Promise<Raw> {
  const { routes, route, event } = exchange
  const { headers } = event
  const path = pathOf(event)
  const caller = (await authenticate(route.door, headers, path, keyInQuery(route, event))) as object
  Object.assign(exchange.line, caller)
  if ("keyId" in caller) await limitRate(caller as Callers["key"], exchange.headers)
  const query = route.query && parse(route.query, event.queryStringParameters ?? {})
  const incoming = incomingOf(event)
  const body = route.body && parseBody(route.body, incoming.bytes, headers)
  const work = () => carryOut(route, { ...caller, event: incoming, path, query, body })
  // A refusal is an answer like others: whether it is kept is decided where answers are.
  const answered = () => work().catch((error: unknown) => refusal(error, exchange))
  const reading = routes.find(({ method, resource }) => method === "GET" && resource === route.resource)
  const read = reading && (() => carryOut(reading, { ...caller, event: incoming, path }))
  return once({ route, caller, headers, path, query, body }, () => matching(route, headers, read, answered))
}

async function carryOut(route: Route, request: object): Promise<Raw> {
  const result = await route.handle(request)
  const [status, schema] = route.returns
  if (schema === null) return { status, headers: {}, body: "" }
  if (typeof schema === "string" || (route.eventStream && isRaw(result))) return result as Raw
  const answer = reply(status, schema.parse(result))
  return givesTag(route) ? { ...answer, headers: { ...answer.headers, etag: tagOf(answer.body) } } : answer
}

const isRaw = (result: unknown) => typeof result === "object" && result !== null && "status" in result && "headers" in result

const keyInQuery = ({ eventStream }: Route, { queryStringParameters: query }: APIGatewayProxyEvent) =>
  eventStream && query?.stream === "true" ? query.apiKey : undefined

/** No id is that long, and the table takes no longer key: what is cut off makes no other id of it, only one that is not there. */
const longestId = 255

const pathOf = ({ pathParameters }: APIGatewayProxyEvent) =>
  Object.fromEntries(Object.entries(pathParameters ?? {}).map(([name, value]) => [name, value?.slice(0, longestId)]))

/** The error envelope. What is not a problem of ours is a fault of ours: logged whole, told to nobody. */
function failure(error: unknown, exchange: Exchange): Raw {
  if (error instanceof Problem) return refusal(error, exchange)
  logger.error("fault", { ...exchange.line, error: error as Error })
  return refusal(new Problem("internal"), exchange)
}

/** The answer to a problem of ours. Throws everything else on. */
function refusal(problem: unknown, { event, line }: Exchange) {
  if (!(problem instanceof Problem)) throw problem
  const { code, message, extra } = problem
  line.problem = code
  const { status, headers, body } = reply(problem.status, {
    error: { code, message, ...extra, requestId: event.requestContext.requestId },
  })
  const { retryAfterSeconds } = extra
  return { status, headers: { ...headers, ...(retryAfterSeconds ? { "retry-after": String(retryAfterSeconds) } : {}) }, body }
}

const incomingOf = (event: APIGatewayProxyEvent): Incoming => {
  const search = new URLSearchParams(
    Object.entries(event.multiValueQueryStringParameters ?? {}).flatMap(([name, values]) =>
      (values ?? []).map((value): [string, string] => [name, value]),
    ),
  ).toString()
  return {
    httpMethod: event.httpMethod,
    headers: event.headers,
    search: search ? `?${search}` : "",
    bytes: Buffer.from(event.body ?? "", event.isBase64Encoded ? "base64" : "utf8"),
  }
}

const reply = (status: number, body: unknown) => ({
  status,
  headers: { "content-type": "application/json" } as Record<string, string>,
  body: JSON.stringify(body),
})
