import { createHash, randomUUID } from "node:crypto"
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http"
import type { KeyRing } from "./credentials.ts"
import { authorize } from "./iam.ts"
import type { Lambda } from "./lambda/lambda.ts"
import { invokedBy, invokeOverRest } from "./lambda/rest.ts"
import { needsOf, schedulerNeeds } from "./permissions.ts"
import { read } from "./port.ts"
import type { Scheduler } from "./scheduler/service.ts"
import { AwsError, type Caller, type JsonService } from "./service.ts"
import { parseQuery, pathOf, verify } from "./signature.ts"
import { callSts } from "./sts.ts"
import { note, type Used } from "./used.ts"
import type { Wiring } from "./wiring.ts"

/** The port that every AWS client of the stack speaks to: tells the protocols apart, checks who calls, and counts. */

export interface AwsOptions {
  wiring: Wiring
  keys: KeyRing
  services: readonly JsonService[]
  lambda: Lambda
  /** Left out where nothing is scheduled. */
  scheduler?: Scheduler
  /** Takes what no other protocol claims, and checks its signature and permissions itself. */
  s3(request: IncomingMessage, response: ServerResponse): Promise<void>
  books: Books
}

/** What was called, for the budgets and for a look at what roles really use. */
export interface Books {
  /** How often, by `service:Operation`: `dynamodb:PutItem`. */
  readonly calls: Map<string, number>
  /** How often each role was allowed each action. */
  readonly used: Used
}

const maxBodyBytes = 16 * 1024 ** 2

const names: Record<string, string> = {
  DynamoDB_20120810: "dynamodb",
  DynamoDBStreams_20120810: "dynamodbstreams",
  AWSStepFunctions: "states",
  AWSEvents: "events",
  TrentService: "kms",
  AmazonEC2ContainerServiceV20141113: "ecs",
  AmazonSQS: "sqs",
}

export const openBooks = (used: Used = new Map()): Books => ({ calls: new Map(), used })

/** Notes one call. */
export const count = ({ calls }: Books, call: string) => calls.set(call, (calls.get(call) ?? 0) + 1)

/** Checks a permission as `authorize` does, and notes that the role made use of it. */
export function allow(
  { used }: Books,
  wiring: Wiring,
  caller: Caller,
  ...need: [string, readonly string[], Record<string, string>?, JsonService["grants"]?]
) {
  const [action, resources, context, grants] = need
  authorize(wiring, caller, action, resources, context, grants)
  if (caller.role) note(used, caller.role, action)
}

/** Answers every AWS request of the stack. */
export function awsHandler(options: AwsOptions): RequestListener {
  const services = new Map(options.services.map((service) => [service.target, service]))
  return (request, response) => {
    const requestId = randomUUID()
    answer({ ...options, services, requestId }, request, response).catch((error: unknown) => fail(error, requestId, response))
  }
}

interface Call extends Omit<AwsOptions, "services"> {
  services: ReadonlyMap<string, JsonService>
  requestId: string
}

async function answer(call: Call, request: IncomingMessage, response: ServerResponse) {
  const path = pathOf(request.url ?? "/")
  const target = request.headers["x-amz-target"]
  const invoked = invokedBy(path)
  // Of DynamoDB, for whoever only wants a connection.
  if (path === "/ping" && !request.headers.authorization) return send(response, 200, {}, "healthy: dynamodb")
  if (typeof target === "string") return callJson(call, target, request, response)
  if (invoked) return callLambda(call, invoked, path, request, response)
  const signedFor = /\/([\w-]+)\/aws4_request/.exec(request.headers.authorization ?? "")?.[1]
  if (request.method === "POST" && path === "/" && signedFor === "sts") return callQuery(call, request, response)
  if (signedFor === "scheduler" && call.scheduler) return callScheduler(call, call.scheduler, request, response)
  return call.s3(request, response)
}

async function callJson(call: Call, target: string, request: IncomingMessage, response: ServerResponse) {
  const at = target.lastIndexOf(".")
  const [name, operation] = [target.slice(0, at), target.slice(at + 1)]
  const service = call.services.get(name)
  if (!service) throw new AwsError("UnknownOperationException", `The embedded AWS does not know ${target}`)
  const { body, caller } = await receive(call, request)
  const input = parse(body)
  count(call.books, `${names[name]}:${operation}`)
  for (const { action, resources, context } of needsOf(name, { operation, input, region: caller.region, wiring: call.wiring })) {
    allow(call.books, call.wiring, caller, action, resources, context, service.grants)
  }
  const output = await service.call(operation, input, caller)
  send(response, 200, { "content-type": service.contentType, "x-amzn-requestid": call.requestId }, JSON.stringify(output))
}

async function callLambda(call: Call, reference: string, path: string, request: IncomingMessage, response: ServerResponse) {
  const { body, caller } = await receive(call, request)
  count(call.books, "lambda:Invoke")
  const { arn } = call.wiring.functions[call.lambda.nameOf(reference)]!
  allow(call.books, call.wiring, caller, "lambda:InvokeFunction", [arn])
  const {
    status,
    headers,
    body: answered,
  } = await invokeOverRest(call.lambda, reference, {
    path,
    headers: request.headers,
    body: body.toString(),
  })
  send(response, status, { "x-amzn-requestid": call.requestId, ...headers }, answered)
}

async function callScheduler(call: Call, scheduler: Scheduler, request: IncomingMessage, response: ServerResponse) {
  const { body: bytes, caller } = await receive(call, request)
  const url = request.url ?? "/"
  const rest = {
    method: request.method ?? "",
    path: pathOf(url),
    query: new URLSearchParams(parseQuery(url)),
    body: parse(bytes),
  }
  for (const { action, resources, context } of schedulerNeeds(rest, call.wiring)) {
    count(call.books, action)
    allow(call.books, call.wiring, caller, action, resources, context)
  }
  const output = await scheduler.call(rest)
  send(response, 200, { "content-type": "application/json", "x-amzn-requestid": call.requestId }, JSON.stringify(output))
}

async function callQuery(call: Call, request: IncomingMessage, response: ServerResponse) {
  const { body, caller } = await receive(call, request)
  const form = new URLSearchParams(body.toString())
  count(call.books, `sts:${form.get("Action")}`)
  const xml = callSts(form, caller, call.wiring.account, call.requestId)
  send(response, 200, { "content-type": "text/xml", "x-amzn-requestid": call.requestId }, xml)
}

/** Reads a request to its end and finds out who made it. */
async function receive({ keys }: Call, request: IncomingMessage): Promise<{ body: Buffer; caller: Caller }> {
  const body = await read(request, maxBodyBytes)
  const { accessKeyId, region } = verify({
    method: request.method ?? "",
    url: request.url ?? "/",
    headers: request.headers,
    payloadHash: createHash("sha256").update(body).digest("hex"),
    secretOf: (id) => keys.secret(id),
  })
  return { body, caller: { accessKeyId, region, role: keys.role(accessKeyId) } }
}

const parse = (body: Buffer): Record<string, unknown> => {
  const invalid = new AwsError("SerializationException", "The request is not a JSON object")
  try {
    const value: unknown = JSON.parse(body.toString() || "{}")
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    throw invalid
  }
  throw invalid
}

const send = (response: ServerResponse, status: number, headers: Record<string, string>, body: string) => {
  response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) }).end(body)
}

function fail(error: unknown, requestId: string, response: ServerResponse) {
  if (response.headersSent) return void response.destroy()
  const known = error instanceof AwsError ? error : undefined
  if (!known) console.error(error)
  const { code, status, message, extra } = known ?? new AwsError("InternalServerError", "The embedded AWS failed", 500)
  const headers = { "content-type": "application/x-amz-json-1.0", "x-amzn-requestid": requestId, "x-amzn-errortype": code }
  send(response, status, headers, JSON.stringify({ __type: code, message, ...extra }))
}
