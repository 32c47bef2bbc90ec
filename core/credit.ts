import * as Billing from "./billing.ts"
import * as Settlement from "./settlement.ts"
import { each } from "./sweep.ts"
import type { TaskRow } from "./task.entity.ts"
import * as Task from "./task.ts"

/** Tasks pause when their account's credit is used up, and go on when it has some again. */

/** Has a task sleep that cannot be paid for. Answers it as it is then. */
export async function pause({ accountId, taskId }: TaskRow): Promise<TaskRow> {
  const done = await Settlement.happen(accountId, taskId, () => ({ signal: { kind: "unaffordable" }, about: why }))
  return done?.task ?? Task.row(accountId, taskId)
}

/** What the event of a pause says. */
export const why = { reason: "The account's credit is used up." }

/** Wakes a paused task if there is credit for it. */
export async function wake(accountId: string, taskId: string): Promise<void> {
  if (await Billing.isExhausted(await Task.row(accountId, taskId))) return
  await Settlement.happen(accountId, taskId, () => ({ signal: { kind: "wake", reason: "credit" } }))
}

/** Wakes the tasks that waited for the credit which the account has been given. */
export async function granted(accountId: string): Promise<void> {
  const paused = await Billing.paused(accountId)
  await each(paused.map((taskId) => () => wake(accountId, taskId)))
}
