import * as z from "zod"
import { AccountEntity, type AccountRow, billingModes } from "./account.entity.ts"
import { providers } from "./agent.entity.ts"
import { now } from "./clock.ts"
import { type Provider, ProviderApiKey, providerOfLastResort } from "./defaults.ts"
import { newId } from "./id.ts"
import { limits } from "./limits.ts"
import { usd } from "./money.ts"
import { Problem } from "./problem.ts"
import { quotas } from "./quota.ts"
import { SecretEntity } from "./secret.entity.ts"
import * as Secret from "./secret.ts"
import { transact } from "./transaction.ts"

const Storage = z.object({
  usedBytes: z.number(),
  quotaBytes: z.number(),
  isEnforced: z.boolean().describe("Whether going over the quota is refused."),
})

const byProvider = <Schema extends z.ZodType>(schema: Schema) => ({ anthropic: schema, openrouter: schema, openai: schema })

export const View = z
  .object({
    id: z.string(),
    name: z.string().nullable(),
    email: z.string().nullable(),
    creditBalance: z.number().describe("US dollars left, with the reservations of running tasks already taken off."),
    billingMode: z.enum(billingModes).describe("`unlimited_grant` accounts are neither blocked nor charged."),
    fileStorage: Storage.extend({
      reservedBytes: z.number().describe("Held back for uploads that are not completed yet: not used, and not to be had."),
    }).describe("Uploaded files. Outputs of tasks are not counted."),
    checkpointStorage: Storage.describe("Checkpoints of tasks that may go on."),
    runningTasks: z
      .object({ count: z.int(), quota: z.int() })
      .describe("Tasks that have a container. What is dispatched beyond the quota waits until another one ends or sleeps."),
    defaultProvider: z.enum(providers).describe("Whose models run agents that name no provider."),
    hasProviderApiKey: z.object(byProvider(z.boolean())).describe("Of which providers the account has a key of its own."),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: "Account", description: "A customer of the stack: owns agents, tasks, files and credit." })

export const Update = z
  .strictObject({
    name: z.string().trim().min(1).max(limits.name).nullable(),
    email: z.email().max(limits.name).nullable(),
    defaultProvider: z.enum(providers).nullable().describe("null: the stack's choice."),
    providerApiKeys: z
      .strictObject(byProvider(ProviderApiKey.nullable()))
      .partial()
      .meta({ writeOnly: true })
      .describe("Used where neither the task nor the agent has one. Kept encrypted, never shown again; null takes one away."),
  })
  .partial()
  .meta({ id: "UpdateAccount", example: { defaultProvider: "anthropic", providerApiKeys: { anthropic: "sk-ant-example" } } })

export const Create = z.strictObject({
  accountId: z.string().optional(),
  name: z.string().max(limits.name).nullable().default(null),
  email: z.email().max(limits.name).nullable().default(null),
  billingMode: z.enum(billingModes).default("standard"),
})

/** Makes an account without credit. Giving the id makes it safe to send twice: the account that is there is answered unchanged. */
export async function create({ accountId = newId("account"), name, email, billingMode }: z.output<typeof Create>) {
  const row = {
    accountId,
    ...(name === null ? {} : { name }),
    ...(email === null ? {} : { email }),
    billingMode,
    balanceMicros: 0,
    createdAt: now().toISOString(),
  }
  try {
    await AccountEntity.create(row).go()
  } catch (error) {
    const { data } = await AccountEntity.get({ accountId }).go({ consistent: true })
    if (!data) throw error
  }
  return { accountId }
}

export async function get(accountId: string): Promise<z.infer<typeof View>> {
  const [{ data }, withKey] = await Promise.all([
    AccountEntity.get({ accountId }).go({ consistent: true }),
    providersWithKey(accountId),
  ])
  if (!data) throw new Problem("unauthorized")
  return view(data, withKey)
}

/** Changes settings; what is left out stays. Keys reach every task that asks for them from then on, running ones too. */
export async function update(accountId: string, { providerApiKeys = {}, ...settings }: z.output<typeof Update>) {
  const given = Object.entries(settings).filter(([, value]) => value !== undefined)
  const set = Object.fromEntries(given.filter(([, value]) => value !== null))
  const gone = given.filter(([, value]) => value === null).map(([name]) => name as keyof typeof settings)
  const keys = Object.entries(providerApiKeys).filter(([, key]) => key !== undefined)
  const refused = await transact({
    account: given.length ? AccountEntity.patch({ accountId }).set(set).remove(gone) : undefined,
    ...Object.fromEntries(
      await Promise.all(keys.map(async ([provider, key]) => [provider, await keyWrite(accountId, provider, key)])),
    ),
  })
  if (refused.length) throw new Problem("unauthorized")
  return get(accountId)
}

async function keyWrite(accountId: string, provider: string, key: string | null) {
  const secretId = Secret.idOfAccountKey(provider)
  if (key === null) return SecretEntity.delete({ accountId, secretId })
  return SecretEntity.put(await Secret.seal(accountId, "provider-key", key, secretId))
}

/** Whose models run the account's agents that name no provider. */
export async function defaultProvider(accountId: string): Promise<Provider> {
  const { data } = await AccountEntity.get({ accountId }).go({ consistent: true })
  return defaultProviderOf(data ?? {})
}

export const defaultProviderOf = ({ defaultProvider }: Pick<AccountRow, "defaultProvider">): Provider =>
  defaultProvider ?? providerOfLastResort

async function providersWithKey(accountId: string) {
  const keys = providers.map((provider) => ({ accountId, secretId: Secret.idOfAccountKey(provider) }))
  const { data } = await SecretEntity.get(keys).go({ consistent: true, attributes: ["secretId"] })
  return providers.filter((provider) => data.some(({ secretId }) => secretId === Secret.idOfAccountKey(provider)))
}

const view = (row: AccountRow, withKey: Provider[]): z.infer<typeof View> => ({
  id: row.accountId,
  name: row.name ?? null,
  email: row.email ?? null,
  creditBalance: usd(row.balanceMicros),
  billingMode: row.billingMode,
  fileStorage: {
    usedBytes: row.fileBytes - row.uploadBytes,
    reservedBytes: row.uploadBytes,
    quotaBytes: quotas().fileStorageBytes,
    isEnforced: true,
  },
  checkpointStorage: { usedBytes: row.checkpointBytes, quotaBytes: quotas().checkpointStorageBytes, isEnforced: true },
  // Rows that are older than the count have none.
  runningTasks: { count: row.running ?? 0, quota: quotas().runningTasks },
  defaultProvider: defaultProviderOf(row),
  hasProviderApiKey: {
    anthropic: withKey.includes("anthropic"),
    openrouter: withKey.includes("openrouter"),
    openai: withKey.includes("openai"),
  },
  createdAt: row.createdAt,
})
