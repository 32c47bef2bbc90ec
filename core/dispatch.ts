import * as z from "zod"
import { AccountEntity, type AccountRow } from "./account.entity.ts"
import * as Account from "./account.ts"
import { AgentEntity } from "./agent.entity.ts"
import * as Agent from "./agent.ts"
import * as Attachment from "./attachment.ts"
import * as Billing from "./billing.ts"
import { millis, now } from "./clock.ts"
import { isSoftInTime, Overrides, type StoredDefaults, type StoredOverrides, softTooLate } from "./defaults.ts"
import * as Event from "./event.ts"
import * as File from "./file.ts"
import { Named, newId } from "./id.ts"
import { limits } from "./limits.ts"
import { MessageEntity } from "./message.entity.ts"
import * as Message from "./message.ts"
import * as Place from "./place.ts"
import { invalid, Problem } from "./problem.ts"
import { SecretEntity } from "./secret.entity.ts"
import * as Secret from "./secret.ts"
import * as Standard from "./standard.ts"
import * as Sweep from "./sweep.ts"
import { SpecEntity, TaskEntity } from "./task.entity.ts"
import * as Task from "./task.ts"
import * as Text from "./text.ts"
import * as Title from "./title.ts"
import { check, transact } from "./transaction.ts"
import type { VersionRow } from "./version.entity.ts"
import * as Version from "./version.ts"

const bytesOf = (value: object) => {
  try {
    return Buffer.byteLength(JSON.stringify(value))
  } catch {
    // Nested deeper than can be written, which takes far more than the bytes that are allowed.
    return Number.POSITIVE_INFINITY
  }
}

/** Zod leaves this key out without a word, since it would be the object's prototype. */
const prototypeKey = "__proto__"

const Metadata = z.preprocess(
  (value, context) => {
    if (Object.hasOwn(Object(value), prototypeKey))
      context.addIssue({ code: "custom", path: [prototypeKey], message: "This name cannot be kept here: choose another" })
    return value
  },
  z
    .record(z.string(), z.unknown())
    .refine((value) => bytesOf(value) <= limits.metadataBytes, `At most ${limits.metadataBytes} bytes of JSON`)
    .describe("Yours: shown on the task and sent with its events, never read by the agent."),
)

const instructions = z.string().trim().min(1).max(limits.text)
const whatToDo = "What to do. Lies in the container as `task/TASK.md`."

/** What a task and a conversation are both begun with. */
export const fields = {
  versionId: Named.optional().describe("The agent's current version when left out."),
  instructions: instructions.describe(whatToDo),
  inputFileIds: File.Ids.optional().describe("Uploaded files. They lie in the container in `input/`."),
  inputRepositories: Attachment.Attachments.optional().describe("Beside those of the version."),
  skills: Version.Skills.optional().describe("Installed after those of the version."),
  metadata: Metadata.optional(),
  overrides: Overrides.optional(),
}

export const Create = z
  .strictObject({
    ...fields,
    instructions: instructions.optional().describe(whatToDo),
    description: instructions.optional().describe("An older name of `instructions`.").meta({ deprecated: true }),
  })
  .refine(({ instructions, description }) => (instructions ?? description) !== undefined, {
    path: ["instructions"],
    message: "Say what to do",
  })
  .refine(({ instructions, description }) => instructions === undefined || description === undefined, {
    path: ["description"],
    message: "This is an older name of instructions, which are given already",
  })
  .transform(({ description, instructions = description!, ...body }) => ({ ...body, instructions }))
  .meta({
    id: "CreateTask",
    example: { instructions: "Write a report on the state of the project to output/report.md." },
    // The older name is taken, but a client that is made of the document is to know what it must say.
    required: ["instructions"],
  })

type Create = z.output<typeof Create>

/**
 * Gives a piece of work to an agent: the task is pending, its credit is held back, and its execution starts by itself once the write
 * is done. Raises `agent_not_found`, `version_not_found`, `agent_archived`, `insufficient_credit`, `internet_access_required`.
 */
export async function dispatch(accountId: string, agentId: string, body: Create): Promise<Task.View> {
  return (await start(accountId, agentId, body)).task
}

/** Dispatches a task, or a conversation with its first message. Raises what `dispatch` does. */
export async function start(accountId: string, agentId: string, body: Create, words?: z.output<typeof Message.Create>) {
  const [agent, account] = await Promise.all([
    Agent.readable(accountId, agentId),
    AccountEntity.get({ accountId }).go({ consistent: true }),
  ])
  if (agent.archivedAt) throw new Problem("agent_archived")
  if (!account.data) throw new Problem("unauthorized")
  const version = await Version.row(accountId, agentId, body.versionId ?? agent.versionId)

  const taskId = newId("task")
  const createdAt = now().toISOString()
  const { spec, secret } = await resolve(account.data, taskId, agent.name, version, body)
  const message = words && (await Message.ofPerson(accountId, taskId, words))
  const { reservedMicros, writes: reservation } = Billing.reserve(account.data, taskId, createdAt)
  const task = {
    ...blank,
    accountId,
    taskId,
    agentId,
    ...(message ? conversation(spec.settings) : {}),
    title: Title.automatic(body.instructions),
    reservedMicros,
    createdAt,
    generationAt: createdAt,
    ...Sweep.due(taskId, millis() + Sweep.pendingMs),
  }
  const first = message && Message.row(task, task, message, 1, createdAt)
  const events = [
    { type: "task.created" as const },
    ...(first ? [{ type: "task.message.created" as const, messageSequence: first.sequence }] : []),
    { type: "task.turn.queued" as const },
  ]
  const created = { ...task, eventSequence: events.length }

  const refused = await transact({
    agent: Standard.isStandard(agentId) ? undefined : check(isInService(accountId, agentId)),
    task: TaskEntity.create(created),
    spec: SpecEntity.create(spec),
    secret,
    message: first && MessageEntity.create(first),
    ...Event.writes(task, events, createdAt),
    ...reservation,
  })
  if (refused.includes("account")) throw new Problem("insufficient_credit")
  if (refused.includes("agent")) throw new Problem("agent_archived")
  if (refused.length) throw new Problem("conflict")
  return { task: await Task.view({ task: created, spec, result: undefined }), row: created, message: first }
}

const conversation = ({ sessionTtlSeconds = limits.sessionTtlSeconds.default }: StoredDefaults) => ({
  mode: "conversation" as const,
  isConversation: true,
  sessionTtlSeconds,
  messageSequence: 1,
  personSequence: 1,
})

/** The condition that an agent of one's own is still there and not archived. */
const isInService = (accountId: string, agentId: string) =>
  AgentEntity.delete({ accountId, agentId }).where(
    ({ archivedAt, name }, { exists, notExists }) => `${exists(name)} AND ${notExists(archivedAt)}`,
  )

const blank = {
  mode: "autonomous" as "autonomous" | "conversation",
  status: "pending" as const,
  phase: "ongoing" as const,
  version: 1,
  eventSequence: 0,
  isConversation: false,
  turnNumber: 1,
  isTurnStarted: false,
  turnsCompleted: 0,
  messageSequence: 0,
  personSequence: 0,
  queuedMessages: 0,
  container: "none" as const,
  isCancelling: false,
  isPaused: false,
  isQueued: false,
  losses: 0,
  cycle: 0,
  sleptSeconds: 0,
  parks: 0,
  runtimeSeconds: 0,
  generation: 1,
  attempt: 0,
  costMicros: 0,
  containerSeconds: 0,
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  modelCostMicros: 0,
}

/** Everything that the task is bound to from now on: no later change of the agent reaches it. */
async function resolve(account: AccountRow, taskId: string, agentName: string, version: VersionRow, body: Create) {
  const { accountId } = account
  const files = await resolveFiles(accountId, version, body)
  const { providerApiKey, basePrompt, runtime, ...given } = body.overrides ?? {}
  const sealed = providerApiKey === undefined ? undefined : await Secret.seal(accountId, "provider-key", providerApiKey)
  const overrides: StoredOverrides = {
    ...given,
    ...(runtime ? { runtime } : {}),
    ...(sealed ? { providerSecretId: sealed.secretId } : {}),
  }
  const settings: StoredDefaults = { ...version.defaults, ...given }
  if (!Place.isPossible(settings)) throw new Problem("internet_access_required")
  if (!isSoftInTime(settings)) throw invalid("overrides.softFinishAfterSeconds", softTooLate)

  const sources = await sourcesOf(accountId, version, body)
  if (!settings.internetAccess && sources.repositories.length + sources.skills.length + sources.versionSkills.length > 0)
    throw invalid("overrides.internetAccess", "Repositories and skills come from the internet, which this task may not reach")

  const execution = executionOf(account, version.defaults, given)
  const { keyProvider, providerSecretId } = version.defaults
  const versionKey = keyProvider === execution.provider ? providerSecretId : undefined
  const spec = {
    accountId,
    taskId,
    agentName,
    versionId: version.versionId,
    containerImage: version.containerImage,
    ...(version.containerVersionId === undefined ? {} : { containerVersionId: version.containerVersionId }),
    agentRuntime: version.agentRuntime,
    region: settings.runtimeRegion,
    instructions: await Text.storeFor(accountId, taskId, body.instructions),
    basePrompt: basePrompt === undefined ? version.basePrompt : await Text.storeFor(accountId, taskId, basePrompt),
    ...(version.taskTitleInstructions === undefined ? {} : { titleInstructions: version.taskTitleInstructions }),
    overridesBasePrompt: basePrompt !== undefined,
    ...files,
    execution,
    keySecretIds: [sealed?.secretId, versionKey, Secret.idOfAccountKey(execution.provider)].filter((id) => id !== undefined),
    settings,
    overrides,
    ...sources,
    metadata: JSON.stringify(body.metadata ?? {}),
  }
  return { spec, secret: sealed && SecretEntity.create(sealed) }
}

/** Whose models run it. The weak one of the version is its provider's: where the task names another, that one does not know it. */
function executionOf(account: AccountRow, defaults: StoredDefaults, given: StoredOverrides) {
  const own = defaults.provider ?? Account.defaultProviderOf(account)
  const provider = given.provider ?? own
  const model = given.model ?? defaults.model
  const weakModel = given.weakModel ?? (provider === own ? defaults.weakModel : undefined) ?? model
  return { provider, model, weakModel }
}

async function resolveFiles(accountId: string, version: VersionRow, { versionId, inputFileIds = [] }: Create) {
  const inputs = await File.resolve(accountId, inputFileIds, "inputFileIds")
  // What an agent's current version has cannot be deleted.
  const gone = versionId === undefined ? [] : await File.missing(accountId, version.referenceFileIds)
  if (gone.length) throw invalid("versionId", `Reference files of this version were deleted: ${gone.join(", ")}`)
  return { inputFileIds: inputs.map(({ fileId }) => fileId), referenceFileIds: version.referenceFileIds }
}

/** What the container clones and installs. Refuses what is not there, or not any more. */
async function sourcesOf(accountId: string, version: VersionRow, { inputRepositories = [], skills = [] }: Create) {
  await Version.checkKeys(accountId, skills)
  const repositories = await Attachment.clones(accountId, version.repositories, inputRepositories, "inputRepositories")
  return { repositories, versionSkills: version.skills, skills }
}
