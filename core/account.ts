import { z } from "zod"
import { AccountEntity, type AccountRow, billingModes } from "./account.entity.ts"
import { now } from "./clock.ts"
import { newId } from "./id.ts"
import { limits } from "./limits.ts"
import { usd } from "./money.ts"
import { Problem } from "./problem.ts"

const Storage = z.object({
  usedBytes: z.number(),
  quotaBytes: z.number(),
  isEnforced: z.boolean().describe("Whether going over the quota is refused."),
})

export const View = z
  .object({
    id: z.string(),
    name: z.string().nullable(),
    email: z.string().nullable(),
    creditBalance: z.number().describe("US dollars left, with the reservations of running tasks already taken off."),
    billingMode: z.enum(billingModes).describe("`unlimited_grant` accounts are neither blocked nor charged."),
    fileStorage: Storage.describe("Files of the account, outputs included."),
    checkpointStorage: Storage.describe("Checkpoints of tasks that may go on."),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: "Account", description: "A customer of the stack: owns agents, tasks, files and credit." })

export const Create = z.strictObject({
  accountId: z.string().optional(),
  name: z.string().max(limits.name).nullable().default(null),
  email: z.string().max(limits.name).nullable().default(null),
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
  const { data } = await AccountEntity.get({ accountId }).go({ consistent: true })
  if (!data) throw new Problem("unauthorized")
  return view(data)
}

const view = (row: AccountRow): z.infer<typeof View> => ({
  id: row.accountId,
  name: row.name ?? null,
  email: row.email ?? null,
  creditBalance: usd(row.balanceMicros),
  billingMode: row.billingMode,
  fileStorage: { usedBytes: row.fileBytes, quotaBytes: limits.fileStorageBytes, isEnforced: true },
  checkpointStorage: { usedBytes: row.checkpointBytes, quotaBytes: limits.checkpointStorageBytes, isEnforced: true },
  createdAt: row.createdAt,
})
