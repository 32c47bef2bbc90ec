import { createCipheriv, createDecipheriv, createHash, randomBytes, randomUUID } from "node:crypto"
import { gunzipSync, gzipSync } from "node:zlib"
import { inMoment, millis } from "./clock.ts"
import { IdempotencyEntity, type IdempotencyRow } from "./idempotency.entity.ts"
import { derive } from "./mac.ts"
import { Problem } from "./problem.ts"
import * as Request from "./request.ts"
import * as Text from "./text.ts"
import { unlessRefused } from "./transaction.ts"

/**
 * Requests that take effect once, however often they come. The row of a request is locked while it is carried out, counts the
 * request's transactions in those transactions themselves, and keeps its answer. A request whose answer was lost is carried out again
 * in the moment, and with the ids and secrets, of its first attempt; what was committed then is passed over. See
 * docs/decisions/0006-idempotency.md.
 */

interface Keyed {
  accountId: string
  key: string
  /** What is asked for, whole: the same text is the same request. */
  request: string
}

interface Answer {
  status: number
  headers: Record<string, string>
  body: string
}

/** How long nobody else takes up a request that is being carried out. Longer than any function that carries one out may run. */
const lockMs = 60_000

/** How long an answer is kept. */
const keptSeconds = 86_400

/**
 * Carries out a request, or answers what it was answered before. `work` may answer a refusal too: it is kept only where something
 * was done before it, since a refusal changes nothing and may be judged anew. An error of `work` is never kept. Raises
 * `idempotency_mismatch`, `idempotency_in_progress`.
 */
export async function once(keyed: Keyed, work: () => Promise<Answer>): Promise<{ answer: Answer; isReplayed: boolean }> {
  const row = await claim(keyed)
  if (row.answer !== undefined) return { answer: await opened(row, row.answer), isReplayed: true }
  return { answer: await carriedOut(row, work), isReplayed: false }
}

async function carriedOut(row: IdempotencyRow, work: () => Promise<Answer>): Promise<Answer> {
  const seed = await derive("idempotency seed", JSON.stringify([row.accountId, row.keyHash, row.startedAt]))
  const repeatable = { seed, committed: row.steps, mark: (step: number) => markOf(row, step) }
  const inItsMoment = async () => ({ answer: await work(), hasDoneSomething: Request.passed() > 0 })
  try {
    const { answer, hasDoneSomething } = await inMoment(row.startedAt, () => Request.run({ repeatable }, inItsMoment))
    await (answer.status < 400 || hasDoneSomething ? keep(row, answer) : letGo(row))
    return answer
  } catch (error) {
    await letGo(row)
    throw error
  }
}

const hashOf = (text: string) => createHash("sha256").update(text).digest("hex")

/** The row of a request that is now ours to carry out, or that has its answer. */
async function claim({ accountId, key, request }: Keyed): Promise<IdempotencyRow> {
  const fresh = begun(accountId, hashOf(key), hashOf(request))
  if (await unlessRefused(IdempotencyEntity.create(fresh))) return fresh
  const { data: row } = await IdempotencyEntity.get({ accountId, keyHash: fresh.keyHash }).go({ consistent: true })
  // It has expired between the two calls.
  if (!row) throw new Problem("idempotency_in_progress")
  const isLocked = row.lockedUntil > millis()
  const isOver = row.expiresAt * 1000 <= millis()
  const hasDoneNothing = row.steps === 0 && row.answer === undefined
  if (isOver || (hasDoneNothing && !isLocked)) return taken(row, fresh)
  if (row.fingerprint !== fresh.fingerprint) throw new Problem("idempotency_mismatch")
  if (row.answer !== undefined) return row
  if (isLocked) throw new Problem("idempotency_in_progress")
  return taken(row, { ...row, token: fresh.token, lockedUntil: fresh.lockedUntil, expiresAt: fresh.expiresAt })
}

const begun = (accountId: string, keyHash: string, fingerprint: string): IdempotencyRow => ({
  accountId,
  keyHash,
  fingerprint,
  token: randomUUID(),
  startedAt: millis(),
  lockedUntil: millis() + lockMs,
  steps: 0,
  expiresAt: expiry(),
})

const expiry = () => Math.ceil(millis() / 1000) + keptSeconds

/** Takes a row over from whoever had it. Of several that try, one does. */
async function taken(before: IdempotencyRow, after: IdempotencyRow): Promise<IdempotencyRow> {
  const isOurs = await unlessRefused(IdempotencyEntity.put(after).where(({ token }, { eq }) => eq(token, before.token)))
  if (!isOurs) throw new Problem("idempotency_in_progress")
  return after
}

/** A change of a row that is ours to make only as long as nobody has taken it over. */
const change = ({ accountId, keyHash, token }: IdempotencyRow, set: Partial<IdempotencyRow>) =>
  IdempotencyEntity.patch({ accountId, keyHash })
    .set(set)
    .where((row, { eq }) => eq(row.token, token))

const markOf = (row: IdempotencyRow, steps: number) => change(row, { steps })

async function keep(row: IdempotencyRow, answer: Answer) {
  const sealed = await Text.store(row.accountId, await seal(row, JSON.stringify(answer)), "answers")
  await change(row, { answer: sealed, expiresAt: expiry() }).go()
}

/** Ends the lock at once: nothing is being done any more, and whoever comes next may go on. */
async function letGo(row: IdempotencyRow) {
  // Where somebody else has taken it over, the lock is theirs.
  await unlessRefused(change(row, { lockedUntil: 0 }))
}

/** Every kept answer is encrypted, since some hold a secret: under a key of its own that is written down nowhere. */
const sealingKey = ({ accountId, keyHash }: IdempotencyRow) => derive("idempotency answer", JSON.stringify([accountId, keyHash]))

async function seal(row: IdempotencyRow, text: string) {
  const iv = randomBytes(12)
  const cipher = createCipheriv("aes-256-gcm", await sealingKey(row), iv)
  const ciphertext = Buffer.concat([cipher.update(gzipSync(text)), cipher.final()])
  return Buffer.concat([iv, cipher.getAuthTag(), ciphertext]).toString("base64")
}

async function opened(row: IdempotencyRow, stored: string): Promise<Answer> {
  const bytes = Buffer.from(await Text.load(stored), "base64")
  const decipher = createDecipheriv("aes-256-gcm", await sealingKey(row), bytes.subarray(0, 12))
  decipher.setAuthTag(bytes.subarray(12, 28))
  const plain = Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()])
  return JSON.parse(gunzipSync(plain).toString("utf8")) as Answer
}
