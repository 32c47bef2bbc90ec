import * as z from "zod"
import { AccountEntity, type AccountRow } from "./account.entity.ts"
import { LedgerEntity, PausedEntity } from "./billing.entity.ts"
import { now } from "./clock.ts"
import { prices } from "./limits.ts"
import { usd as inDollars, micros } from "./money.ts"
import { Problem } from "./problem.ts"
import { quotas } from "./quota.ts"
import type { TaskRow } from "./task.entity.ts"
import { transact } from "./transaction.ts"

export const Grant = z.strictObject({
  accountId: z.string(),
  usd: z.number().min(-1_000_000).max(1_000_000),
  grantId: z.string().min(1).max(100).describe("The same id again is the same grant."),
})

/**
 * Adds credit to an account, or takes some away. Where the id was used before with the same amount it is the same grant; with another one
 * somebody has mistaken an id for a new one, and is told. Raises `account_not_found`.
 */
export async function grant(asked: z.output<typeof Grant>) {
  const { accountId, usd, grantId } = asked
  const isNew = await grantOnce(asked)
  const [{ data: granted }, { data: account }] = await Promise.all([
    LedgerEntity.get({ accountId, entryId: creditId(grantId) }).go({ consistent: true }),
    AccountEntity.get({ accountId }).go({ consistent: true }),
  ])
  if (!granted || !account) throw new Problem("account_not_found")
  const { amountMicros, createdAt } = granted
  if (amountMicros !== micros(usd))
    throw new Error(
      `${grantId} was granted on ${createdAt} with ${dollars(amountMicros)}, not ${dollars(micros(usd))}: nothing was granted now.`,
    )
  return {
    done: isNew ? ("granted" as const) : ("already granted" as const),
    usd,
    grantedAt: createdAt,
    balanceUsd: inDollars(account.balanceMicros),
  }
}

/** Gives credit under an id that was not used before. Answers whether that is so. Raises `account_not_found`. */
export async function grantOnce({ accountId, usd, grantId }: z.output<typeof Grant>): Promise<boolean> {
  const amountMicros = micros(usd)
  const refused = await transact({
    account: AccountEntity.patch({ accountId }).add({ balanceMicros: amountMicros }),
    ledger: entry(accountId, creditId(grantId), "credit", amountMicros, now().toISOString()),
  })
  if (refused.includes("account")) throw new Problem("account_not_found")
  return refused.length === 0
}

const creditId = (grantId: string) => `credit#${grantId}`

const dollars = (amountMicros: number) => `${inDollars(amountMicros)} USD`

/** What a span of container time costs, in millionths of a dollar. */
export const costOf = (seconds: number) => Math.round((seconds * prices.microsPerMinute) / 60)

/** The writes that hold back the reservation of a task. `account` is refused where the credit does not cover it. */
export function reserve(account: AccountRow, taskId: string, at: string) {
  const { accountId } = account
  if (account.billingMode === "unlimited_grant") return { reservedMicros: 0, writes: {} }
  const amount: number = prices.reservationMicros
  return {
    reservedMicros: amount,
    writes: {
      account: AccountEntity.patch({ accountId })
        .add({ balanceMicros: -amount })
        .where(({ balanceMicros }, { gte }) => gte(balanceMicros, amount)),
      ledger: entry(accountId, `reservation#${taskId}`, "reservation", -amount, at, { taskId }),
    },
  }
}

/** Whether an account has nothing left for a task that holds so much back and has used so much that is not charged yet. */
export async function isExhausted({ accountId, reservedMicros }: TaskRow, pendingSeconds = 0) {
  if (reservedMicros === 0) return false
  const { data: account } = await AccountEntity.get({ accountId }).go({ consistent: true })
  return account !== null && account.balanceMicros + reservedMicros - costOf(pendingSeconds) <= 0
}

/** Tasks of an account that wait for its credit. */
export async function paused(accountId: string): Promise<string[]> {
  const { data } = await PausedEntity.query.byId({ accountId }).go({ pages: "all", consistent: true })
  return data.map(({ taskId }) => taskId)
}

interface Use {
  /** The task had a container, and has none any more. */
  leaves: boolean
  /** The turn of the run that the time is charged for, if it took any. */
  charge?: { runId: string; turn: number; seconds: number }
  /** The task has ended: what was held back is given back. */
  release: boolean
}

/**
 * The writes that charge a run's time, give back a reservation, and count a container less: one change of the account, a ledger entry
 * for each reason.
 */
export function settle(task: TaskRow, { leaves, ...use }: Use, at: string) {
  const { accountId, taskId } = task
  const { charge, release } = task.reservedMicros === 0 ? {} : use
  const cost = charge ? costOf(charge.seconds) : 0
  const back = release ? task.reservedMicros : 0
  const added = { ...(back === cost ? {} : { balanceMicros: back - cost }), ...(leaves ? { running: -1 } : {}) }
  return {
    account: Object.keys(added).length ? AccountEntity.patch({ accountId }).add(added) : undefined,
    ...(charge && {
      charge: entry(accountId, `charge#${charge.runId}#${charge.turn}`, "charge", -cost, at, { taskId, seconds: charge.seconds }),
    }),
    ...(release && { release: entry(accountId, `release#${taskId}`, "release", back, at, { taskId }) }),
  }
}

/** The write that counts one container more of an account. It is refused where that has as many as it may. */
export const occupy = (accountId: string) =>
  AccountEntity.patch({ accountId })
    .add({ running: 1 })
    .where(({ running }, { lt, notExists }) => `${notExists(running)} OR ${lt(running, quotas().runningTasks)}`)

const entry = (
  accountId: string,
  entryId: string,
  kind: "credit" | "reservation" | "release" | "charge",
  amountMicros: number,
  createdAt: string,
  about: { taskId?: string; seconds?: number } = {},
) => LedgerEntity.create({ accountId, entryId, kind, amountMicros, createdAt, ...about })
