import { AsyncLocalStorage } from "node:async_hooks"
import { createHmac, randomBytes as reallyRandomBytes } from "node:crypto"

/**
 * What the transactions and ids of a request have to know of it, without every function of the domain passing it on: a condition
 * that its caller has set, or that it may have been carried out before. Outside of a request there is nothing to know.
 */
interface Request {
  /** Rejects where nothing must be written any more. */
  precondition?: () => Promise<void>
  repeatable?: Repeatable
}

/** A request that is carried out once, however often it comes: what it made up, it makes up again. */
interface Repeatable {
  /** Nobody else knows it: ids and secrets are made from it. */
  seed: Buffer
  /** Transactions that were committed before this attempt. */
  committed: number
  /** The write that says, in the request's nth transaction, that it is done. */
  mark: (step: number) => { params(): object }
}

interface Running extends Request {
  /** How often something was made up, by what it is for. */
  made: Map<string, number>
  passed: number
}

const storage = new AsyncLocalStorage<Running>()

export const run = <Result>(request: Request, work: () => Promise<Result>) =>
  storage.run({ ...request, made: new Map(), passed: 0 }, work)

/** To be awaited before a transaction is sent. */
export const precondition = async () => storage.getStore()?.precondition?.()

/** Where a transaction stands in a request that may come again; undefined where it cannot. */
export function step() {
  const running = storage.getStore()
  if (!running?.repeatable) return undefined
  const { committed, mark } = running.repeatable
  const number = running.passed + 1
  const pass = () => {
    running.passed = number
  }
  return { isCommitted: number <= committed, mark: mark(number), pass }
}

/** Transactions of the running request that are committed. */
export const passed = () => storage.getStore()?.passed ?? 0

/** How many of these were made before in the request that may come again; undefined where it cannot. */
export function made(purpose: string) {
  const running = storage.getStore()
  if (!running?.repeatable) return undefined
  const index = running.made.get(purpose) ?? 0
  running.made.set(purpose, index + 1)
  return { index, seed: running.repeatable.seed }
}

/** Bytes that nobody can guess, for secrets and keys. A request that is carried out again has the same ones again. */
export function randomBytes(count: number, purpose: string): Buffer {
  const before = made(purpose)
  return before ? expand(before.seed, `${purpose} ${before.index}`, count) : reallyRandomBytes(count)
}

/** HMAC in counter mode: as many bytes as are wanted of one seed, different ones for each purpose. */
function expand(seed: Buffer, purpose: string, count: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(count / 32) }, (_, block) =>
    createHmac("sha256", seed)
      .update(JSON.stringify([purpose, block]))
      .digest(),
  )
  return Buffer.concat(blocks).subarray(0, count)
}
