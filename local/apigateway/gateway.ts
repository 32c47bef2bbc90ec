import { randomUUID } from "node:crypto"
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http"
import type { Lambda } from "../lambda/lambda.ts"
import { read } from "../port.ts"
import { AwsError } from "../service.ts"
import { pathOf } from "../signature.ts"
import type { Wiring } from "../wiring.ts"
import { parseAnswer, sendAnswer, sendChunk, sendHead } from "./answer.ts"
import { eventOf, isBinary, type Match, makeRouter, type Received } from "./event.ts"
import { type ResponseType, sendGatewayResponse } from "./gateway-response.ts"

/** API Gateway, as a REST API with proxy integrations uses it: the port that clients of the product speak to. */

export interface GatewayOptions {
  wiring: Pick<Wiring, "region" | "account" | "api">
  lambda: Lambda
}

const maxBodyBytes = 10 * 1024 ** 2

/** What the root shows: the reference of the API. */
const home = "/api/v1/docs"

/** Answers every request of the API. */
export function apiHandler(options: GatewayOptions): RequestListener {
  const router = makeRouter(options.wiring.api.routes)
  return (request, response) => {
    const call = { ...options, router, requestId: randomUUID() }
    serve(call, request, response).catch((error: unknown) => {
      console.error(error)
      refuse(call, request, response, "DEFAULT_5XX")
    })
  }
}

interface Call extends GatewayOptions {
  router: ReturnType<typeof makeRouter>
  requestId: string
}

async function serve(call: Call, request: IncomingMessage, response: ServerResponse) {
  const asked = pathOf(request.url ?? "/")
  const path = asked === "/" ? home : asked
  const stage = `/${call.wiring.api.stage}/`
  const below = path.startsWith(stage) ? path.slice(stage.length - 1) : undefined
  const match = below === undefined ? undefined : routed(call, request.method ?? "", below)
  if (match === "malformed") return refuse(call, request, response, "BAD_REQUEST_BODY")
  if (!match || below === undefined) return refuse(call, request, response, "MISSING_AUTHENTICATION_TOKEN")

  const body = await received(request)
  if (!body) return refuse(call, request, response, "REQUEST_TOO_LARGE")
  const query = request.url!.slice(asked.length + 1)
  const { requestId } = call
  await forward(call, { request, match, path: below, query, body, requestId }, response)
}

const routed = ({ router }: Call, method: string, path: string): Match | "malformed" | undefined => {
  try {
    return router(method, path)
  } catch (error) {
    if (error instanceof URIError) return "malformed"
    throw error
  }
}

const received = async (request: IncomingMessage) => {
  try {
    return await read(request, maxBodyBytes)
  } catch (error) {
    if (error instanceof AwsError && error.status === 413) return
    throw error
  }
}

/** Hands the event to the function, within the time that the integration has. That is the machine's own time, as a function's is. */
async function forward(call: Call, received: Received, response: ServerResponse) {
  const { route } = received.match
  const event = JSON.stringify(eventOf(call.wiring, received))
  const timer = setTimeout(() => {
    if (response.headersSent) response.destroy()
    else refuse(call, received.request, response, "INTEGRATION_TIMEOUT")
  }, route.timeoutSeconds * 1000)
  try {
    await (route.streaming ? stream(call, received, event, response) : buffer(call, received, event, response))
  } catch (error) {
    if (!(error instanceof AwsError)) throw error
    refuse(call, received.request, response, error.status === 413 ? "REQUEST_TOO_LARGE" : "DEFAULT_5XX")
  } finally {
    clearTimeout(timer)
  }
}

async function buffer(
  { lambda, wiring, requestId, ...call }: Call,
  { request, match }: Received,
  event: string,
  response: ServerResponse,
) {
  const outcome = await lambda.invoke(match.route.function, event)
  if (response.headersSent) return
  const accepted = isBinary(wiring.api, request.headers.accept?.split(",")[0])
  const answer = "payload" in outcome ? parseAnswer(outcome.payload, accepted) : undefined
  if (answer) sendAnswer(response, requestId, answer)
  else refuse({ lambda, wiring, requestId, ...call }, request, response, "DEFAULT_5XX")
}

async function stream(call: Call, { request, match }: Received, event: string, response: ServerResponse) {
  const { error } = await call.lambda.invokeStreaming(match.route.function, event, {
    onMeta: (prelude) => {
      if (!response.headersSent) sendHead(response, call.requestId, prelude)
    },
    onChunk: (bytes) => sendChunk(response, bytes),
  })
  if (!error && response.headersSent) return void response.end()
  if (!response.headersSent) return refuse(call, request, response, "DEFAULT_5XX")
  // Half an answer must not look like a whole one.
  response.destroy()
}

function refuse({ wiring, requestId }: Call, request: IncomingMessage, response: ServerResponse, type: ResponseType) {
  if (response.headersSent) return void response.destroy()
  sendGatewayResponse(response, wiring.api, type, { requestId, path: pathOf(request.url ?? "/") })
}
