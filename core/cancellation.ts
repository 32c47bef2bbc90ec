import * as Settlement from "./settlement.ts"
import * as Task from "./task.ts"

/** What is kept as the reason of a run that has ended with it. */
export const why = "The task was cancelled."

/**
 * Cancels a task, at any moment of its life. Where a container is at work, it is told to stop and has the time until it would be killed
 * to save what it has; the task is running until then. Asking again changes nothing. Raises `task_not_found`.
 */
export async function request(accountId: string, taskId: string): Promise<Task.View> {
  await Settlement.happen(accountId, taskId, () => ({ signal: { kind: "cancel" }, reason: why }))
  return Task.get(accountId, taskId)
}
