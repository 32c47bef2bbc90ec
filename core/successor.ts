import { millis, now } from "./clock.ts"
import * as Execution from "./execution.ts"
import { limits } from "./limits.ts"
import { Problem } from "./problem.ts"
import type { TaskRow } from "./task.entity.ts"
import { transact } from "./transaction.ts"
import { update } from "./transition.ts"

/** Executions do not live as long as tasks may: before one becomes too old, another takes its task over. */

const dayMs = 86_400_000

export const isNeeded = ({ parks, generationAt }: TaskRow) =>
  parks >= limits.execution.parks || millis() - Date.parse(generationAt) >= limits.execution.days * dayMs

/** Makes the next generation of the task's executions the one that counts. It starts once this is committed. Raises `conflict`. */
export async function appoint(task: TaskRow): Promise<TaskRow> {
  const after = {
    ...task,
    version: task.version + 1,
    generation: task.generation + 1,
    generationAt: now().toISOString(),
    parks: 0,
  }
  const { accountId, taskId, generation } = after
  const refused = await transact({
    task: update(task, after),
    signal: Execution.signal(accountId, taskId, `generation-${generation}`, "Superseded"),
  })
  if (refused.length) throw new Problem("conflict")
  return after
}
