import { Readable, Transform } from "node:stream"
import * as z from "zod"
import * as ModelRequest from "./model-request.ts"
import { invalid, Problem } from "./problem.ts"
import { addressOf, providers } from "./provider.ts"
import * as Run from "./run.ts"
import * as Secret from "./secret.ts"
import * as Task from "./task.ts"
import { type Tokens, usageMeter } from "./usage.ts"

/** The models that a run may use, through us: the provider's key never enters a container. */

interface Request {
  provider: string
  /** Path after the provider's name, as the provider's own host would see it, with its query. */
  path: string
  method: string
  headers: Record<string, string | undefined>
  body: Buffer
}

/**
 * Passes a request on to the task's provider with the key that the task, its version or its account has, and the answer back as it
 * comes, counting the tokens. Raises `lease_lost`, `provider_unknown`, `model_not_allowed`, `provider_key_missing`,
 * `payload_too_large`, `upload_incomplete`, `provider_unreachable`.
 */
export async function forward(ref: Run.Ref, request: Request) {
  const [, spec] = await Promise.all([Run.claimed(ref), Task.spec(ref.accountId, ref.taskId)])
  const provider = providers[request.provider]
  if (!provider || request.provider !== spec.execution.provider) throw new Problem("provider_unknown")
  const url = addressOf(request)
  const body = await ModelRequest.bodyOf(ref, request)
  const allowed = [spec.execution.model, spec.execution.weakModel]
  const model = modelsIn(body).find((name) => !allowed.includes(name))
  if (model !== undefined) throw new Problem("model_not_allowed", { model })
  // Resolved at each use, so that a key replaced today reaches a task dispatched yesterday.
  const key = await Secret.firstOf(ref.accountId, spec.keySecretIds)
  if (key === undefined) throw new Problem("provider_key_missing")

  const response = await fetch(url, {
    method: request.method,
    headers: { ...passedOn(request.headers, requestHeaders), "accept-encoding": "identity", ...provider.authorize(key) },
    body: new Uint8Array(body),
    redirect: "manual",
  }).catch((error: unknown) => {
    throw new Problem("provider_unreachable", { provider: request.provider, reason: reasonOf(error) })
  })
  const headers = passedOn(Object.fromEntries(response.headers), responseHeaders)
  if (!response.ok || !response.body) return { status: response.status, headers, body: await errorText(response, key) }
  return { status: response.status, headers, body: metered(ref, response) }
}

/** OpenRouter falls back to `models`, so these are asked for as well. */
const Body = z.object({ model: z.string(), models: z.array(z.string()).optional() })

const modelsIn = (body: Uint8Array) => {
  try {
    const { model, models = [] } = Body.parse(JSON.parse(new TextDecoder().decode(body)))
    return [model, ...models]
  } catch {
    throw invalid("model", "The request names no model")
  }
}

const requestHeaders =
  /^(content-type|accept|user-agent|anthropic-(version|beta)|openai-.+|http-referer|x-title|x-stainless-.+|(x-)?session-id|x-client-request-id)$/i
const responseHeaders = /^(content-type|retry-after(-ms)?|request-id|x-request-id|x-should-retry|(anthropic|x)-ratelimit-.+)$/i

const passedOn = (headers: Record<string, string | undefined>, which: RegExp) =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      which.test(name) && value !== undefined ? [[name.toLowerCase(), value]] : [],
    ),
  )

const errorBytes = 64 * 1024

/** A provider's own words, in case they repeat the key without it. Cut last, so that no part of the key is left at the end. */
const errorText = async (response: Response, key: string) => (await response.text()).replaceAll(key, "[key]").slice(0, errorBytes)

/** The answer unchanged; what it used is counted when it ends, however it ends. */
function metered(ref: Run.Ref, response: Response): Readable {
  const meter = usageMeter(response.headers.get("content-type") ?? "")
  let counted: Promise<void> | undefined
  const count = () => {
    counted ??= record(ref, meter.total())
    return counted
  }
  const source = Readable.fromWeb(response.body as import("node:stream/web").ReadableStream)
  const tap = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      meter.read(chunk)
      done(null, chunk)
    },
    flush(done) {
      count().then(() => done(), done)
    },
    destroy(error, done) {
      source.destroy()
      count().then(() => done(error), done)
    },
  })
  source.on("error", (error) => tap.destroy(error))
  return source.pipe(tap)
}

const record = (ref: Run.Ref, tokens: Tokens) => Run.meter(ref, tokens)

const reasonOf = (error: unknown) => {
  const cause = error instanceof Error ? error.cause : undefined
  return cause instanceof Error && "code" in cause ? String(cause.code) : "no answer"
}
