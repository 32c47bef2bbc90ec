import { randomUUID } from "node:crypto"
import { join } from "node:path"
import { AwsError } from "../service.ts"
import type { FunctionWiring } from "../wiring.ts"
import { type Outcome, type Sink, startEnvironment } from "./environment.ts"
import { type Logs, openLogs } from "./logs.ts"
import type { FunctionError } from "./messages.ts"
import { idleMs, maxEnvironments, maxLongEnvironments, Pool } from "./pool.ts"
import { type Prelude, preludeOf } from "./prelude.ts"
import { openQueue } from "./queue.ts"

const maxPayloadBytes = 6 * 1024 ** 2
/** For events that nobody waits for. */
const maxEventBytes = 1024 ** 2

/** What a function answered: JSON text, or the error that Lambda describes. `log` is the end of what it printed. */
export type Answer = ({ payload: string } | { error: FunctionError }) & { requestId: string; log: string }

interface Receiver {
  /** Status and headers, before the first chunk. */
  onMeta(prelude: Prelude): void
  /** The function writes on once this is done. */
  onChunk(bytes: Uint8Array): Promise<void> | void
}

export interface Lambda {
  /** Runs a function, named by name or ARN, and waits for its answer. Throws `AwsError` for what Lambda would refuse. */
  invoke(reference: string, payload: string): Promise<Answer>
  /** Takes an event for good and returns its request id: it is tried three times. */
  invokeAsync(reference: string, payload: string): string
  /**
   * Runs a streaming function and hands on what it writes while it writes. A receiver that throws has left: the function runs to its
   * end all the same. The answer is an error when the function broke, before or after its first byte.
   */
  invokeStreaming(reference: string, payload: string, receiver: Receiver): Promise<{ error?: FunctionError }>
  /** Name of the function that a name or ARN means. */
  nameOf(reference: string): string
  /** How often each function ran. */
  readonly runs: ReadonlyMap<string, number>
  /** How many environments a function has now. */
  environments(name: string): number
  /** Delivers the events that were accepted before a restart. */
  resume(): void
  close(): Promise<void>
}

export interface LambdaOptions {
  region: string
  functions: Record<string, FunctionWiring>
  /** Folder that holds the bundles. */
  bundles: string
  data: string
  verbose: boolean
  /** How long an environment without work is kept, if not for a minute. */
  idleMs?: number
  /** What a function finds in its environment beside its own: keys of its role, and where the host is. */
  environment(wiring: FunctionWiring): Record<string, string>
}

/** A function that may take longer than this is one that streams. */
const longSeconds = 300

/** Opens the functions of a stack: nothing is started before its first call. */
export function openLambda(options: LambdaOptions): Lambda {
  const logs = openLogs(join(options.data, "logs"), options.verbose)
  const runner = new Runner(options, logs)
  const nameOf = (reference: string) => {
    const name = reference.split(":function:").at(-1)!.split(":")[0]!
    if (options.functions[name]) return name
    const arn = reference.startsWith("arn:") ? reference : `arn:aws:lambda:${options.region}:function:${reference}`
    throw new AwsError("ResourceNotFoundException", `Function not found: ${arn}`, 404)
  }
  const queue = openQueue(join(options.data, "lambda.sqlite"), {
    run: async ({ id, name, payload }) => !("error" in (await runner.runBuffered(name, id, payload))),
    dropped: ({ id, name }) => logs.write(name, `RequestId: ${id} The event was dropped after its last try failed\n`),
  })

  const close = async () => {
    queue.close()
    await runner.close()
    logs.close()
  }
  let closed: Promise<void> | undefined
  return {
    nameOf,
    runs: runner.runs,
    environments: (name) => runner.environments(name),
    async invoke(reference, payload) {
      const name = nameOf(reference)
      check(payload, maxPayloadBytes)
      return runner.runBuffered(name, randomUUID(), payload)
    },
    invokeAsync(reference, payload) {
      const name = nameOf(reference)
      check(payload, maxEventBytes)
      return queue.accept(name, payload)
    },
    async invokeStreaming(reference, payload, receiver) {
      const name = nameOf(reference)
      check(payload, maxPayloadBytes)
      const split = preludeOf(receiver)
      const answer = await runner.run(name, randomUUID(), payload, split)
      if ("error" in answer) return { error: answer.error }
      if (split.complete()) return {}
      return { error: { errorType: "Runtime.NoPrelude", errorMessage: "The function ended without a streamed response" } }
    },
    resume: () => queue.resume(),
    close: () => (closed ??= close()),
  }
}

/** Runs functions in their environments, counts the runs and writes the logs. */
class Runner {
  readonly runs = new Map<string, number>()
  readonly #options: LambdaOptions
  readonly #logs: Logs
  readonly #pools = new Map<string, Pool>()

  constructor(options: LambdaOptions, logs: Logs) {
    this.#options = options
    this.#logs = logs
  }

  async run(name: string, requestId: string, payload: string, sink: Sink): Promise<Answer> {
    const { arn, timeoutSeconds } = this.#options.functions[name]!
    this.runs.set(name, (this.runs.get(name) ?? 0) + 1)
    this.#logs.write(name, `START RequestId: ${requestId} Version: $LATEST\n`)
    const started = performance.now()
    const outcome = limited(await this.#pool(name).run({ requestId, event: payload, arn, timeoutSeconds, sink }))
    this.#logs.write(name, report(requestId, outcome, performance.now() - started))
    return { ...outcome, requestId }
  }

  /** As `run`; what a streaming function writes is the payload then. */
  async runBuffered(name: string, requestId: string, payload: string): Promise<Answer> {
    const chunks: Uint8Array[] = []
    const answer = await this.run(name, requestId, payload, { chunk: (bytes) => void chunks.push(bytes) })
    return "payload" in answer && chunks.length > 0 ? { ...answer, payload: Buffer.concat(chunks).toString() } : answer
  }

  environments(name: string): number {
    return this.#pools.get(name)?.size ?? 0
  }

  async close() {
    await Promise.all([...this.#pools.values()].map((pool) => pool.close()))
  }

  #pool(name: string): Pool {
    const known = this.#pools.get(name)
    if (known) return known
    const log = (text: string) => this.#logs.write(name, text)
    const max = this.#options.functions[name]!.timeoutSeconds > longSeconds ? maxLongEnvironments : maxEnvironments
    const pool = new Pool(() => startEnvironment({ ...deployed(this.#options, name), log }), {
      max,
      idleMs: this.#options.idleMs ?? idleMs,
    })
    this.#pools.set(name, pool)
    return pool
  }
}

/** The environment of a deployed function: what its configuration says, what the Lambda service sets, what the host adds. */
function deployed({ region, functions, bundles, environment }: LambdaOptions, name: string) {
  const wiring = functions[name]!
  const root = join(bundles, wiring.bundle)
  const env = {
    ...wiring.environment,
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_EXECUTION_ENV: "AWS_Lambda_nodejs24.x",
    AWS_LAMBDA_FUNCTION_NAME: name,
    AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(wiring.memoryMb),
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${name}`,
    AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
    LAMBDA_TASK_ROOT: root,
    _HANDLER: wiring.handler,
    ...environment(wiring),
  }
  return { root, handler: wiring.handler, env, memoryMb: wiring.memoryMb }
}

function check(payload: string, limit: number) {
  const size = Buffer.byteLength(payload)
  if (size > limit) {
    throw new AwsError(
      "RequestTooLargeException",
      `Request must be smaller than ${limit} bytes for the InvokeFunction operation`,
      413,
      { Type: "User" },
    )
  }
}

function limited(outcome: Outcome): Outcome {
  if (!("payload" in outcome) || Buffer.byteLength(outcome.payload) <= maxPayloadBytes) return outcome
  const errorMessage = `Response payload size exceeded maximum allowed payload size (${maxPayloadBytes} bytes).`
  return { log: outcome.log, error: { errorType: "Function.ResponseSizeTooLarge", errorMessage } }
}

function report(requestId: string, outcome: Outcome, ms: number) {
  const failure = "error" in outcome ? `ERROR RequestId: ${requestId} ${JSON.stringify(outcome.error)}\n` : ""
  const { processorMs } = { processorMs: undefined, ...outcome }
  // Not a part of Lambda's own line, which has the memory there; it is what the bill of a slower processor can be made from.
  const processor = processorMs === undefined ? "" : ` Processor: ${processorMs.toFixed(1)} ms`
  return `${failure}END RequestId: ${requestId}\nREPORT RequestId: ${requestId} Duration: ${ms.toFixed(1)} ms${processor}\n`
}
