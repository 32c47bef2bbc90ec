import { AccountEntity } from "./account.entity.ts"
import { QueuedEntity } from "./queue.entity.ts"
import { quotas } from "./quota.ts"
import * as Settlement from "./settlement.ts"
import { each } from "./sweep.ts"
import type { TaskRow } from "./task.entity.ts"
import * as Task from "./task.ts"

/** Tasks queue when their account runs as many as it may. Whenever one of those leaves its container, the oldest goes on. */

/** Has a task wait for its place. Answers it as it is then. */
export async function enter({ accountId, taskId }: TaskRow): Promise<TaskRow> {
  const done = await Settlement.happen(accountId, taskId, () => ({ signal: { kind: "crowded" } }))
  return done?.task ?? Task.row(accountId, taskId)
}

/** Whether an older task waits already: nobody overtakes it. */
export async function isBehind({ accountId, taskId }: TaskRow): Promise<boolean> {
  const { data } = await QueuedEntity.query.byId({ accountId }).lt({ taskId }).go({ limit: 1, consistent: true })
  return data.length > 0
}

/** Has as many tasks go on as there are places. Where others are faster, they come back to the front of the queue. */
export async function advance(accountId: string): Promise<void> {
  const { data: waiting } = await QueuedEntity.query.byId({ accountId }).go({ limit: atOnce, consistent: true })
  if (waiting.length === 0) return
  const { data: account } = await AccountEntity.get({ accountId }).go({ consistent: true })
  const places = Math.max(0, quotas().runningTasks - (account?.running ?? 0))
  const goOn = (taskId: string) => () => Settlement.happen(accountId, taskId, () => ({ signal: { kind: "place" } }))
  await each(waiting.slice(0, places).map(({ taskId }) => goOn(taskId)))
}

const atOnce = 25
