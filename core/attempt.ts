import * as Billing from "./billing.ts"
import { millis, now } from "./clock.ts"
import * as Credit from "./credit.ts"
import * as Execution from "./execution.ts"
import * as Fargate from "./fargate.ts"
import { newId } from "./id.ts"
import { canStart, closingFor } from "./lifecycle.ts"
import { limits } from "./limits.ts"
import * as Place from "./place.ts"
import { Problem } from "./problem.ts"
import { errorCharacters } from "./protocol.ts"
import * as Queue from "./queue.ts"
import { RunEntity, type RunRow } from "./run.entity.ts"
import * as Run from "./run.ts"
import * as Settlement from "./settlement.ts"
import type { closings } from "./signal.entity.ts"
import * as Successor from "./successor.ts"
import type { SpecRow, TaskRow } from "./task.entity.ts"
import * as Task from "./task.ts"
import * as Text from "./text.ts"
import { transact } from "./transaction.ts"
import { transition } from "./transition.ts"
import { whyUnfit } from "./unfit-image.ts"

/** Attempts at running a task: started by its execution, lost with their container, followed by the next. */

interface Start extends Execution.Waiting {
  accountId: string
  taskId: string
  generation: number
}

/** Too many containers were lost in a row. The name is the error that the execution sees. */
class AttemptsExhausted extends Error {
  override readonly name = "AttemptsExhausted"
}

/**
 * Starts the container of the next attempt. One start is one container: the first call of an entry fixes the run in one conditional
 * write, a repeated one reuses it and only replaces the token. Where there is nothing to start, the execution goes on as the task
 * stands. Throws `Fargate.Capacity`, to be called again later.
 */
export async function start({ accountId, taskId, generation, ...waiting }: Start): Promise<void> {
  const task = await Task.unlessDeleted(() => Task.row(accountId, taskId))
  if (!task) return Execution.passOn(waiting.token, undefined, "success")
  const run = (await resume(task, waiting)) ?? (await startNext(task, generation, waiting))
  // A container may have claimed its run before the call that started it could say which one it is.
  if (run && isLive(run) && run.containerArn === undefined) await startContainer(run, await Task.spec(accountId, taskId))
}

const isLive = ({ status }: RunRow) => status === "starting" || status === "claimed"

/** The next run. Where this very call was made twice, the other one may have begun it meanwhile, or handed the task over. */
async function startNext(before: TaskRow, generation: number, waiting: Execution.Waiting): Promise<RunRow | undefined> {
  const task = await prepare(before, waiting.entry)
  if (task.generation > generation) return goOn(task, waiting.token, "Superseded")
  const known = task.runId === before.runId ? undefined : await resume(task, waiting)
  return known ?? begin(task, waiting)
}

/** The run that this very entry has begun before, with the new token in place of the old. */
async function resume(task: TaskRow, waiting: Execution.Waiting): Promise<RunRow | undefined> {
  const { accountId, taskId, runId } = task
  if (runId === undefined) return undefined
  const run = await Run.row({ accountId, taskId, runId })
  if (run.entry !== waiting.entry) return undefined
  await transact({ wait: Execution.keep(accountId, taskId, runId, waiting) })
  // Whatever ended the run until now found no token, or an old one.
  const after = await Task.row(accountId, taskId)
  if (after.waitId !== runId) await Execution.passOn(waiting.token, after, closingFor(after) ?? "Lost")
  return Run.row({ accountId, taskId, runId })
}

/** The task as another entry finds it: without a container that is still thought to run, and with what is due done. */
async function prepare({ accountId, taskId, runId }: TaskRow, entry: string): Promise<TaskRow> {
  if (runId !== undefined) {
    const run = await Run.row({ accountId, taskId, runId })
    if (run.entry < entry && isLive(run)) await Settlement.lose(accountId, taskId, runId, "It stopped reporting.")
    // Also where an earlier try has noted that it is lost, and came no further.
    if (run.entry < entry && (isLive(run) || run.status === "lost")) await stop(run, "Superseded by the next attempt")
  }
  await Settlement.happen(accountId, taskId, (task) => {
    if (task.isQueued) return { signal: { kind: "place" } }
    return isDue(task) ? { signal: { kind: "due" } } : undefined
  })
  return Task.row(accountId, taskId)
}

const isDue = ({ hibernateUntilAt, awaitUntilAt }: TaskRow) => {
  const until = hibernateUntilAt ?? awaitUntilAt
  return until !== undefined && Date.parse(until) <= millis()
}

/** Fixes the next run. Undefined where nothing is to be run, and the execution has been told how it goes on. */
async function begin(task: TaskRow, waiting: Execution.Waiting): Promise<RunRow | undefined> {
  const { accountId, taskId } = task
  if (!canStart(task)) return goOn(task, waiting.token)
  if (task.losses >= limits.attempts) throw new AttemptsExhausted(await whyLost(task))
  if (Successor.isNeeded(task)) return goOn(await Successor.appoint(task), waiting.token, "Superseded")
  if (await Billing.isExhausted(task)) return goOn(await Credit.pause(task), waiting.token)
  if (await Queue.isBehind(task)) return goOn(await Queue.enter(task), waiting.token)

  const run = await newRun(task, waiting.entry)
  const at = run.createdAt
  const set = { runId: run.runId, waitId: run.runId, attempt: run.attempt }
  const moved = transition(task, { kind: "started" }, at, { set })
  const refused = await transact({
    ...moved?.writes,
    account: Billing.occupy(accountId),
    run: RunEntity.create(run),
    wait: Execution.keep(accountId, taskId, run.runId, waiting),
  })
  if (refused.includes("account")) return goOn(await Queue.enter(task), waiting.token)
  if (refused.length) throw new Problem("conflict")
  return run
}

const goOn = async (task: TaskRow, token: string, as: (typeof closings)[number] = closingFor(task) ?? "Lost") => {
  await Execution.passOn(token, task, as)
  return undefined
}

async function newRun({ accountId, taskId, attempt }: TaskRow, entry: string) {
  const spec = await Task.spec(accountId, taskId)
  const place = Place.placeOf(spec.settings)
  return {
    accountId,
    taskId,
    runId: newId("run"),
    attempt: attempt + 1,
    status: "starting" as const,
    entry,
    region: place.region,
    cluster: place.cluster,
    taskDefinition: await Fargate.definitionOf(spec.containerImage, place),
    createdAt: now().toISOString(),
    beats: 0,
    requests: 0,
    ...unused,
    settled: unused,
  }
}

async function startContainer({ accountId, taskId, runId, taskDefinition }: RunRow, spec: SpecRow) {
  const ref = { accountId, taskId, runId }
  const place = Place.placeOf(spec.settings)
  const containerArn = await Fargate.start({
    definition: taskDefinition,
    place,
    token: runId,
    startedBy: startedBy(ref),
    environment: {
      DORMOUSE_API_URL: Place.apiUrlOf(place),
      DORMOUSE_RUN_ID: runId,
      DORMOUSE_CLAIM_TOKEN: await Run.claimToken(ref),
    },
  })
  const { data } = await RunEntity.patch(ref).set({ containerArn }).go({ response: "all_new" })
  // Whoever ended the run while its container was started did not know what to stop.
  if (!isLive(data as RunRow)) await stop(data as RunRow, "The run has ended")
}

const unused = {
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  modelCostMicros: 0,
}

async function whyLost(task: TaskRow) {
  const run = await Run.row({ accountId: task.accountId, taskId: task.taskId, runId: task.runId! })
  return `The container was lost ${task.losses} times in a row, at last because: ${run.reason ?? "it stopped reporting."}`
}

/** What ECS says of a container that stopped. */
interface Stopped {
  /** As `start` gave it: account, task and run. */
  startedBy: string
  reason: string
  exitCode: number | undefined
}

/** What a registry says of an image that it will not give, however often it is asked; anything else, such as too many pulls, may pass. */
const neverPulled =
  /not found|(manifest|name) unknown|does not exist|denied:|access denied|401 unauthorized|authorization failed|(for|matching) platform|invalid reference/i

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
  if (!run || !isLive(run)) return
  const isUnpulled = /CannotPull|pull image/i.test(reason)
  const unusable =
    isUnpulled && neverPulled.test(reason)
      ? `The container image could not be pulled: ${reason}`
      : run.status === "starting" && whyUnfit(exitCode)
  if (unusable) {
    await Settlement.giveUp(accountId, taskId, Text.cut(unusable, errorCharacters))
    return
  }
  await Settlement.lose(accountId, taskId, runId, said)
}

/**
 * Ends a task whose execution gave up on it, and stops what may still run. `cause` as the state machine has it. A container whose task
 * is being cancelled is told so by being stopped: it has the time until it is killed to save what it has, and to say so. Of one that was
 * deleted there is nothing to settle.
 */
export async function settle(accountId: string, taskId: string, error: string, cause: string): Promise<void> {
  const task = await Task.unlessDeleted(() =>
    error === "Cancelled"
      ? Task.row(accountId, taskId)
      : Settlement.giveUp(accountId, taskId, Text.cut(sentence(error, cause), errorCharacters)),
  )
  if (task?.runId !== undefined) await stop(await Run.row({ accountId, taskId, runId: task.runId }), "The task has ended")
}

async function stop(run: RunRow, reason: string) {
  // The call that started a container may not have lived to say which one it is.
  const arn = run.containerArn ?? (await Fargate.find(run, startedBy(run)))
  if (arn !== undefined) await Fargate.stop(run, arn, reason)
}

/** What ECS knows a run's container by. */
const startedBy = ({ accountId, taskId, runId }: Run.Ref) => `${accountId}/${taskId}/${runId}`

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
