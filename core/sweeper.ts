import * as z from "zod"
import * as Attempt from "./attempt.ts"
import * as Checkpoint from "./checkpoint.ts"
import { millis } from "./clock.ts"
import * as Event from "./event.ts"
import * as Execution from "./execution.ts"
import * as File from "./file.ts"
import { isTerminal } from "./lifecycle.ts"
import { limits } from "./limits.ts"
import * as Sweep from "./sweep.ts"
import { TaskEntity, type TaskRow } from "./task.entity.ts"
import * as Task from "./task.ts"
import * as TaskRemoval from "./task-removal.ts"
import { unlessRefused } from "./transaction.ts"
import * as Upload from "./upload.ts"

/** Finds and mends what got stuck, and clears away what nobody wants any more. */

/** Looks at everything that is due, and answers how many of each kind that was. Rejects at the end where something could not be mended. */
export async function sweep() {
  const looked = { tasks: 0, uploads: 0, files: 0 }
  const kinds = [
    async () => {
      looked.tasks = await sweepTasks()
    },
    async () => {
      looked.uploads = await Upload.sweep()
    },
    async () => {
      looked.files = await File.sweep()
    },
    Checkpoint.sweep,
    TaskRemoval.resume,
  ]
  await Sweep.each(kinds)
  return looked
}

/** A task may be stuck: its execution never started, or ended without ending the task. */
async function sweepTasks() {
  const tasks = await Sweep.overdue((sweepShard, now) =>
    TaskEntity.query
      .dueForSweep({ sweepShard })
      .lt({ sweepAt: now })
      .go({ pages: "all", attributes: ["accountId", "taskId"] }),
  )
  const mendOne = (accountId: string, taskId: string) => async () => mend(await Task.row(accountId, taskId))
  await Sweep.each(
    tasks.map(
      ({ accountId, taskId }) =>
        () =>
          Task.unlessDeleted(mendOne(accountId, taskId)),
    ),
  )
  return tasks.length
}

const Input = z.object({ accountId: z.string(), taskId: z.string(), generation: z.int() })

/**
 * An execution ended badly: so must its task, if it has not ended. The execution is read again, since an event of an encrypted state
 * machine says neither what it was started with nor why it ended.
 */
export async function ended(executionArn: string): Promise<void> {
  const execution = await Execution.describe(executionArn)
  if (!execution) return
  const { accountId, taskId, generation } = Input.parse(JSON.parse(execution.input ?? "{}"))
  const task = await Task.unlessDeleted(() => Task.row(accountId, taskId))
  if (!task || task.generation > generation) return
  const why = `Its execution ended as ${execution.status}.`
  await Attempt.settle(accountId, taskId, execution.error ?? String(execution.status), execution.cause || why)
}

interface Mended {
  done: "nothing" | "started" | "settled"
  /** How the execution stood. */
  execution?: string | undefined
}

/** Puts a task right that nobody runs any more, and answers what was done: nothing where it has ended or is being run. */
export async function mend(task: TaskRow): Promise<Mended> {
  if (isTerminal(task.status)) return leave(task)
  const { accountId, taskId, generation } = task
  const status = await Execution.status(taskId, generation)
  if (status === undefined) await startLate(task)
  else if (status !== "RUNNING") await Attempt.settle(accountId, taskId, status, `Its execution ended as ${status}.`)
  await later(task)
  return { done: status === undefined ? "started" : status === "RUNNING" ? "nothing" : "settled", execution: status }
}

/** A task that ended before it ran may be one of whose beginning nobody has heard. There is nothing else to be done about it. */
async function leave(task: TaskRow): Promise<{ done: "nothing" }> {
  const { accountId, taskId, generation, version, sweepAt } = task
  if (sweepAt !== undefined) {
    if ((await Execution.status(taskId, generation)) === undefined) await Event.recall(accountId, taskId)
    await unlessRefused(
      TaskEntity.patch({ accountId, taskId })
        .remove(["sweepShard", "sweepAt"])
        .where((row, { eq }) => eq(row.version, version)),
    )
  }
  return { done: "nothing" }
}

async function startLate(task: TaskRow) {
  if (task.generation === 1) await Event.recall(task.accountId, task.taskId)
  await Execution.start(await inputOf(task))
}

/** Looks again after a while, unless the task has moved on by itself. */
const later = ({ accountId, taskId, version }: TaskRow) =>
  unlessRefused(
    TaskEntity.patch({ accountId, taskId })
      .set(Sweep.due(taskId, millis() + Sweep.graceMs))
      .where((row, { eq }) => eq(row.version, version)),
  )

/** What a task's execution is started with. */
export async function inputOf({
  accountId,
  taskId,
  generation,
}: Pick<TaskRow, "accountId" | "taskId" | "generation">): Promise<Execution.Input> {
  const { settings } = await Task.spec(accountId, taskId)
  // Step Functions takes whole seconds only; a task may be given parts of one.
  const timeoutSeconds = Math.ceil(settings.maxRuntimeSeconds) + limits.warmRunSeconds
  return { accountId, taskId, generation, timeoutSeconds }
}
