import { QueryCommand } from "@aws-sdk/lib-dynamodb"
import * as z from "zod"
import { providers, regions } from "./agent.entity.ts"
import * as Agent from "./agent.ts"
import { documents, table } from "./aws.ts"
import { OverridesView } from "./defaults.ts"
import { isTerminal } from "./lifecycle.ts"
import { usd } from "./money.ts"
import * as Page from "./page.ts"
import { Problem, type ProblemCode } from "./problem.ts"
import {
  modes,
  ResultEntity,
  type ResultRow,
  SpecEntity,
  type SpecRow,
  statuses,
  TaskEntity,
  type TaskRow,
} from "./task.entity.ts"
import * as Text from "./text.ts"
import * as Version from "./version.ts"

export const View = z
  .object({
    id: z.string(),
    agentId: z.string(),
    agentName: z.string(),
    agentVersionId: z.string(),
    runtime: Version.RuntimeView,
    containerVersionId: z.string().nullable().describe("Where the image is from a container."),
    status: z.enum(statuses),
    statusReason: z
      .enum(["cancelling", "no_place", "no_credit"])
      .nullable()
      .describe(
        "What its status alone does not say: it was cancelled and its container saves what it has; it waits until the account may run another one; it sleeps until the account has credit.",
      ),
    mode: z.enum(modes),
    turnStatus: z
      .enum(["running", "awaiting_input", "autonomous"])
      .nullable()
      .describe("Of conversations; null for a one-shot task."),
    turnNumber: z.int().nullable().describe("Of conversations; null for a one-shot task."),
    sessionTtlSeconds: z.number().nullable().describe("Of conversations: how long one may wait for its next message."),
    hibernateUntilAt: z.iso.datetime().nullable(),
    title: z.string(),
    instructions: z.string(),
    runtimeRegion: z.enum(regions),
    overrides: OverridesView,
    execution: z
      .object({ provider: z.enum(providers), model: z.string(), weakModel: z.string() })
      .describe("What the task resolved to."),
    skills: z.array(Version.SkillView),
    metadata: z.record(z.string(), z.unknown()),
    createdAt: z.iso.datetime(),
    startedAt: z.iso.datetime().nullable(),
    completedAt: z.iso.datetime().nullable(),
    result: z.string().nullable().describe("The agent's final answer."),
    error: z.string().nullable().describe("Why the task failed, in one sentence."),
    costUsd: z.number().nullable().describe("What the container time cost; null until the task has ended."),
    containerMinutes: z.number().nullable(),
    tokenUsage: z
      .object({
        inputTokens: z.int(),
        outputTokens: z.int(),
        cacheReadTokens: z.int(),
        cacheWriteTokens: z.int(),
        costUsd: z.number().describe("By the provider's list prices: paid to the provider, not to this stack."),
      })
      .nullable(),
  })
  .meta({ id: "Task", description: "One piece of work given to an agent." })

export type View = z.infer<typeof View>

export const Listed = Page.of(View).meta({ id: "TaskPage" })

export const ListQuery = z.strictObject({
  status: z.enum(statuses).optional(),
  mode: z.enum(modes).optional(),
  ...Page.query(),
})

/** Raises `task_not_found`. */
export async function get(accountId: string, taskId: string): Promise<View> {
  return view(await read(accountId, taskId))
}

/** Those of some tasks that are still there: an index may name one that has just been deleted. */
export async function present(accountId: string, taskIds: string[]): Promise<View[]> {
  const found = await Promise.all(taskIds.map((taskId) => unlessDeleted(() => get(accountId, taskId))))
  return found.filter((task) => task !== undefined)
}

/** What is to be done about a task; nothing where it is gone: then it has ended, and its owner has deleted it since. */
export async function unlessDeleted<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof Problem && error.code === "task_not_found") return undefined
    throw error
  }
}

/** The mutable row. Raises `task_not_found`, or what else it is called where the request comes from. */
export async function row(accountId: string, taskId: string, missing: ProblemCode = "task_not_found"): Promise<TaskRow> {
  const { data } = await TaskEntity.get({ accountId, taskId }).go({ consistent: true })
  if (!data) throw new Problem(missing)
  return data
}

/** The mutable row of a task that was begun as a conversation. Raises `conversation_not_found`. */
export async function conversation(accountId: string, taskId: string): Promise<TaskRow> {
  const { data } = await TaskEntity.get({ accountId, taskId }).go({ consistent: true })
  if (!data?.isConversation) throw new Problem("conversation_not_found")
  return data
}

export async function spec(accountId: string, taskId: string): Promise<SpecRow> {
  const { data } = await SpecEntity.get({ accountId, taskId }).go({ consistent: true })
  if (!data) throw new Problem("task_not_found")
  return data
}

/** Tasks of an agent, newest first. Raises `agent_not_found`. */
export async function list(accountId: string, agentId: string, { status, mode, ...request }: z.output<typeof ListQuery>) {
  await Agent.readable(accountId, agentId)
  const page = await Page.search(
    accountId,
    `tasks ${agentId} ${status} ${mode}`,
    request,
    async (after, limit) => {
      const tasks = TaskEntity.query.byAgent({ accountId, agentId })
      const query = after ? tasks.lt({ taskId: after }) : tasks.begins({ taskId: "" })
      return (await query.go({ limit, order: "desc", attributes: ["taskId", "status", "mode"] })).data
    },
    ({ taskId }) => taskId,
    (task) => (status === undefined || task.status === status) && (mode === undefined || task.mode === mode),
  )
  const ids = page.data.map(({ taskId }) => taskId)
  return { data: await present(accountId, ids), pageInfo: page.pageInfo }
}

interface Parts {
  task: TaskRow
  spec: SpecRow
  result: ResultRow | undefined
}

/** Task, spec and result in one read of one partition: one unit for up to 4 KB of all three together. */
async function read(accountId: string, taskId: string): Promise<Parts> {
  const { Items = [] } = await documents.send(
    new QueryCommand({
      TableName: table.table,
      ConsistentRead: true,
      KeyConditionExpression: "pk = :pk AND begins_with(sk, :sk)",
      ExpressionAttributeValues: { ":pk": `${accountId}#${taskId}`, ":sk": "task" },
    }),
  )
  const task = TaskEntity.parse({ Items }).data.at(0)
  const found = SpecEntity.parse({ Items }).data.at(0)
  if (!task || !found) throw new Problem("task_not_found")
  return { task, spec: found, result: ResultEntity.parse({ Items }).data.at(0) }
}

/** Row to wire, field by field: a new column stays private until someone adds it here. */
export async function view({ task, spec, result }: Parts): Promise<View> {
  const ended = isTerminal(task.status)
  return {
    id: task.taskId,
    agentId: task.agentId,
    agentName: spec.agentName,
    agentVersionId: spec.versionId,
    runtime: { containerImage: spec.containerImage, agentRuntime: spec.agentRuntime },
    containerVersionId: spec.containerVersionId ?? null,
    status: task.status,
    statusReason: reasonOf(task),
    mode: task.mode,
    turnStatus: turnStatusOf(task),
    turnNumber: task.isConversation ? task.turnNumber : null,
    sessionTtlSeconds: task.sessionTtlSeconds ?? null,
    hibernateUntilAt: task.hibernateUntilAt ?? null,
    title: task.title,
    instructions: await Text.load(spec.instructions),
    runtimeRegion: spec.region,
    overrides: await viewOverrides(spec),
    execution: spec.execution,
    skills: spec.skills.map(Version.viewSkill),
    metadata: JSON.parse(spec.metadata) as Record<string, unknown>,
    createdAt: task.createdAt,
    startedAt: task.startedAt ?? null,
    completedAt: task.completedAt ?? null,
    result: result ? await Text.load(result.result) : null,
    error: task.error ?? null,
    costUsd: ended ? usd(task.costMicros) : null,
    containerMinutes: ended ? task.containerSeconds / 60 : null,
    tokenUsage: task.startedAt ? viewUsage(task) : null,
  }
}

function reasonOf({ isCancelling, isQueued, isPaused }: TaskRow): View["statusReason"] {
  if (isCancelling) return "cancelling"
  if (isQueued) return "no_place"
  return isPaused ? "no_credit" : null
}

/** Whose turn it is in a conversation. */
function turnStatusOf({ status, mode, isConversation }: TaskRow): View["turnStatus"] {
  if (!isConversation || isTerminal(status)) return null
  if (mode === "autonomous") return "autonomous"
  return status === "awaiting_input" ? "awaiting_input" : "running"
}

const viewUsage = (task: TaskRow) => ({
  inputTokens: task.inputTokens,
  outputTokens: task.outputTokens,
  cacheReadTokens: task.cacheReadTokens,
  cacheWriteTokens: task.cacheWriteTokens,
  costUsd: usd(task.modelCostMicros),
})

async function viewOverrides(spec: SpecRow): Promise<View["overrides"]> {
  const { providerSecretId, ...rest } = spec.overrides
  return {
    ...rest,
    ...(providerSecretId === undefined ? {} : { hasProviderApiKey: true }),
    ...(spec.overridesBasePrompt ? { basePrompt: await Text.load(spec.basePrompt) } : {}),
  }
}
