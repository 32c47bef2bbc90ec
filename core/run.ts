import { createHash } from "node:crypto"
import type { z } from "zod"
import * as Attachment from "./attachment.ts"
import { setting } from "./aws.ts"
import * as Billing from "./billing.ts"
import * as Checkpoint from "./checkpoint.ts"
import { millis, now } from "./clock.ts"
import * as Credit from "./credit.ts"
import * as Execution from "./execution.ts"
import * as Follower from "./follower.ts"
import * as Hibernation from "./hibernation.ts"
import * as Input from "./input.ts"
import * as Lease from "./lease.ts"
import type { RunEnd } from "./lifecycle.ts"
import { limits } from "./limits.ts"
import * as Log from "./log.ts"
import { sign, verify } from "./mac.ts"
import * as Message from "./message.ts"
import { micros } from "./money.ts"
import * as Output from "./output.ts"
import { Problem } from "./problem.ts"
import {
  type AppendLogs,
  type Beat,
  type Bundle,
  type Claim,
  type ClaimNext,
  type Complete,
  type Fail,
  type PrepareOutput,
  type Release,
  type ReportUsage,
  renewalSeconds,
} from "./protocol.ts"
import { RunEntity, type RunRow, RunTokenEntity } from "./run.entity.ts"
import * as Settlement from "./settlement.ts"
import * as Sweep from "./sweep.ts"
import type { SpecRow, TaskRow } from "./task.entity.ts"
import * as Task from "./task.ts"
import * as Text from "./text.ts"
import { isRefused, transact } from "./transaction.ts"
import { transition } from "./transition.ts"
import * as Turn from "./turn.ts"
import * as Wake from "./wake.ts"

/** What a running container may do, and only for its own run. */

/** The address of a run. */
export interface Ref {
  accountId: string
  taskId: string
  runId: string
}

export const hashOf = (token: string) => createHash("sha256").update(token).digest("hex")

/** The token that a container is started with. It is the same for the same run, so that starting twice asks for the same thing. */
export const claimToken = ({ accountId, taskId, runId }: Ref) => sign("claim", JSON.stringify([accountId, taskId, runId]))

/** The run that a claim token is for. Raises `unauthorized`. */
export async function ofClaimToken(token: string | undefined): Promise<Ref> {
  const text = token === undefined ? undefined : await verify("claim", token)
  if (text === undefined) throw new Problem("unauthorized")
  const [accountId, taskId, runId] = JSON.parse(text) as [string, string, string]
  return { accountId, taskId, runId }
}

/** The run that a run token is for. Raises `unauthorized`. */
export async function ofToken(token: string | undefined): Promise<Ref> {
  if (!token) throw new Problem("unauthorized")
  const { data } = await RunTokenEntity.get({ hash: hashOf(token) }).go({ consistent: true })
  if (!data) throw new Problem("unauthorized")
  return { accountId: data.accountId, taskId: data.taskId, runId: data.runId }
}

/** Raises `run_not_found`. */
export async function row({ accountId, taskId, runId }: Ref): Promise<RunRow> {
  const { data } = await RunEntity.get({ accountId, taskId, runId }).go({ consistent: true })
  if (!data) throw new Problem("run_not_found")
  return data
}

/**
 * Takes up a run: from here the task is running and its time is counted. The same run token gets the same answer again. Raises
 * `already_claimed` for another one, `lease_lost` where the run has ended or was superseded.
 */
export async function claim(ref: Ref, { run_token_hash }: z.output<typeof ClaimNext>): Promise<z.infer<typeof Claim>> {
  const [run, task, spec] = await Promise.all([
    row(ref),
    Task.row(ref.accountId, ref.taskId),
    Task.spec(ref.accountId, ref.taskId),
  ])
  if (task.runId !== ref.runId) throw new Problem("lease_lost")
  const taken = run.status === "starting" ? await take(ref, task, spec, run, run_token_hash) : run
  if (taken.status !== "claimed") throw new Problem("lease_lost")
  if (taken.tokenHash !== run_token_hash) throw new Problem("already_claimed")
  return {
    claim: {
      lease: Lease.view(taken),
      run: { id: run.runId, task_id: run.taskId, attempt: run.attempt, claimed_at: taken.claimedAt! },
      task: { id: task.taskId, title: task.title, status: "running" },
      bundle: await bundleOf(await Task.row(ref.accountId, ref.taskId), spec),
    },
  }
}

async function take(ref: Ref, task: TaskRow, spec: SpecRow, run: RunRow, tokenHash: string): Promise<RunRow> {
  const claimedAt = now().toISOString()
  const lastMoment = millis() + (spec.settings.maxRuntimeSeconds + limits.warmRunSeconds) * 1000
  const set = { startedAt: task.startedAt ?? claimedAt, ...Sweep.due(task.taskId, lastMoment + Sweep.graceMs) }
  const moved = transition(task, { kind: "claimed" }, claimedAt, { set })
  if (!moved) throw new Problem("lease_lost")
  const times = { claimedAt, heartbeatAt: claimedAt, billedFrom: claimedAt, leaseUntil: Lease.until(claimedAt) }
  const claimed = { status: "claimed" as const, tokenHash, ...times }
  const refused = await transact({
    ...moved.writes,
    run: RunEntity.patch(ref)
      .set(claimed)
      .where(({ status }, { eq }) => eq(status, "starting")),
    token: RunTokenEntity.create({ hash: tokenHash, ...ref, expiresAt: Math.floor(lastMoment / 1000) + 7 * 86_400 }),
  })
  // Somebody was faster: perhaps this very container, whose first answer got lost.
  if (refused.length) return row(ref)
  await Execution.beat(ref.accountId, ref.taskId, ref.runId)
  return { ...run, ...claimed }
}

async function bundleOf(task: TaskRow, spec: SpecRow): Promise<z.infer<typeof Bundle>> {
  const attached = await Attachment.ofTask(task.accountId, task.taskId)
  return {
    agent: { id: task.agentId, name: spec.agentName, version_id: spec.versionId },
    base_prompt: await Text.load(spec.basePrompt),
    instructions: await Text.load(spec.instructions),
    turn: await Turn.current(task),
    wake: await Wake.last(task),
    channel: task.taskId,
    warm: { turn_seconds: warmSeconds(task), run_seconds: limits.warmRunSeconds },
    execution: { provider: spec.execution.provider, model: spec.execution.model, weak_model: spec.execution.weakModel },
    limits: {
      max_runtime_seconds: spec.settings.maxRuntimeSeconds,
      max_runtime_per_turn_seconds: spec.settings.maxRuntimePerTurnSeconds ?? null,
      soft_finish_after_seconds: spec.settings.softFinishAfterSeconds ?? null,
      model_idle_seconds: limits.modelIdleSeconds,
      hibernation: Hibernation.limitsOf(task, spec),
    },
    time_left_seconds: timeLeft(task, spec, 0),
    output_policy: spec.settings.outputPolicy,
    input_files: await Input.named(spec.accountId, spec.inputFileIds),
    reference_files: await Input.named(spec.accountId, spec.referenceFileIds),
    checkpoint: await Checkpoint.segmentsOf(task.accountId, task.taskId),
    has_sources: [spec.repositories, attached, spec.versionSkills, spec.skills].some(({ length }) => length > 0),
  }
}

/** How long a container stays for the next message after a turn. Were it longer than the session may wait, it would not expire in time. */
const warmSeconds = ({ sessionTtlSeconds = limits.sessionTtlSeconds.default }: TaskRow) =>
  Math.min(Number(setting("WARM_SECONDS")), sessionTtlSeconds)

/** Every so many renewals of the lease the execution hears of it as well: it only needs to know every five minutes. */
const beatsPerSignal = 4

/** Renews the lease, and says what the container should know. Raises `lease_lost`. */
export async function heartbeat(ref: Ref): Promise<z.infer<typeof Beat>> {
  const heartbeatAt = now().toISOString()
  const run = await patchClaimed(ref, { heartbeatAt, leaseUntil: Lease.until(heartbeatAt) }, { beats: 1 })
  if (run.beats % beatsPerSignal === 0) await Execution.beat(ref.accountId, ref.taskId, ref.runId)
  const [task, spec, is_followed] = await Promise.all([
    Task.row(ref.accountId, ref.taskId),
    Task.spec(ref.accountId, ref.taskId),
    Follower.isFollowed(ref),
  ])
  const running = run.billedFrom === undefined ? 0 : (Date.parse(heartbeatAt) - Date.parse(run.billedFrom)) / 1000
  return {
    lease: Lease.view(run),
    signals: [...Turn.signalsOf(task), ...((await Billing.isExhausted(task, running)) ? [{ kind: "pause" as const }] : [])],
    mode: task.mode,
    time_left_seconds: timeLeft(task, spec, running),
    is_followed,
  }
}

/** What is left of the total runtime limit, in seconds. `running`: how long the turn has been running that is not counted yet. */
const timeLeft = ({ runtimeSeconds }: TaskRow, { settings }: SpecRow, running: number) =>
  Math.max(0, settings.maxRuntimeSeconds - runtimeSeconds - running)

/** Stores lines, and renews the lease where that was last done some time ago: so whoever talks needs no heartbeat. Raises `lease_lost`. */
export async function appendLogs(ref: Ref, { sequence, lines }: z.output<typeof AppendLogs>) {
  const run = await claimed(ref)
  const stored = lines.map(({ source, message, created_at }) => ({ source, message, createdAt: created_at }))
  const isDue = millis() - Date.parse(run.heartbeatAt!) >= renewalSeconds * 1000
  const [beat, isFollowed] = await Promise.all([
    isDue ? heartbeat(ref) : undefined,
    isDue ? undefined : Follower.isFollowed(ref),
    Log.append(ref.accountId, ref.taskId, run.attempt, sequence, stored),
  ])
  return { accepted: true as const, is_followed: beat ? beat.is_followed : isFollowed, beat }
}

/** Raises `lease_lost`. */
export async function reportUsage(ref: Ref, { cost_usd }: z.output<typeof ReportUsage>) {
  await patchClaimed(ref, { modelCostMicros: micros(cost_usd) })
  return { accepted: true as const }
}

/** Raises `lease_lost`, `file_not_found` for what is no file of the task. */
export async function fileAddress(ref: Ref, fileId: string) {
  await claimed(ref)
  const { accountId, taskId } = ref
  return Input.address(await Task.spec(accountId, taskId), fileId, await Message.brought(accountId, taskId, fileId))
}

/** Raises `lease_lost`. */
export async function prepareOutput(ref: Ref, output: z.output<typeof PrepareOutput>) {
  await claimed(ref)
  return Output.prepare(ref.accountId, ref.taskId, ref.runId, output)
}

/** Raises `lease_lost`, `upload_incomplete`. */
export async function completeOutput(ref: Ref, output: z.output<typeof PrepareOutput>) {
  await claimed(ref)
  return Output.complete(ref.accountId, ref.taskId, ref.runId, output)
}

/**
 * The agent has reached its end. Sent again, it answers the same. Raises `lease_lost`, and `message_waiting` where a message has come
 * that the agent has not seen.
 */
export async function complete(ref: Ref, { result, messages, after }: z.output<typeof Complete>) {
  const said = await Message.said(ref.accountId, ref.taskId, messages)
  const stored = result === null ? undefined : await Text.storeFor(ref.accountId, ref.taskId, result)
  return end(ref, "completed", async (task) => ({
    signal: { kind: "completed", isBehind: await Turn.isBehind(task, after) },
    result: stored,
    messages: said,
  }))
}

/** The work cannot be done; what was made so far is kept. Sent again, it answers the same. Raises `lease_lost`. */
export async function fail(ref: Ref, { error, result }: z.output<typeof Fail>) {
  const stored = result === null || result === undefined ? undefined : await Text.storeFor(ref.accountId, ref.taskId, result)
  return end(ref, "failed", () => ({ signal: { kind: "failed", error }, result: stored }))
}

/**
 * The container leaves, and the task goes on with another when its time comes. Sent again, it answers the same. Raises `lease_lost`,
 * `message_waiting`, `turn_running`, and the problems of hibernation.
 */
export async function release(ref: Ref, body: z.output<typeof Release>) {
  if (body.to === "await_input")
    return end(ref, "released", () => ({ signal: { kind: "released", to: body.to, isBehind: false } }))
  const said = await Message.said(ref.accountId, ref.taskId, body.messages)
  const spec = await Task.spec(ref.accountId, ref.taskId)
  return end(ref, "released", async (task) => ({
    ...(body.to === "pause"
      ? { signal: { kind: "released" as const, to: body.to, isBehind: false }, about: Credit.why }
      : Hibernation.of(task, spec, body, await Turn.isBehind(task, body.after))),
    messages: said,
  }))
}

/** Ends a run as its own container says. */
async function end(ref: Ref, status: RunEnd, decide: (task: TaskRow) => Settlement.Step | Promise<Settlement.Step>) {
  const done = await Settlement.happen(ref.accountId, ref.taskId, (task) => (task.runId === ref.runId ? decide(task) : undefined))
  const run = done?.run ?? (await row(ref))
  // Sent again: the first time it worked. A task that was cancelled meanwhile ends its run as failed, whatever is said.
  if (!done && run.status !== status) throw new Problem("lease_lost")
  return { lease: Lease.view(run) }
}

/** The run, if its container may still act. Raises `lease_lost`. */
export async function claimed(ref: Ref): Promise<RunRow> {
  const run = await row(ref)
  if (run.status !== "claimed") throw new Problem("lease_lost")
  return run
}

/**
 * Counts what a model request used, whatever has become of the run: what was used was used. A transaction, since the SDK may send a
 * write twice, and only a transaction counts once then.
 */
export async function meter(ref: Ref, tokens: { input: number; output: number; cacheRead: number; cacheWrite: number }) {
  await transact({
    run: RunEntity.patch(ref).add({
      requests: 1,
      inputTokens: tokens.input,
      outputTokens: tokens.output,
      cacheReadTokens: tokens.cacheRead,
      cacheWriteTokens: tokens.cacheWrite,
    }),
  })
}

async function patchClaimed(ref: Ref, set: Partial<RunRow>, add: { beats?: number } = {}): Promise<RunRow> {
  try {
    const { data } = await RunEntity.patch(ref)
      .set(set)
      .add(add)
      .where(({ status }, { eq }) => eq(status, "claimed"))
      .go({ response: "all_new" })
    return data as RunRow
  } catch (error) {
    if (isRefused(error)) throw new Problem("lease_lost")
    throw error
  }
}
