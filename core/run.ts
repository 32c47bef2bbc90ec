import { createHash } from "node:crypto"
import type { z } from "zod"
import * as Checkpoint from "./checkpoint.ts"
import { millis, now } from "./clock.ts"
import * as Execution from "./execution.ts"
import * as Input from "./input.ts"
import { limits } from "./limits.ts"
import * as Log from "./log.ts"
import { sign, verify } from "./mac.ts"
import { micros } from "./money.ts"
import * as Output from "./output.ts"
import { Problem } from "./problem.ts"
import {
  type AppendLogs,
  type Bundle,
  type Claim,
  type ClaimNext,
  type Complete,
  type Fail,
  type Lease,
  leaseSeconds,
  type PrepareOutput,
  type ReportUsage,
} from "./protocol.ts"
import { RunEntity, type RunRow, RunTokenEntity } from "./run.entity.ts"
import * as Settlement from "./settlement.ts"
import * as Sweep from "./sweep.ts"
import type { SpecRow, TaskRow } from "./task.entity.ts"
import * as Task from "./task.ts"
import * as Text from "./text.ts"
import { isRefused, transact } from "./transaction.ts"

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
      lease: leaseOf(taken),
      run: { id: run.runId, task_id: run.taskId, attempt: run.attempt, claimed_at: taken.claimedAt! },
      task: { id: task.taskId, title: task.title, status: "running" },
      bundle: await bundleOf(task, spec),
    },
  }
}

async function take(ref: Ref, task: TaskRow, spec: SpecRow, run: RunRow, tokenHash: string): Promise<RunRow> {
  const claimedAt = now().toISOString()
  const lastMoment = millis() + spec.settings.maxRuntimeSeconds * 1000
  const change = Task.change(task, { kind: "claimed" }, claimedAt, {
    startedAt: task.startedAt ?? claimedAt,
    ...Sweep.due(task.taskId, lastMoment + Sweep.graceMs),
  })
  if (!change) throw new Problem("lease_lost")
  const claimed = { status: "claimed" as const, tokenHash, claimedAt, heartbeatAt: claimedAt, leaseUntil: leaseEnd(claimedAt) }
  const refused = await transact({
    ...change.writes,
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
  return {
    agent: { id: task.agentId, name: spec.agentName, version_id: spec.versionId },
    base_prompt: await Text.load(spec.basePrompt),
    instructions: await Text.load(spec.instructions),
    turn: { number: task.turnNumber, mode: task.mode, messages: [] },
    wake: null,
    channel: task.taskId,
    warm: { turn_seconds: limits.warmSeconds.turn, run_seconds: limits.warmSeconds.run },
    execution: { provider: spec.execution.provider, model: spec.execution.model, weak_model: spec.execution.weakModel },
    limits: {
      max_runtime_seconds: spec.settings.maxRuntimeSeconds,
      max_runtime_per_turn_seconds: spec.settings.maxRuntimePerTurnSeconds ?? null,
      soft_finish_after_seconds: spec.settings.softFinishAfterSeconds ?? null,
      model_idle_seconds: limits.modelIdleSeconds,
      hibernation: hibernationOf(spec),
    },
    output_policy: spec.settings.outputPolicy,
    input_files: await Input.named(spec.accountId, spec.inputFileIds),
    reference_files: await Input.named(spec.accountId, spec.referenceFileIds),
    checkpoint: await Checkpoint.segmentsOf(task.accountId, task.taskId),
  }
}

const hibernationOf = ({ settings }: SpecRow): z.infer<typeof Bundle>["limits"]["hibernation"] => ({
  enabled: settings.hibernationEnabled ?? true,
  cycle_seconds: settings.maxTimePerHibernationCycle ?? limits.maxTimePerHibernationCycle.default,
  left_seconds: settings.maxAccumulatedTime ?? limits.maxAccumulatedTime.default,
})

/** Every so many heartbeats the execution hears of it as well: it only needs to know every five minutes. */
const beatsPerSignal = 4

/** Renews the lease. Raises `lease_lost`. */
export async function heartbeat(ref: Ref) {
  const heartbeatAt = now().toISOString()
  const run = await patchClaimed(ref, { heartbeatAt, leaseUntil: leaseEnd(heartbeatAt) }, { beats: 1 })
  if (run.beats % beatsPerSignal === 0) await Execution.beat(ref.accountId, ref.taskId, ref.runId)
  const [task, spec] = await Promise.all([Task.row(ref.accountId, ref.taskId), Task.spec(ref.accountId, ref.taskId)])
  const used = (Date.parse(heartbeatAt) - Date.parse(run.claimedAt!)) / 1000
  return {
    lease: leaseOf(run),
    signals: [],
    mode: task.mode,
    time_left_seconds: Math.max(0, spec.settings.maxRuntimeSeconds - used),
  }
}

/** Raises `lease_lost`. */
export async function appendLogs(ref: Ref, { sequence, lines }: z.output<typeof AppendLogs>) {
  const run = await claimed(ref)
  const stored = lines.map(({ source, message, created_at }) => ({ source, message, createdAt: created_at }))
  await Log.append(ref.accountId, ref.taskId, run.attempt, sequence, stored)
  return { accepted: true as const }
}

/** Raises `lease_lost`. */
export async function reportUsage(ref: Ref, { cost_usd }: z.output<typeof ReportUsage>) {
  await patchClaimed(ref, { modelCostMicros: micros(cost_usd) })
  return { accepted: true as const }
}

/** Raises `lease_lost`, `file_not_found` for what is no file of the task. */
export async function fileAddress(ref: Ref, fileId: string) {
  await claimed(ref)
  return Input.address(await Task.spec(ref.accountId, ref.taskId), fileId)
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

/** The agent has reached its end. Sent again, it answers the same. Raises `lease_lost`. */
export async function complete(ref: Ref, { result }: z.output<typeof Complete>) {
  return { lease: leaseOf(await Settlement.end(ref, { kind: "completed" }, result)) }
}

/** The work cannot be done; what was made so far is kept. Sent again, it answers the same. Raises `lease_lost`. */
export async function fail(ref: Ref, { error, result }: z.output<typeof Fail>) {
  return { lease: leaseOf(await Settlement.end(ref, { kind: "failed", error }, result ?? null)) }
}

/** The run, if its container may still act. Raises `lease_lost`. */
export async function claimed(ref: Ref): Promise<RunRow> {
  const run = await row(ref)
  if (run.status !== "claimed") throw new Problem("lease_lost")
  return run
}

/** Counts what a model request used. Never refused: what was used was used. */
export async function meter(ref: Ref, tokens: { input: number; output: number; cacheRead: number; cacheWrite: number }) {
  await RunEntity.patch(ref)
    .add({
      requests: 1,
      inputTokens: tokens.input,
      outputTokens: tokens.output,
      cacheReadTokens: tokens.cacheRead,
      cacheWriteTokens: tokens.cacheWrite,
    })
    .go()
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

const leaseEnd = (heartbeatAt: string) => new Date(Date.parse(heartbeatAt) + leaseSeconds * 1000).toISOString()

const leaseOf = (run: RunRow): z.infer<typeof Lease> => ({
  run_id: run.runId,
  task_id: run.taskId,
  status: run.status === "starting" ? "claimed" : run.status,
  claim_token_hash: run.tokenHash!,
  heartbeat_at: run.heartbeatAt!,
  lease_until: run.leaseUntil!,
})
