import { after, millis, sleep } from "#core/clock.ts"
import type { EventSourceWiring } from "../wiring.ts"
import { type StreamRecord, sequence } from "./record.ts"

interface Options {
  mapping: EventSourceWiring
  /** Hands records to the function. Rejects when the function failed. */
  invoke: (records: StreamRecord[]) => Promise<unknown>
  /** Puts away what could not be processed; rejects when that failed too. */
  discard: (records: StreamRecord[], invocations: number, error: unknown) => Promise<void>
  finish: (records: StreamRecord[]) => void
  log: (line: string) => void
}

interface Batch {
  records: StreamRecord[]
  /** Tries that count: a batch that was split starts no new count. */
  tries: number
  invocations: number
}

interface Waiting {
  record: StreamRecord
  since: number
}

/** One second, then twice as long each time up to a minute. */
const wait = (tries: number) => Math.min(2 ** tries, 60) * 1000

/** Sequence numbers that the function reports as failed. */
const failuresOf = (answer: unknown): unknown[] => {
  const failures = typeof answer === "object" && answer !== null && "batchItemFailures" in answer ? answer.batchItemFailures : []
  return Array.isArray(failures) ? failures.map((failure) => failure?.itemIdentifier) : []
}

/** The first record that the function reports as failed. One that it was not given makes the whole batch fail, as in Lambda. */
const firstFailure = (records: StreamRecord[], answer: unknown): number => {
  const at = failuresOf(answer).map((failed) => records.findIndex((record) => sequence(record) === failed))
  return at.length === 0 ? records.length : Math.max(0, Math.min(...at))
}

/** Takes records to the function one batch after another: what comes later waits until what came before is done or put away. */
export class Lane {
  readonly #options: Options
  readonly #waiting: Waiting[] = []
  readonly #batches: Batch[] = []
  readonly #stop = new AbortController()
  #working: Promise<void> | undefined
  #cancelWindow?: () => void

  constructor(options: Options) {
    this.#options = options
  }

  push(record: StreamRecord) {
    this.#waiting.push({ record, since: millis() })
  }

  /** Starts work if a batch is full or has waited long enough. */
  wake() {
    if (this.#working || this.#stop.signal.aborted) return
    this.#working = this.#work().finally(() => {
      this.#working = undefined
      if (this.#isReady()) this.wake()
    })
  }

  /** Ends after the invocation under way. */
  async close() {
    this.#stop.abort()
    this.#cancelWindow?.()
    await this.#working
  }

  #windowLeft(): number {
    const since = this.#waiting[0]?.since
    return since === undefined ? Number.POSITIVE_INFINITY : since + this.#options.mapping.windowSeconds * 1000 - millis()
  }

  #isReady(): boolean {
    return this.#batches.length > 0 || this.#waiting.length >= this.#options.mapping.batchSize || this.#windowLeft() <= 0
  }

  async #work() {
    while (!this.#stop.signal.aborted && this.#isReady()) await this.#process(this.#take())
    this.#cancelWindow?.()
    const left = this.#windowLeft()
    if (Number.isFinite(left) && !this.#stop.signal.aborted) this.#cancelWindow = after(left, () => this.wake())
  }

  #take(): Batch {
    const next = this.#batches.shift()
    if (next) return next
    const taken = this.#waiting.splice(0, this.#options.mapping.batchSize)
    return { records: taken.map(({ record }) => record), tries: 0, invocations: 0 }
  }

  async #process(batch: Batch) {
    const { invoke, mapping, finish } = this.#options
    batch.invocations++
    try {
      const answer = await invoke(batch.records)
      const failed = mapping.partialFailures ? firstFailure(batch.records, answer) : batch.records.length
      if (failed > 0) finish(batch.records.slice(0, failed))
      if (failed < batch.records.length) await this.#retry(batch, failed, new Error("The function reported failed records"))
    } catch (error) {
      await this.#retry(batch, 0, error)
    }
  }

  /** Puts what is left of a batch in front of everything else, whole or in halves, or gives it up. */
  async #retry({ records, tries, invocations }: Batch, done: number, error: unknown) {
    const { mapping } = this.#options
    const rest = records.slice(done)
    if (done > 0) {
      this.#batches.unshift({ records: rest, tries: 0, invocations })
    } else if (mapping.bisectOnError && rest.length > 1) {
      const middle = Math.ceil(rest.length / 2)
      const halves = [rest.slice(0, middle), rest.slice(middle)]
      this.#batches.unshift(...halves.map((half) => ({ records: half, tries, invocations })))
    } else if (mapping.maximumRetries >= 0 && tries >= mapping.maximumRetries) {
      return this.#giveUp(rest, invocations, error)
    } else {
      this.#batches.unshift({ records: rest, tries: tries + 1, invocations })
    }
    await sleep(wait(tries), this.#stop.signal)
  }

  /** A record counts as done only once it is put away: until then this goes on, and a restart begins anew. */
  async #giveUp(records: StreamRecord[], invocations: number, error: unknown) {
    for (let tries = 0; !this.#stop.signal.aborted; tries++) {
      try {
        await this.#options.discard(records, invocations, error)
        this.#options.finish(records)
        return
      } catch (failure) {
        this.#options.log(`${records.length} records could not be put away: ${String(failure)}`)
        await sleep(wait(tries), this.#stop.signal)
      }
    }
  }
}
