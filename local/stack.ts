import type { RequestListener } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { apiHandler } from "./apigateway/gateway.ts"
import { type Credentials, makeKeyRing, operatorSecret } from "./credentials.ts"
import { type Detected, detectIsolation } from "./ecs/isolation.ts"
import type { Door } from "./ecs/launch.ts"
import { makeInvocations } from "./invocations.ts"
import { lockFolder } from "./lock.ts"
import { fillPlaceholders } from "./placeholders.ts"
import { openPort, openSocket, type Port } from "./port.ts"
import { awsHandler, openBooks } from "./server.ts"
import { type Counters, type Defer, openFunctions, openServices, openStorage } from "./services.ts"
import { openUsed } from "./used.ts"
import type { Wiring } from "./wiring.ts"

export interface StackOptions {
  wiring: Wiring
  /** Folder of everything that is to survive; made if it is not there. */
  data: string
  /** Folder with the bundles; `dist` of this project by default. */
  bundles?: string
  /** 0, the default, takes any free port. */
  apiPort?: number
  awsPort?: number
  isolation?: "auto" | "bubblewrap" | "none"
  /** Where `{{…_BASE_URL}}` are taken from. */
  env?: Readonly<Record<string, string | undefined>>
  /** Shows on standard error what functions print. */
  verbose?: boolean
}

export interface Stack {
  /** Origin of the API: the stage and `/v1` come after it. */
  apiUrl: string
  awsUrl: string
  /** How tasks are kept apart from this machine and each other; the reason says why not better. */
  isolation: Detected
  /** Keys of the operator, who may do everything. */
  credentials: Credentials
  /** Keys that stand for a role. */
  credentialsOf(role: string): Credentials
  /** Calls a function as the operator; rejects with an error of the function's own name when it failed. */
  invoke(name: string, payload: unknown): Promise<unknown>
  counters: Counters
  /** Ends everything in order: what is under way is finished within seconds, or taken up again by the next start. */
  stop(): Promise<void>
}

const dist = join(import.meta.dirname, "..", "dist")

/** Starts the stack that a wiring describes, in this process. Rejects when a port or the data folder is taken. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const closing: (() => unknown)[] = []
  const stop = once(async () => {
    for (const close of closing.splice(0).reverse()) await close()
  })
  try {
    const started = await open(options, (close) => closing.push(close))
    return { ...started, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

const once = (work: () => Promise<void>) => {
  let done: Promise<void> | undefined
  return () => (done ??= work())
}

async function open(options: StackOptions, defer: Defer): Promise<Omit<Stack, "stop">> {
  const { data, bundles = dist, apiPort = 0, awsPort = 0, isolation: wanted = "auto", env = {}, verbose = false } = options
  defer(lockFolder(data))
  const trace = openUsed(data)
  defer(trace.close)
  const counters: Counters = { ...openBooks(trace.used), transitions: 0, units: new Map(), events: new Map() }
  const api = await openPort(apiPort)
  defer(api.close)
  const aws = await openPort(awsPort)
  defer(aws.close)
  const [apiUrl, awsUrl] = [urlOf(api), urlOf(aws)]
  const values = { ...env, API_URL: `${apiUrl}/${options.wiring.api.stage}` }
  const wiring = fillPlaceholders(options.wiring, values)
  const keys = makeKeyRing(wiring, operatorSecret(data))

  const detected = await detectIsolation(wanted)
  const { isolation } = detected
  const storage = openStorage({ wiring, data, keys, counters }, defer)
  const lambda = openFunctions({ wiring, data, keys, bundles, awsUrl, verbose, isolation }, defer)
  const invocations = makeInvocations({ lambda, books: counters, wiring })
  const given = { wiring, data, bundles, counters, storage, invocations, lambda, keys, awsUrl, isolation }
  const s3: typeof storage.s3.handle = (request, response) => storage.s3.handle(request, response)
  const doors = [
    await openDoor(api, data, apiHandler({ wiring: { ...wiring, api: ofTasks(wiring.api) }, lambda })),
    await openDoor(aws, data, s3),
  ]
  for (const { close } of doors) defer(close)
  const { services, scheduler, start } = await openServices({ ...given, doors }, defer)
  aws.serve(awsHandler({ wiring, keys, services, scheduler, lambda, s3, books: counters }))
  start()
  lambda.resume()
  api.serve(apiHandler({ wiring, lambda }))
  defer(api.close)
  return {
    apiUrl,
    awsUrl,
    isolation: detected,
    credentials: keys.operator,
    credentialsOf: keys.of,
    invoke: invocations.wait,
    counters,
  }
}

/** What of the API is there for tasks, as the private one of an isolated network has it. */
const ofTasks = (api: Wiring["api"]) => ({ ...api, routes: api.routes.filter(({ path }) => path.startsWith("/agent/")) })

/** The kernel takes 107 bytes on Linux, 103 on macOS. */
const longestSocketPath = 103

/** A way to a port for containers without a network; its handler is all that they find there. */
async function openDoor({ number }: Port, data: string, handler: RequestListener): Promise<Door & { close(): Promise<void> }> {
  const inData = join(data, `${number}.sock`)
  const socket = Buffer.byteLength(inData) <= longestSocketPath ? inData : join(tmpdir(), `dormouse-${number}.sock`)
  return { port: number, socket, close: await openSocket(socket, handler) }
}

const urlOf = ({ number }: Port) => `http://127.0.0.1:${number}`
