import * as z from "zod"
import { limits } from "./limits.ts"
import type { Wake } from "./protocol.ts"
import * as Settlement from "./settlement.ts"
import type { TaskRow } from "./task.entity.ts"
import * as Task from "./task.ts"
import * as Text from "./text.ts"
import { WakeEntity } from "./wake.entity.ts"

export const Create = z
  .discriminatedUnion("kind", [
    z.strictObject({
      kind: z.literal("message"),
      message: z.string().trim().min(1).max(limits.text).describe("For the agent; shown nowhere."),
    }),
    z.strictObject({ kind: z.literal("external_wake") }),
  ])
  .meta({ id: "WakeTask", example: { kind: "message", message: "The release is approved." } })

/** Wakes a task that hibernates. Raises `task_not_found`, `not_hibernating`, `waiting_for_credit`. */
export async function create(accountId: string, taskId: string, body: z.output<typeof Create>): Promise<Task.View> {
  const message = body.kind === "message" ? await Text.storeFor(accountId, taskId, body.message) : undefined
  await Settlement.happen(accountId, taskId, ({ status, cycle }) => ({
    // One that has ended does not hibernate either.
    signal: { kind: "wake", reason: body.kind },
    ...(message !== undefined && status === "hibernating"
      ? { writes: { wake: WakeEntity.put({ accountId, taskId, cycle, message }) } }
      : {}),
  }))
  return Task.get(accountId, taskId)
}

/** Why the task woke last, for its agent; null where it did not sleep before this run. */
export async function last(task: TaskRow): Promise<z.infer<typeof Wake> | null> {
  const { accountId, taskId, cycle, wakeReason, lastSleepSeconds } = task
  if (wakeReason === undefined) return null
  const { data } = await WakeEntity.get({ accountId, taskId }).go({ consistent: true })
  const message = data?.cycle === cycle ? await Text.load(data.message) : null
  return { cycle, reason: wakeReason, message, slept_seconds: lastSleepSeconds ?? 0 }
}
