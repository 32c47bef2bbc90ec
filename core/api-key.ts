import { createHash, randomInt } from "node:crypto"
import { z } from "zod"
import { ApiKeyEntity } from "./api-key.entity.ts"
import { millis, now } from "./clock.ts"
import { derivedId } from "./id.ts"
import { invalid, Problem } from "./problem.ts"

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
const grammar = /^ac_live_[0-9A-Za-z]{16,128}$/

export const Create = z.strictObject({
  accountId: z.string(),
  apiKey: z
    .string()
    .optional()
    .describe("A key of one's own choice, `ac_live_` and 16 to 128 letters and digits. Made when left out."),
})

const hashOf = (key: string) => createHash("sha256").update(key).digest("hex")

/** 43 characters of base62: as much as 32 random bytes. */
const newKey = () => `ac_live_${Array.from({ length: 43 }, () => alphabet[randomInt(alphabet.length)]).join("")}`

/** Makes a key. The answer is the only place where it is ever shown; a key that exists already for the account is answered again. */
export async function create({ accountId, apiKey = newKey() }: z.output<typeof Create>) {
  if (!grammar.test(apiKey)) throw invalid("apiKey", "A key is ac_live_ and 16 to 128 letters and digits")
  const hash = hashOf(apiKey)
  const keyId = derivedId("key", hash)
  const existing = await ApiKeyEntity.get({ hash }).go({ consistent: true })
  if (existing.data && existing.data.accountId !== accountId) throw invalid("apiKey", "This key is in use")
  if (!existing.data) await ApiKeyEntity.create({ hash, accountId, keyId, createdAt: now().toISOString() }).go()
  return { keyId, apiKey }
}

/** How long a revoked key may still be taken by a function that has seen it. */
const cacheMs = 60_000
const seen = new Map<string, { accountId: string; until: number }>()

/** The account of a key. Raises `unauthorized`. */
export async function authenticate(key: string | undefined): Promise<string> {
  if (!key || !grammar.test(key)) throw new Problem("unauthorized")
  const hash = hashOf(key)
  const cached = seen.get(hash)
  if (cached && cached.until > millis()) return cached.accountId
  const { data } = await ApiKeyEntity.get({ hash }).go()
  if (!data || data.revokedAt) throw new Problem("unauthorized")
  if (seen.size > 10_000) seen.clear()
  seen.set(hash, { accountId: data.accountId, until: millis() + cacheMs })
  return data.accountId
}
