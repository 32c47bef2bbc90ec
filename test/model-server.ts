import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { anthropicMessages, chatCompletions, documents, type Format, openaiResponses } from "./model-formats.ts"

/** What the model says: text, thinking, or a call of a tool. */
export type Block = { text: string } | { thinking: string } | { tool: string; args: unknown; id?: string }

export type Usage = { input?: number; output?: number; cacheRead?: number; cacheWrite?: number }

export type Answer = {
  blocks: Block[]
  usage?: Usage
  /** What the provider charges for it, where it says so, as OpenRouter does. */
  billedUsd?: number
  /** The answer starts when this is settled. */
  before?: Promise<unknown>
  /** Waited for before each chunk, with its number from 0, so that a test decides when the stream goes on. */
  pause?: (chunk: number) => Promise<unknown> | undefined
  /** How the answer ends: as it should, at the length limit, never (`hang`), or by a lost connection (`cut`). */
  end?: "stop" | "length" | "hang" | "cut"
}

export type Refusal = { status: number; error: string; headers?: Record<string, string> }

/** `silent` takes the request and never answers at all. */
export type Step = Answer | Refusal | { silent: true }

export type ModelRequest = {
  method: string
  url: string
  headers: IncomingHttpHeaders
  body: Record<string, unknown>
  /** The caller went away before the answer had ended. */
  aborted: boolean
}

/** One step for each request in turn, or a function that answers the request with number `n`, from 0. */
export type Script = Step[] | ((request: ModelRequest, n: number) => Step | Promise<Step>)

/**
 * A scripted model provider on loopback. It speaks the three wire formats by the end of the path: `/messages` (Anthropic),
 * `/responses` (OpenAI), `/chat/completions` (OpenRouter), in a stream where one is asked for. `requests` is what it was asked, in order.
 */
export const startModelServer = async (script: Script, options: { port?: number } = {}) => {
  const requests: ModelRequest[] = []
  const server = createServer((incoming, outgoing) => {
    serve(script, requests, incoming, outgoing).catch((error: unknown) => {
      outgoing.destroy(error instanceof Error ? error : new Error(String(error)))
    })
  })
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, "127.0.0.1", resolve))
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, close }
}

const formats: Record<string, Format> = {
  "/messages": anthropicMessages,
  "/responses": openaiResponses,
  "/chat/completions": chatCompletions,
}

const endOf = (url: string) => Object.keys(formats).find((end) => url.split("?")[0]!.endsWith(end))

const serve = async (script: Script, requests: ModelRequest[], incoming: IncomingMessage, outgoing: ServerResponse) => {
  const { method = "", url = "", headers } = incoming
  const request: ModelRequest = { method, url, headers, body: await readJson(incoming), aborted: false }
  const end = endOf(url)
  if (!end) return refuse(outgoing, { status: 404, error: `There is nothing at ${url}` })

  const n = requests.push(request) - 1
  outgoing.on("close", () => {
    if (!outgoing.writableEnded) request.aborted = true
  })
  const step = typeof script === "function" ? await script(request, n) : script[n]
  if (!step) return refuse(outgoing, { status: 500, error: `The script has no step for request ${n}` })
  if ("silent" in step) return
  if ("status" in step) return refuse(outgoing, step)
  if (!request.body.stream) return answerWhole(step, end, outgoing)
  await answer(step, formats[end]!(step, String(request.body.model), n), request, outgoing)
}

const answer = async (step: Answer, chunks: Iterable<string>, request: ModelRequest, outgoing: ServerResponse) => {
  await step.before
  outgoing.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" })
  let n = 0
  for (const chunk of chunks) {
    await step.pause?.(n++)
    if (request.aborted) return
    await new Promise<void>((resolve) => outgoing.write(chunk, () => resolve()))
  }
  if (step.end === "hang") return
  if (step.end === "cut") outgoing.destroy()
  else outgoing.end()
}

const answerWhole = (step: Answer, end: string, outgoing: ServerResponse) => {
  const text = step.blocks.map((block) => ("text" in block ? block.text : "")).join("")
  outgoing.writeHead(200, { "content-type": "application/json" })
  outgoing.end(JSON.stringify(documents[end]!(text)))
}

const refuse = (outgoing: ServerResponse, { status, error, headers }: Refusal) => {
  outgoing.writeHead(status, { "content-type": "application/json", ...headers })
  outgoing.end(JSON.stringify({ type: "error", error: { type: "scripted_error", message: error, code: "scripted" } }))
}

const readJson = async (incoming: IncomingMessage): Promise<Record<string, unknown>> => {
  const parts: Buffer[] = []
  for await (const part of incoming) parts.push(part)
  const text = Buffer.concat(parts).toString("utf8")
  return text ? JSON.parse(text) : {}
}
