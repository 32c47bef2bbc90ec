import { Worker } from "node:worker_threads"
import type { FromThread, FunctionError, ThreadData, ToThread } from "./messages.ts"

/** Where a streaming answer goes. The function waits for `chunk` before it writes on. */
export interface Sink {
  chunk(bytes: Uint8Array, contentType?: string): Promise<void> | void
}

export interface Run {
  requestId: string
  event: string
  arn: string
  timeoutSeconds: number
  sink?: Sink
}

type Answered = { payload: string; processorMs?: number } | { error: FunctionError }
export type Outcome = Answered & { log: string }

export interface Environment {
  run(run: Run): Promise<Outcome>
  /** False once it broke or was stopped. */
  alive(): boolean
  stop(): Promise<void>
}

export interface EnvironmentOptions extends ThreadData {
  env: Record<string, string>
  memoryMb: number
  log(text: string): void
}

/** How long a bundle may take to load, beside the time that the handler has. */
const initSeconds = 10
const tailBytes = 4096

// What every thread prints goes through these two, and there may be as many threads as there are functions.
for (const stream of [process.stdout, process.stderr]) stream.setMaxListeners(0)

const startThread = ({ root, handler, env, memoryMb }: EnvironmentOptions) =>
  new Worker(new URL("./thread.ts", import.meta.url), {
    workerData: { root, handler } satisfies ThreadData,
    env,
    execArgv: [],
    // Little room for what is young takes a quarter off the 80 MB of an environment, of which there can be many on one machine.
    resourceLimits: { maxOldGenerationSizeMb: Math.max(memoryMb, 64), maxYoungGenerationSizeMb: 8 },
  })

const brokenBy = ({ code, name, message }: Error & { code?: string }): FunctionError => ({
  errorType: code === "ERR_WORKER_OUT_OF_MEMORY" ? "Runtime.OutOfMemory" : name,
  errorMessage: message,
})

const exitedBy = (errorMessage: string): FunctionError => ({
  errorType: "Runtime.ExitError",
  errorMessage: `Error: ${errorMessage}`,
})

/** Starts a worker thread that holds one copy of a function. It takes one event at a time, as on Lambda. */
export function startEnvironment(options: EnvironmentOptions): Environment {
  const { log } = options
  const worker = startThread(options)
  const post = (message: ToThread) => worker.postMessage(message)
  let alive = true
  let ready = false
  let broken: FunctionError | undefined
  let current: Invocation | undefined

  const end = (error: FunctionError) => {
    alive = false
    broken ??= error
    current?.settle({ error })
  }
  const take = (message: FromThread) => {
    if (message.type === "ready") {
      ready = true
      return current?.limit(0)
    }
    if (message.type === "crashed") {
      end(message.error)
      return void worker.terminate()
    }
    if (message.type === "log") log(message.text)
    current?.take(message)
  }
  worker.on("message", take)
  worker.on("error", (error: Error) => end(brokenBy(error)))
  worker.on("exit", () => end(exitedBy("Runtime exited without providing a reason")))

  return {
    alive: () => alive,
    async stop() {
      end(exitedBy("The environment was stopped"))
      await worker.terminate()
    },
    run: (run) =>
      new Promise((resolve) => {
        current = invocation(run, {
          taken: () => post({ type: "taken" }),
          expired: () => {
            alive = false
            worker.terminate().catch((error) => log(`${error}\n`))
          },
          settled: (outcome) => {
            current = undefined
            resolve(outcome)
          },
        })
        if (broken) return current.settle({ error: broken })
        current.limit(ready ? 0 : initSeconds)
        post({ type: "invoke", requestId: run.requestId, event: run.event, arn: run.arn, timeoutMs: run.timeoutSeconds * 1000 })
      }),
  }
}

interface Invocation {
  /** (Re)starts the time that the function has, plus some seconds. */
  limit(extraSeconds: number): void
  take(message: FromThread): void
  settle(outcome: Answered): void
}

interface Hooks {
  taken(): void
  expired(): void
  settled(outcome: Outcome): void
}

/**
 * One event's way through the thread. The time limit is the machine's own time, whatever the clock of the stack says: a test that moves
 * the clock by days does not take days of work away from a function.
 */
function invocation({ requestId, timeoutSeconds, sink }: Run, hooks: Hooks): Invocation {
  let tail = ""
  let timer: NodeJS.Timeout | undefined
  let delivered = Promise.resolve()
  let over = false

  const settle: Invocation["settle"] = (outcome) => {
    if (over) return
    over = true
    clearTimeout(timer)
    hooks.settled({ ...outcome, log: tail })
  }
  const deliver = (bytes: Uint8Array, contentType?: string) => {
    delivered = delivered
      .then(() => sink?.chunk(bytes, contentType))
      .catch(() => undefined) // A reader who left does not stop the function.
      .then(() => hooks.taken())
  }
  return {
    settle,
    limit(extraSeconds) {
      clearTimeout(timer)
      timer = setTimeout(
        () => {
          hooks.expired()
          const errorMessage = `RequestId: ${requestId} Error: Task timed out after ${timeoutSeconds.toFixed(2)} seconds`
          settle({ error: { errorType: "Sandbox.Timedout", errorMessage } })
        },
        (timeoutSeconds + extraSeconds) * 1000,
      )
    },
    take(message) {
      if (message.type === "log") tail = (tail + message.text).slice(-tailBytes)
      if (message.type === "chunk") deliver(message.bytes, message.contentType)
      if (message.type === "result") settle({ payload: message.payload, processorMs: message.processorMs })
      if (message.type === "end")
        delivered.then(
          () => settle({ payload: "" }),
          () => settle({ payload: "" }),
        )
      if (message.type === "failed")
        delivered.then(
          () => settle({ error: message.error }),
          () => settle({ error: message.error }),
        )
    },
  }
}
