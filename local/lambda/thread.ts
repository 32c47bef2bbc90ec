import { existsSync } from "node:fs"
import { enableCompileCache, flushCompileCache } from "node:module"
import { join } from "node:path"
import { Writable } from "node:stream"
import { pathToFileURL } from "node:url"
import { parentPort, workerData } from "node:worker_threads"
import type { FromThread, FunctionError, ThreadData, ToThread } from "./messages.ts"

/**
 * The inside of one execution environment: loads the bundle as Lambda's Node runtime does, and gives it one event at a time. Runs as
 * a worker thread, so it imports nothing of ours but types.
 */

type Invocation = Extract<ToThread, { type: "invoke" }>
type Handler = (event: unknown, ...rest: unknown[]) => unknown
type Streamed = Handler & { [streaming]?: "response" }
type Callback = (error?: Error | null) => void

const streaming = Symbol.for("aws.lambda.runtime.handler.streaming")
const preludeType = "application/vnd.awslambda.http-integration-response"

const port = parentPort!
const send = (message: FromThread) => port.postMessage(message)

let taken: (() => void) | undefined

/** The stream that a streaming handler writes to. One chunk at a time goes to the host, so its pace is the reader's pace. */
class ResponseStream extends Writable {
  beforeFirstWrite?: (write: (bytes: string | Uint8Array) => void) => void
  contentType?: string

  setContentType(contentType: string) {
    this.contentType = contentType
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Callback) {
    const parts: Uint8Array[] = []
    this.beforeFirstWrite?.((bytes) => parts.push(Buffer.from(bytes)))
    this.beforeFirstWrite = undefined
    taken = () => callback()
    send({ type: "chunk", bytes: new Uint8Array(Buffer.concat([...parts, chunk])), contentType: this.contentType })
  }
}

Object.assign(globalThis, {
  awslambda: {
    streamifyResponse: (handler: Streamed) => {
      handler[streaming] = "response"
      return handler
    },
    HttpResponseStream: {
      /** Status and headers go before the first byte, as JSON and eight zero bytes. */
      from: (stream: ResponseStream, prelude: object) => {
        stream.setContentType(preludeType)
        stream.beforeFirstWrite = (write) => {
          write(JSON.stringify(prelude))
          write(new Uint8Array(8))
        }
        return stream
      },
    },
  },
})

/** Output is a message like the others, so that it comes before the result that follows it. */
const capture = (stream: NodeJS.WriteStream) => {
  stream.write = (chunk: string | Uint8Array, encoding?: unknown, callback?: unknown) => {
    send({ type: "log", text: typeof chunk === "string" ? chunk : Buffer.from(chunk).toString() })
    const done = typeof encoding === "function" ? encoding : callback
    if (typeof done === "function") done()
    return true
  }
}

const describe = (error: unknown): FunctionError =>
  error instanceof Error
    ? { errorType: error.name, errorMessage: error.message, trace: error.stack?.split("\n") ?? [] }
    : { errorType: typeof error, errorMessage: String(error), trace: [] }

const crash = (error: unknown, errorType?: string) => {
  const described = describe(error)
  send({ type: "crashed", error: errorType ? { ...described, errorType } : described })
}

async function load({ root, handler }: ThreadData): Promise<Streamed> {
  const [file, name] = [handler.slice(0, handler.lastIndexOf(".")), handler.slice(handler.lastIndexOf(".") + 1)]
  const path = [".js", ".mjs", ".cjs"].map((ending) => join(root, file + ending)).find((candidate) => existsSync(candidate))
  if (!path) throw Object.assign(new Error(`Cannot find module '${file}'`), { name: "Runtime.ImportModuleError" })
  const module: Record<string, unknown> = await import(pathToFileURL(path).href)
  const found = module[name] ?? (module.default as Record<string, unknown> | undefined)?.[name]
  if (typeof found === "function") return found as Streamed
  throw Object.assign(new Error(`${handler} is undefined or not exported`), { name: "Runtime.HandlerNotFound" })
}

const context = ({ requestId, timeoutMs, arn }: Invocation) => {
  const end = performance.now() + timeoutMs
  const functionName = process.env.AWS_LAMBDA_FUNCTION_NAME
  return {
    functionName,
    functionVersion: "$LATEST",
    invokedFunctionArn: arn,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    awsRequestId: requestId,
    logGroupName: `/aws/lambda/${functionName}`,
    logStreamName: "local",
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, Math.round(end - performance.now())),
  }
}

async function stream(handler: Handler, invocation: Invocation) {
  const response = new ResponseStream()
  response.on("error", (error) => send({ type: "failed", error: describe(error) }))
  await handler(JSON.parse(invocation.event), response, context(invocation))
  if (!response.writableFinished) await new Promise<void>((resolve) => response.once("finish", () => resolve()))
  send({ type: "end" })
}

async function invoke(handler: Streamed, invocation: Invocation) {
  const before = process.threadCpuUsage()
  try {
    if (handler[streaming]) return await stream(handler, invocation)
    const result = await handler(JSON.parse(invocation.event), context(invocation))
    const payload = JSON.stringify(result === undefined ? null : result)
    const { user, system } = process.threadCpuUsage(before)
    send({ type: "result", payload, processorMs: (user + system) / 1000 })
  } catch (error) {
    send({ type: "failed", error: describe(error) })
  }
}

// Every copy of a function compiles the same bundle: what the first has compiled is there for the others.
enableCompileCache()
capture(process.stdout)
capture(process.stderr)
process.on("unhandledRejection", (reason) => crash(reason, "Runtime.UnhandledPromiseRejection"))
process.on("uncaughtException", (error) => crash(error))

try {
  const handler = await load(workerData as ThreadData)
  port.on("message", (message: ToThread) => {
    if (message.type === "taken") return taken?.()
    invoke(handler, message).catch(crash)
  })
  send({ type: "ready" })
  flushCompileCache()
} catch (error) {
  crash(error)
}
