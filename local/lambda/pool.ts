import { AwsError } from "../service.ts"
import type { Environment, Outcome, Run } from "./environment.ts"

/** How many environments of a function there may be at once. On AWS it is the account's concurrency; here the machine has to bear it. */
export const maxEnvironments = 10
/** The same for a function that may run for minutes, since it holds its environment for as long as somebody reads what it streams. */
export const maxLongEnvironments = 32
/**
 * How long an environment without work is kept. On this machine's own clock, since it is this machine's memory that is spared: a test
 * that lets a year pass would start every function anew after each step.
 */
export const idleMs = 60_000

interface Idle {
  environment: Environment
  /** Keeps it from being ended for its idleness. */
  cancel(): void
}

interface Waiting {
  resolve(environment: Environment): void
  reject(error: Error): void
}

/**
 * The environments of one function: as many as there are events at once, up to a limit, beyond which callers wait in order (AWS would
 * refuse them with a 429). What has been idle for a minute is ended.
 */
export class Pool {
  readonly #start: () => Environment
  readonly #max: number
  readonly #idleMs: number
  readonly #all = new Set<Environment>()
  readonly #idle: Idle[] = []
  readonly #waiting: Waiting[] = []
  #closed: boolean = false

  constructor(start: () => Environment, { max, idleMs }: { max: number; idleMs: number }) {
    this.#start = start
    this.#max = max
    this.#idleMs = idleMs
  }

  /** Environments that are there now. */
  get size(): number {
    return this.#all.size
  }

  /** Gives an event to an environment that has none. */
  async run(run: Run): Promise<Outcome> {
    const environment = await this.#acquire()
    try {
      return await environment.run(run)
    } finally {
      this.#release(environment)
    }
  }

  /** Ends all environments, whatever they do. */
  async close() {
    this.#closed = true
    for (const { reject } of this.#waiting.splice(0)) reject(shuttingDown())
    for (const { cancel } of this.#idle.splice(0)) cancel()
    await Promise.all([...this.#all].map((environment) => this.#end(environment)))
  }

  async #acquire(): Promise<Environment> {
    if (this.#closed) throw shuttingDown()
    const kept = this.#takeIdle()
    if (kept) return kept
    if (this.#all.size < this.#max) return this.#fresh()
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  #release(environment: Environment) {
    if (!environment.alive()) this.#all.delete(environment)
    const next = this.#waiting.shift()
    if (next) next.resolve(environment.alive() ? environment : this.#fresh())
    else if (environment.alive()) this.#keep(environment)
  }

  #fresh(): Environment {
    const environment = this.#start()
    this.#all.add(environment)
    return environment
  }

  #takeIdle(): Environment | undefined {
    while (this.#idle.length > 0) {
      const { environment, cancel } = this.#idle.pop()!
      cancel()
      if (environment.alive()) return environment
      this.#all.delete(environment)
    }
  }

  #keep(environment: Environment) {
    const timer = setTimeout(() => {
      const at = this.#idle.findIndex((each) => each.environment === environment)
      if (at >= 0) this.#idle.splice(at, 1)
      this.#end(environment).catch((error) => console.error(error))
    }, this.#idleMs).unref()
    this.#idle.push({ environment, cancel: () => clearTimeout(timer) })
  }

  #end(environment: Environment): Promise<void> {
    this.#all.delete(environment)
    return environment.stop()
  }
}

const shuttingDown = () => new AwsError("ServiceException", "The embedded AWS is shutting down", 500)
