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
import { type closings, SignalEntity, type SignalRow, WaitEntity } from "./signal.entity.ts"

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
export const signal = (accountId: string, taskId: string, waitId: string, as: (typeof closings)[number]) =>
  SignalEntity.create({
    accountId,
    taskId,
    signalId: newId("signal"),
    waitId,
    as,
    expiresAt: Math.floor(millis() / 1000) + signalDays * 86_400,
  })

/** Ends the waiting that a signal names. A waiting that is over already counts as done. */
export async function close({ accountId, taskId, waitId, as }: SignalRow) {
  const token = await tokenOf(accountId, taskId, waitId)
  if (token) await answer(token, as)
}

/** Answers a token: the waiting succeeded, or ended with an error by that name. */
export async function answer(token: string, as: (typeof closings)[number], cause = "") {
  const command =
    as === "success"
      ? new SendTaskSuccessCommand({ taskToken: token, output: "{}" })
      : new SendTaskFailureCommand({ taskToken: token, error: as, cause })
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
