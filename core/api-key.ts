import { createHash } from "node:crypto"
import * as z from "zod"
import { AccountEntity } from "./account.entity.ts"
import { ApiKeyEntity, ApiKeyHashEntity, type ApiKeyRow } from "./api-key.entity.ts"
import { millis, now } from "./clock.ts"
import { newId } from "./id.ts"
import { limits } from "./limits.ts"
import * as Page from "./page.ts"
import { invalid, Problem } from "./problem.ts"
import { randomBytes } from "./request.ts"
import { transact } from "./transaction.ts"

const prefix = "ac_live_"
const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
const grammar = /^ac_live_[0-9A-Za-z]{16,128}$/

export const View = z
  .object({
    id: z.string(),
    name: z.string(),
    prefix: z.string().describe("How every key begins."),
    lastFour: z.string().describe("How this one ends, to tell it from others."),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: "ApiKey", description: "A key to the account. The key itself is shown once, when it is made." })

type View = z.infer<typeof View>

export const Listed = Page.of(View).meta({ id: "ApiKeyPage" })

export const Made = z
  .object({ apiKey: View, key: z.string().describe("The key itself. Keep it: it is not shown again.") })
  .meta({ id: "NewApiKey" })

const name = z.string().trim().min(1).max(limits.name)

export const Make = z.strictObject({ name }).meta({ id: "CreateApiKey", example: { name: "Build server" } })

/** What an operator says of a new key. */
export const Create = z.strictObject({
  accountId: z.string(),
  name: name.default("Made by the operator"),
  apiKey: z
    .string()
    .optional()
    .describe("A key of one's own choice, `ac_live_` and 16 to 128 letters and digits. Made when left out."),
})

const hashOf = (key: string) => createHash("sha256").update(key).digest("hex")

/** 32 random bytes in base62. */
const newKey = () => {
  const letters: string[] = []
  for (let rest = BigInt(`0x${randomBytes(32, "api key").toString("hex")}`); letters.length < 43; rest /= 62n)
    letters.push(alphabet[Number(rest % 62n)]!)
  return prefix + letters.join("")
}

/**
 * Makes a key. The answer is the only place where it is ever shown; a key that exists already for the account is answered again.
 * Raises `account_not_found`.
 */
export async function create({ accountId, name, apiKey = newKey() }: z.output<typeof Create>) {
  if (!grammar.test(apiKey)) throw invalid("apiKey", "A key is ac_live_ and 16 to 128 letters and digits")
  const { data: account } = await AccountEntity.get({ accountId }).go({ consistent: true })
  if (!account) throw new Problem("account_not_found")
  const { keyId } = (await keyOf(hashOf(apiKey), accountId)) ?? (await insert(accountId, name, apiKey))
  return { keyId, apiKey }
}

/** Makes a key for the holder of another one. */
export async function make(accountId: string, { name }: z.output<typeof Make>): Promise<z.infer<typeof Made>> {
  const key = newKey()
  return { apiKey: view(await insert(accountId, name, key)), key }
}

/** Newest first. */
export async function list(accountId: string, request: Page.Request) {
  const idOf = ({ keyId }: ApiKeyRow) => keyId
  const fetch = async (after: string | undefined, limit: number) => {
    const keys = ApiKeyEntity.query.byId({ accountId })
    const { data } = await (after ? keys.lt({ keyId: after }) : keys.begins({ keyId: "" })).go({ limit, order: "desc" })
    return data
  }
  const page = await Page.paginate(accountId, "api-keys", request, fetch, idOf)
  return { data: page.data.map(view), pageInfo: page.pageInfo }
}

/** Raises `api_key_not_found`. */
export const get = async (accountId: string, keyId: string) => view(await rowOf(accountId, keyId))

/** Takes a key away: within a minute nothing accepts it any more. Raises `api_key_not_found`. */
export async function remove(accountId: string, keyId: string): Promise<void> {
  const { hash } = await rowOf(accountId, keyId)
  await transact({ hash: ApiKeyHashEntity.delete({ hash }), key: ApiKeyEntity.delete({ accountId, keyId }) })
}

async function rowOf(accountId: string, keyId: string): Promise<ApiKeyRow> {
  const { data: row } = await ApiKeyEntity.get({ accountId, keyId }).go({ consistent: true })
  if (!row) throw new Problem("api_key_not_found")
  return row
}

async function insert(accountId: string, name: string, apiKey: string): Promise<ApiKeyRow> {
  const hash = hashOf(apiKey)
  const row = { accountId, keyId: newId("key"), name, hash, lastFour: apiKey.slice(-4), createdAt: now().toISOString() }
  const refused = await transact({
    hash: ApiKeyHashEntity.create({ hash, accountId, keyId: row.keyId }),
    key: ApiKeyEntity.create(row),
  })
  if (!refused.length) return row
  // Somebody made the same key at the same moment.
  return { ...row, ...(await keyOf(hash, accountId)) }
}

/** The key of a hash, if it has been made. Raises `invalid_request` where it is another account's. */
async function keyOf(hash: string, accountId: string) {
  const { data } = await ApiKeyHashEntity.get({ hash }).go({ consistent: true })
  if (data && data.accountId !== accountId) throw invalid("apiKey", "This key is in use")
  return data
}

/** How long a key that was taken away may still be accepted by a function that has seen it. */
const cacheMs = 50_000
const seen = new Map<string, { accountId: string; keyId: string; until: number }>()

/** The account of a key, and which of its keys it is. Raises `unauthorized`. */
export async function authenticate(key: string | undefined): Promise<{ accountId: string; keyId: string }> {
  if (!key || !grammar.test(key)) throw new Problem("unauthorized")
  const hash = hashOf(key)
  const cached = seen.get(hash)
  if (cached && cached.until > millis()) return { accountId: cached.accountId, keyId: cached.keyId }
  const { data } = await ApiKeyHashEntity.get({ hash }).go()
  if (!data) throw new Problem("unauthorized")
  if (seen.size > 10_000) seen.clear()
  const { accountId, keyId } = data
  seen.set(hash, { accountId, keyId, until: millis() + cacheMs })
  return { accountId, keyId }
}

const view = (row: ApiKeyRow): View => ({
  id: row.keyId,
  name: row.name,
  prefix,
  lastFour: row.lastFour,
  createdAt: row.createdAt,
})
