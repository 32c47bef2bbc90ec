import { Logger } from "@aws-lambda-powertools/logger"
import middy from "@middy/core"
import { executionModeStreamifyResponse } from "@middy/core/StreamifyResponse"
import type { APIGatewayProxyEvent } from "aws-lambda"
import type { z } from "zod"
import { millis } from "#core/clock.ts"
import { Problem } from "#core/problem.ts"
import { authenticate } from "./authenticate.ts"
import type { Incoming, Raw, Route } from "./route.ts"

const logger = new Logger({ serviceName: "dormouse" })

/** Turns a table of routes into a Lambda handler. The gateway has already matched the URL. */
export const serve = (routes: readonly Route[]) => {
  const isStreaming = isOnLambda() && routes.some(({ streaming }) => streaming)
  const answer = async (input: unknown) => {
    const event = input as APIGatewayProxyEvent
    const started = millis()
    const route = routeOf(routes, event)
    const line: Record<string, unknown> = { route: route.name, requestId: event.requestContext.requestId }
    const raw = await handle(route, event, line).catch((error: unknown) => failure(error, event, line))
    logger.info("request", { ...line, status: raw.status, milliseconds: millis() - started })
    return { statusCode: raw.status, headers: { ...raw.headers, "x-request-id": event.requestContext.requestId }, body: raw.body }
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

async function handle(route: Route, event: APIGatewayProxyEvent, line: Record<string, unknown>): Promise<Raw> {
  const path = pathOf(event)
  const caller = await authenticate(route.door, event.headers, path)
  Object.assign(line, caller)
  const query = route.query && parse(route.query, event.queryStringParameters ?? {})
  const incoming = incomingOf(event)
  const body =
    route.body && parse(route.body, isOptional(route.body) && !incoming.bytes.length ? undefined : json(incoming.bytes))
  const result = await route.handle({ ...(caller as object), event: incoming, path, query, body })
  const [status, schema] = route.returns
  if (schema === null) return { status, headers: {}, body: "" }
  if (typeof schema === "string") return result as Raw
  return reply(status, schema.parse(result))
}

/** No id is that long, and the table takes no longer key: what is cut off makes no other id of it, only one that is not there. */
const longestId = 255

const pathOf = ({ pathParameters }: APIGatewayProxyEvent) =>
  Object.fromEntries(Object.entries(pathParameters ?? {}).map(([name, value]) => [name, value?.slice(0, longestId)]))

/** The error envelope. What is not a problem of ours is a fault of ours: logged whole, told to nobody. */
function failure(error: unknown, { requestContext }: APIGatewayProxyEvent, line: Record<string, unknown>): Raw {
  const problem = error instanceof Problem ? error : new Problem("internal")
  line.problem = problem.code
  if (!(error instanceof Problem)) logger.error("fault", { ...line, error: error as Error })
  const { code, message, extra } = problem
  return reply(problem.status, { error: { code, message, ...extra, requestId: requestContext.requestId } })
}

const parse = (schema: z.ZodType, value: unknown) => {
  const { data, error } = schema.safeParse(value)
  if (!error) return data
  throw new Problem("invalid_request", { issues: error.issues.flatMap(issuesOf) })
}

/** Unknown fields are named one by one, each where it stands. */
const issuesOf = (issue: z.core.$ZodIssue) => {
  const at = issue.path.join(".")
  if (issue.code !== "unrecognized_keys") return [{ path: at, message: issue.message }]
  return issue.keys.map((key) => ({ path: [at, key].filter(Boolean).join("."), message: "This field is not known" }))
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

const isOptional = (body: z.ZodType) => body.safeParse(undefined).success

const json = (bytes: Buffer): unknown => {
  try {
    return JSON.parse(bytes.toString("utf8"))
  } catch {
    throw new Problem("invalid_request", { issues: [{ path: "", message: "The body is not JSON" }] })
  }
}

const reply = (status: number, body: unknown): Raw => ({
  status,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
})
