import * as Credit from "./credit.ts"
import * as Execution from "./execution.ts"
import { closingFor, isParked } from "./lifecycle.ts"
import * as Queue from "./queue.ts"
import type { TaskRow } from "./task.entity.ts"
import * as Task from "./task.ts"
import { transact } from "./transaction.ts"

/** Tasks that wait for a message or sleep: no container, no cost, one waiting of their execution. */

interface Start extends Execution.Waiting {
  accountId: string
  taskId: string
  /** For how long the execution is going to wait. */
  parkSeconds: number
}

/** By how much it may wait longer than the task does. */
const toleranceSeconds = 10

/** Keeps the token that ends the waiting. What ended it before the token was there is looked for, so that nothing falls in between. */
export async function start({ accountId, taskId, parkSeconds, ...waiting }: Start): Promise<void> {
  const task = await Task.unlessDeleted(() => Task.row(accountId, taskId))
  if (!task) return Execution.passOn(waiting.token, undefined, "success")
  if (!isParked(task) || task.waitId === undefined) return goOn(task, waiting.token)
  // On its way here the execution was overtaken: by a change of the task, or by the time that a retry took. It has to be told anew.
  if (parkSeconds > Execution.parkSeconds(task) + toleranceSeconds) return goOn(task, waiting.token)
  const refused = await transact({ wait: Execution.keep(accountId, taskId, task.waitId, waiting) })
  if (refused.length) return
  const after = await Task.row(accountId, taskId)
  if (after.waitId !== task.waitId) return goOn(after, waiting.token)
  // Credit that came while the task was about to pause found nothing to wake.
  if (after.isPaused) await Credit.wake(accountId, taskId)
  // And so did a container that ended while the task was about to queue.
  if (after.isQueued) await Queue.advance(accountId)
}

/** Back to the state that runs it, or to the one that ends it. */
const goOn = (task: TaskRow, token: string) =>
  Execution.passOn(token, task, closingFor(task) === "Cancelled" ? "Cancelled" : "success")
