import { sleep } from "#core/clock.ts"
import { toLambda } from "../sqs/message.ts"
import type { Sqs } from "../sqs/service.ts"
import type { Message } from "../sqs/store.ts"
import type { EventSourceWiring } from "../wiring.ts"

interface Options {
  mapping: EventSourceWiring
  sqs: Sqs
  /** Hands messages to the function. Rejects when the function failed. */
  invoke: (records: object[]) => Promise<unknown>
  log: (line: string) => void
}

/** Where a mapping names no limit of its own. AWS would go further; this machine would not. */
const concurrency = 10

/**
 * Takes a queue's messages to a function, several batches at once. What the function has done is deleted; what it has not comes back
 * after the queue's visibility timeout, as does what was under way when the process ended.
 */
export class Poller {
  readonly #options: Options
  readonly #stop = new AbortController()
  readonly #underway = new Set<Promise<void>>()
  readonly #polling: Promise<void>

  constructor(options: Options) {
    this.#options = options
    this.#polling = this.#poll()
  }

  /** Ends after the invocations under way. */
  async close() {
    this.#stop.abort()
    await this.#polling
    await Promise.all(this.#underway)
  }

  async #poll() {
    const { mapping } = this.#options
    while (!this.#stop.signal.aborted) {
      if (this.#underway.size >= (mapping.maximumConcurrency ?? concurrency)) {
        await Promise.race(this.#underway)
        continue
      }
      const batch = await this.#take()
      if (batch.length === 0) return
      const work: Promise<void> = this.#process(batch).finally(() => this.#underway.delete(work))
      this.#underway.add(work)
    }
  }

  /** A batch: what is there, and with a window what comes until it has passed. */
  async #take(): Promise<Message[]> {
    const { mapping, sqs } = this.#options
    const { source, batchSize, windowSeconds } = mapping
    const first = await sqs.take(source, batchSize, this.#stop.signal)
    if (windowSeconds === 0 || first.length === 0 || first.length >= batchSize) return first
    const window = new AbortController()
    const over = sleep(windowSeconds * 1000, this.#stop.signal).then(() => window.abort())
    const batch = [...first]
    while (batch.length < batchSize && !window.signal.aborted) {
      batch.push(...(await sqs.take(source, batchSize - batch.length, window.signal)))
    }
    if (batch.length < batchSize) await over
    return batch
  }

  async #process(batch: Message[]) {
    const { mapping, sqs, invoke, log } = this.#options
    try {
      const answer = await invoke(batch.map((message) => toLambda(message, mapping.source)))
      const failed = mapping.partialFailures ? failuresOf(answer, batch) : new Set()
      for (const message of batch) if (!failed.has(message.messageId)) sqs.done(mapping.source, message)
    } catch (error) {
      log(`${mapping.function} failed with ${batch.length} messages of ${mapping.source}: ${String(error)}`)
    }
  }
}

/** Messages that the function reports as failed. One that it was not given makes the whole batch fail, as in Lambda. */
const failuresOf = (answer: unknown, batch: Message[]): Set<unknown> => {
  const failures = typeof answer === "object" && answer !== null && "batchItemFailures" in answer ? answer.batchItemFailures : []
  const failed = (Array.isArray(failures) ? failures : []).map((failure) => failure?.itemIdentifier)
  const known = new Set<unknown>(batch.map(({ messageId }) => messageId))
  return failed.every((id) => known.has(id)) ? new Set(failed) : known
}
