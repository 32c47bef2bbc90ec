import { millis } from "./clock.ts"
import { isTerminal } from "./lifecycle.ts"
import { RunEntity } from "./run.entity.ts"
import * as Sweeper from "./sweeper.ts"
import type { TaskRow } from "./task.entity.ts"
import * as Task from "./task.ts"

/** Puts a task right as the sweeper would, and says to the operator in a sentence what was done, or why there is nothing to do. */
export async function redrive(before: TaskRow) {
  const { done, execution } = await Sweeper.mend(before)
  const task = await Task.row(before.accountId, before.taskId)
  const why = {
    started: async () => "Its execution had never been started: now it is.",
    settled: async () => `Its execution had ended as ${execution} without it: now the task has ended as ${task.status}.`,
    nothing: async () => `${await whyNothing(task)}: nothing to do.`,
  }
  return { done, why: await why[done]() }
}

/** What goes on without anybody's help. */
async function whyNothing(task: TaskRow): Promise<string> {
  if (isTerminal(task.status)) return `The task has ended as ${task.status}`
  if (task.container !== "none") return ofContainer(task)
  if (task.isQueued) return "The task waits until its account may run another one"
  if (task.isPaused) return "The task is paused until its account has credit again"
  if (task.hibernateUntilAt !== undefined) return `The task sleeps until ${task.hibernateUntilAt}`
  if (task.awaitUntilAt !== undefined) return `The task waits for a message until ${task.awaitUntilAt}`
  return "Its execution is about to start a container"
}

async function ofContainer({ accountId, taskId, runId = "" }: TaskRow): Promise<string> {
  const { data: run } = await RunEntity.get({ accountId, taskId, runId }).go({ consistent: true })
  if (run?.heartbeatAt === undefined) return "Its container is starting"
  const since = `${Math.max(0, Math.round((millis() - Date.parse(run.heartbeatAt)) / 1000))} s`
  if (Date.parse(run.leaseUntil ?? "") >= millis()) return `Its container renewed its lease ${since} ago`
  return `Its container has not renewed its lease for ${since}, which its execution finds by itself`
}
