import { now } from "./clock.ts"
import * as Execution from "./execution.ts"
import * as Fargate from "./fargate.ts"
import { newId } from "./id.ts"
import { isTerminal } from "./lifecycle.ts"
import { limits } from "./limits.ts"
import * as Place from "./place.ts"
import { Problem } from "./problem.ts"
import { errorCharacters } from "./protocol.ts"
import { RunEntity, type RunRow } from "./run.entity.ts"
import * as Run from "./run.ts"
import * as Settlement from "./settlement.ts"
import { WaitEntity } from "./signal.entity.ts"
import { type SpecRow, TaskEntity, type TaskRow } from "./task.entity.ts"
import * as Task from "./task.ts"
import * as Text from "./text.ts"
import { transact } from "./transaction.ts"

/** Attempts at running a task: started by its execution, lost with their container, followed by the next. */

interface Start {
  accountId: string
  taskId: string
  /** The execution's token for this waiting. */
  token: string
  /** When the execution entered the state: a retry of the same start says the same, a new attempt something else. */
  entry: string
}

/** Too many containers were lost in a row. The name is the error that the execution sees. */
class AttemptsExhausted extends Error {
  override readonly name = "AttemptsExhausted"
}

/**
 * Starts the container of the next attempt. One start is one container: the first call of an entry fixes the run in one conditional
 * write, a repeated one reuses it and only replaces the token. Throws `Fargate.Capacity`, to be called again later.
 */
export async function start({ accountId, taskId, token, entry }: Start): Promise<void> {
  const [task, spec] = await Promise.all([Task.row(accountId, taskId), Task.spec(accountId, taskId)])
  if (isTerminal(task.status)) return Execution.answer(token, "success")
  const run = (await resume(task, token, entry)) ?? (await begin(task, spec, token, entry))
  if (run.status !== "starting") return

  const ref = { accountId, taskId, runId: run.runId }
  const place = Place.placeOf(spec.settings)
  const containerArn = await Fargate.start({
    definition: run.taskDefinition,
    place,
    token: run.runId,
    startedBy: `${accountId}/${taskId}/${run.runId}`,
    environment: {
      DORMOUSE_API_URL: Place.apiUrlOf(place),
      DORMOUSE_RUN_ID: run.runId,
      DORMOUSE_CLAIM_TOKEN: await Run.claimToken(ref),
    },
  })
  await RunEntity.patch(ref).set({ containerArn }).go()
}

/** The run that this very entry has begun before, with the new token in place of the old. Closes any other run that is still open. */
async function resume(task: TaskRow, token: string, entry: string): Promise<RunRow | undefined> {
  if (task.runId === undefined) return undefined
  const ref = { accountId: task.accountId, taskId: task.taskId, runId: task.runId }
  const run = await Run.row(ref)
  if (run.entry !== entry) {
    await Settlement.lose(ref, "It stopped reporting.")
    await stop(run, "Superseded by the next attempt")
    return undefined
  }
  await WaitEntity.put({ accountId: ref.accountId, taskId: ref.taskId, waitId: run.runId, token }).go()
  return run
}

async function begin({ accountId, taskId }: TaskRow, spec: SpecRow, token: string, entry: string): Promise<RunRow> {
  const task = await Task.row(accountId, taskId)
  if (task.attempt >= limits.attempts) throw new AttemptsExhausted(await whyLost(task))
  const place = Place.placeOf(spec.settings)
  const taskDefinition = await Fargate.definitionOf(spec.containerImage, place)

  const runId = newId("run")
  const run = {
    accountId,
    taskId,
    runId,
    attempt: task.attempt + 1,
    status: "starting" as const,
    entry,
    region: place.region,
    cluster: place.cluster,
    taskDefinition,
    createdAt: now().toISOString(),
    ...unused,
  }
  const refused = await transact({
    task: TaskEntity.patch({ accountId, taskId })
      .set({ runId, attempt: run.attempt, version: task.version + 1 })
      .where(({ version }, { eq }) => eq(version, task.version)),
    run: RunEntity.create(run),
    wait: WaitEntity.put({ accountId, taskId, waitId: runId, token }),
  })
  if (refused.length) throw new Problem("conflict")
  return run
}

const unused = {
  beats: 0,
  requests: 0,
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  modelCostMicros: 0,
}

async function whyLost(task: TaskRow) {
  const run = await Run.row({ accountId: task.accountId, taskId: task.taskId, runId: task.runId! })
  return `The container was lost ${task.attempt} times in a row, at last because: ${run.reason ?? "it stopped reporting."}`
}

/** What ECS says of a container that stopped. */
interface Stopped {
  /** As `start` gave it: account, task and run. */
  startedBy: string
  reason: string
  exitCode: number | undefined
}

/**
 * Takes note of a stopped container: nothing where its run has ended already, otherwise the attempt is lost, or the task fails where
 * no attempt could do better.
 */
export async function stopped({ startedBy, reason, exitCode }: Stopped): Promise<void> {
  const [accountId, taskId, runId] = startedBy.split("/")
  if (!accountId || !taskId || !runId) return
  const ref = { accountId, taskId, runId }
  const said = `${reason}${exitCode === undefined ? "" : ` (exit code ${exitCode})`}`
  // Whatever else runs in the cluster may be started by words like these.
  const { data: run } = await RunEntity.get(ref).go({ consistent: true })
  if (run?.status !== "starting" && run?.status !== "claimed") return
  if (/CannotPullContainer|pull image/i.test(reason)) {
    const error = Text.cut(`The container image could not be pulled: ${reason}`, errorCharacters)
    await Settlement.fail(accountId, taskId, error)
    return
  }
  await Settlement.lose(ref, said)
}

/** Ends a task whose execution gave up on it, and stops what may still run. `cause` as the state machine has it. */
export async function settle(accountId: string, taskId: string, error: string, cause: string): Promise<void> {
  const task = await Settlement.fail(accountId, taskId, Text.cut(sentence(error, cause), errorCharacters))
  if (task.runId !== undefined) await stop(await Run.row({ accountId, taskId, runId: task.runId }), "The task has ended")
}

async function stop(run: RunRow, reason: string) {
  if (!run.containerArn) return
  await Fargate.stop(run, run.containerArn, reason)
}

/** What a person reads as the task's error. A Lambda's cause is JSON with the message inside. */
const sentence = (error: string, cause: string) => {
  const message = messageOf(cause)
  if (error === "AttemptsExhausted" || error === "Refused") return message
  if (error === "Capacity") return `No container could be started within a day: ${message}`
  if (error === "States.Timeout") return "The container did not end within its time limit."
  return `The task could not be run: ${message || error}`
}

const messageOf = (cause: string) => {
  try {
    const parsed: unknown = JSON.parse(cause)
    return typeof parsed === "object" && parsed !== null && "errorMessage" in parsed ? String(parsed.errorMessage) : cause
  } catch {
    return cause
  }
}
