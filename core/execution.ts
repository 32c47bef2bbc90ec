import {
  DescribeExecutionCommand,
  ExecutionAlreadyExists,
  ExecutionDoesNotExist,
  InvalidToken,
  SendTaskFailureCommand,
  SendTaskHeartbeatCommand,
  SendTaskSuccessCommand,
  SFNClient,
  StartExecutionCommand,
  TaskDoesNotExist,
  TaskTimedOut,
} from "@aws-sdk/client-sfn"
import { setting } from "./aws.ts"
import { millis } from "./clock.ts"
import { newId } from "./id.ts"
import { limits } from "./limits.ts"
import { type closings, SignalEntity, type SignalRow, WaitEntity } from "./signal.entity.ts"
import * as Sweep from "./sweep.ts"
import { TaskEntity, type TaskRow } from "./task.entity.ts"

/** A task's execution in Step Functions: started, waiting, told that a waiting is over. */

export interface Input {
  accountId: string
  taskId: string
  generation: number
  /** Bounds the whole run, as a backstop; the daemon enforces the task's own limits. */
  timeoutSeconds: number
}

const sfn = new SFNClient({})

const nameOf = (taskId: string, generation: number) => `${taskId}-${generation}`

/** Starts the execution of a task. Its name makes a second start the first one. */
export async function start({ accountId, taskId, generation, timeoutSeconds }: Input) {
  try {
    await sfn.send(
      new StartExecutionCommand({
        stateMachineArn: setting("STATE_MACHINE_ARN"),
        name: nameOf(taskId, generation),
        input: JSON.stringify({ accountId, taskId, generation, timeoutSeconds }),
      }),
    )
  } catch (error) {
    if (!(error instanceof ExecutionAlreadyExists)) throw error
  }
}

/** How the execution of a task stands; undefined when it was never started. */
export async function status(taskId: string, generation: number) {
  return (await read(taskId, generation))?.status
}

/** The execution of a task; undefined when it was never started, or ended so long ago that AWS has forgotten it. */
export const read = (taskId: string, generation: number) => describe(arnOf(taskId, generation))

/** An execution by its ARN, with what it was started with and how it ended; undefined when there is none. */
export async function describe(executionArn: string) {
  try {
    return await sfn.send(new DescribeExecutionCommand({ executionArn }))
  } catch (error) {
    if (error instanceof ExecutionDoesNotExist) return undefined
    throw error
  }
}

const arnOf = (taskId: string, generation: number) =>
  `${setting("STATE_MACHINE_ARN").replace(":stateMachine:", ":execution:")}:${nameOf(taskId, generation)}`

/** How long a signal is kept, for whoever looks into what happened. */
const signalDays = 30

/** The write of a signal, to go into the transaction of the change that ends the waiting. */
export const signal = (accountId: string, taskId: string, waitId: string, as: (typeof closings)[number]) => {
  const signalId = newId("signal")
  const expiresAt = Math.floor(millis() / 1000) + signalDays * 86_400
  return SignalEntity.create({
    accountId,
    taskId,
    signalId,
    waitId,
    as,
    expiresAt,
    ...Sweep.due(signalId, millis() + Sweep.publishedMs),
  })
}

/** A waiting of an execution, as the state that waits has it. */
export interface Waiting {
  token: string
  /** When the execution entered the state: a retry of the same waiting says the same, a new one something later. */
  entry: string
  /** Which try it is there. */
  tries: number
}

/** The write that keeps a waiting's token. It is refused where a newer one is known: then this call came too late. */
export const keep = (accountId: string, taskId: string, waitId: string, { token, entry, tries }: Waiting) =>
  WaitEntity.put({ accountId, taskId, waitId, token, entry, tries }).where(
    (row, { notExists, lt, eq, lte }) =>
      `${notExists(row.entry)} OR ${lt(row.entry, entry)} OR (${eq(row.entry, entry)} AND ${lte(row.tries, tries)})`,
  )

/** Ends the waiting that a signal names. A waiting that is over already counts as done. */
export async function close({ accountId, taskId, waitId, as }: SignalRow) {
  const token = await tokenOf(accountId, taskId, waitId)
  if (!token) return
  const { data: task } = await TaskEntity.get({ accountId, taskId }).go({ consistent: true })
  await answer(token, as, parkSeconds(task))
}

/** How long a task that waits or sleeps may do so from now on: what the state machine is told as the cause. */
export function parkSeconds(task?: TaskRow | null) {
  if (task?.isQueued) return limits.queuedSeconds
  const until = task?.hibernateUntilAt ?? task?.awaitUntilAt
  if (until === undefined) return limits.pausedSeconds
  return Math.max(1, Math.ceil((Date.parse(until) - millis()) / 1000))
}

/** Answers the waiting of a state that has nothing to wait for, the way its task stands. */
export const passOn = (token: string, task: TaskRow | undefined, as: (typeof closings)[number]) =>
  answer(token, as, parkSeconds(task))

/** Answers a token: the waiting succeeded, or ended with an error by that name. */
async function answer(token: string, as: (typeof closings)[number], parkSeconds: number) {
  const command =
    as === "success"
      ? new SendTaskSuccessCommand({ taskToken: token, output: "{}" })
      : new SendTaskFailureCommand({ taskToken: token, error: as, cause: String(parkSeconds) })
  await ignoringClosed(() => sfn.send(command as SendTaskSuccessCommand))
}

/** Tells the execution that a waiting is still alive. */
export async function beat(accountId: string, taskId: string, waitId: string) {
  const token = await tokenOf(accountId, taskId, waitId)
  if (token) await ignoringClosed(() => sfn.send(new SendTaskHeartbeatCommand({ taskToken: token })))
}

async function tokenOf(accountId: string, taskId: string, waitId: string) {
  const { data } = await WaitEntity.get({ accountId, taskId, waitId }).go({ consistent: true })
  return data?.token
}

async function ignoringClosed(send: () => Promise<unknown>) {
  try {
    await send()
  } catch (error) {
    if (!(error instanceof TaskTimedOut || error instanceof TaskDoesNotExist || error instanceof InvalidToken)) throw error
  }
}
