import * as z from "zod"
import { AgentEntity, type AgentRow } from "./agent.entity.ts"
import { now } from "./clock.ts"
import * as Container from "./container.ts"
import { Defaults } from "./defaults.ts"
import { Named, newId } from "./id.ts"
import { limits } from "./limits.ts"
import * as Page from "./page.ts"
import { Problem } from "./problem.ts"
import * as Repository from "./repository.ts"
import * as Standard from "./standard.ts"
import * as Text from "./text.ts"
import { transact, untilWritten } from "./transaction.ts"
import { VersionEntity, type VersionRow } from "./version.entity.ts"
import * as Version from "./version.ts"

export const View = z
  .object({
    id: z.string(),
    name: z.string(),
    description: z.string().nullable(),
    isStandard: z.boolean().describe("Provided by the stack; fork it to change it."),
    archivedAt: z.iso.datetime().nullable(),
    currentVersion: Version.View,
    createdAt: z.iso.datetime(),
  })
  .meta({ id: "Agent", description: "A worker that tasks are given to: a name and numbered versions of what it runs." })

export type View = z.infer<typeof View>

export const Listed = Page.of(View).meta({ id: "AgentPage" })

const example = {
  name: "Reporter",
  runtime: { containerImage: "debian:12", agentRuntime: "pi" as const },
  basePrompt: "You write short, exact reports.",
  defaults: {
    provider: "anthropic" as const,
    model: "claude-sonnet-4-5",
    internetAccess: true,
    maxRuntimeSeconds: 1800,
    outputPolicy: { mode: "any" as const },
    runtimeRegion: "any" as const,
  },
}

const name = z.string().trim().min(1).max(limits.name)
const prompt = z.string().min(1).max(limits.text)

const container = {
  containerId: Named.optional().describe("Instead of `runtime`: a container, whose current image is then the agent's."),
  containerVersionId: Named.optional().describe("The same for a version of a container."),
}

const namesContainer = ({ containerId, containerVersionId }: { [Field in keyof typeof container]?: string | undefined }) =>
  containerId !== undefined || containerVersionId !== undefined

const oneRuntime = { path: ["runtime"], message: "Give either a runtime or a container" }

export const Create = z
  .strictObject({
    name,
    description: z.string().max(limits.description).optional(),
    runtime: Version.Runtime.optional(),
    ...container,
    basePrompt: prompt.describe("The agent's system prompt."),
    taskTitleInstructions: prompt
      .optional()
      .describe("System prompt for naming tasks. Tasks are named by their first line when left out."),
    defaults: Defaults,
    skills: Version.Skills.optional(),
  })
  .refine((body) => (body.runtime !== undefined) !== namesContainer(body), oneRuntime)
  .meta({ id: "CreateAgent", example })

export const Update = z
  .strictObject({
    name: name.optional(),
    description: z.string().max(limits.description).optional(),
    runtime: Version.Runtime.partial().optional(),
    ...container,
    basePrompt: prompt.optional(),
    taskTitleInstructions: prompt.nullable().optional().describe("null takes them away."),
    defaults: Defaults.optional().describe(
      "The whole of the defaults. A provider key that is not given again stays as long as the provider does.",
    ),
    skills: Version.Skills.optional(),
  })
  .refine((body) => body.runtime === undefined || !namesContainer(body), oneRuntime)
  .meta({ id: "UpdateAgent", example: { name: "Chief reporter" } })

export type Create = z.output<typeof Create>
export type Update = z.output<typeof Update>

/** Makes an agent with its first version. */
export async function create(accountId: string, body: Create): Promise<View> {
  const agentId = newId("agent")
  await Version.checkKeys(accountId, body.skills)
  const runtime = await runtimeOf(accountId, body)
  const { version, secret } = await newVersion(accountId, agentId, 1, { ...body, runtime })
  return insert(body, version, secret)
}

/**
 * Makes an agent of one's own out of a standard one: the copy has everything that the original's current version has. Raises
 * `agent_not_found`, `not_standard`.
 */
export async function fork(accountId: string, agentId: string, body: Standard.Fork): Promise<View> {
  const original = await readable(accountId, agentId)
  if (!Standard.isStandard(agentId)) throw new Problem("not_standard")
  const version = {
    ...(await Version.row(accountId, agentId, original.versionId)),
    agentId: newId("agent"),
    versionId: newId("version"),
    number: 1,
    createdAt: now().toISOString(),
  }
  return insert({ ...original, ...body }, version)
}

/** Makes an agent with its first version as it stands. */
async function insert(
  { name, description }: { name: string; description?: string | undefined },
  version: VersionRow,
  secret?: Awaited<ReturnType<typeof newVersion>>["secret"],
) {
  const { accountId, agentId } = version
  const agent = {
    accountId,
    agentId,
    name,
    ...(description === undefined ? {} : { description }),
    versionId: version.versionId,
    number: 1,
    revision: 1,
    createdAt: version.createdAt,
  }
  const refused = await transact({
    agent: AgentEntity.create(agent),
    version: VersionEntity.create(version),
    secret,
    ...Repository.countUses(accountId, [], version.repositories),
  })
  if (refused.length) throw new Problem("conflict")
  return view(agent, version)
}

/** Raises `agent_not_found`. */
export async function get(accountId: string, agentId: string): Promise<View> {
  const agent = await readable(accountId, agentId)
  return view(agent, await Version.row(accountId, agentId, agent.versionId))
}

/** Agents that are not archived: one's own, newest first, and then the standard ones. */
export async function list(accountId: string, request: Page.Request) {
  const own = async (after: string | undefined, count: number) => {
    const agents = AgentEntity.query.byId({ accountId })
    const { data } = await (after ? agents.lt({ agentId: after }) : agents.begins({ agentId: "" }))
      .where(({ archivedAt }, { notExists }) => notExists(archivedAt))
      .go({ count, order: "desc" })
    return data
  }
  const idOf = ({ agentId }: AgentRow) => agentId
  const page = await Page.paginate(accountId, "agents", request, Standard.after(own, Standard.agentsOf(accountId), idOf), idOf)
  const data = await Promise.all(
    page.data.map(async (agent) => view(agent, await Version.row(accountId, agent.agentId, agent.versionId))),
  )
  return { data, pageInfo: page.pageInfo }
}

/** Changes name and description in place; a change of what is run makes a new version. Raises `agent_not_found`, `conflict`. */
export async function update(accountId: string, agentId: string, body: Update): Promise<View> {
  return untilWritten(async () => {
    const agent = await row(accountId, agentId)
    await Version.checkKeys(accountId, body.skills)
    const before = await Version.row(accountId, agentId, agent.versionId)
    const next = changesExecution(body)
      ? await newVersion(accountId, agentId, agent.number + 1, await merged(accountId, before, body), before)
      : undefined
    const set = {
      ...(body.name === undefined ? {} : { name: body.name }),
      ...(body.description === undefined ? {} : { description: body.description }),
      ...(next ? { versionId: next.version.versionId, number: next.version.number } : {}),
      revision: agent.revision + 1,
    }
    const refused = await transact({
      agent: AgentEntity.patch({ accountId, agentId })
        .set(set)
        .where(({ revision }, { eq }) => eq(revision, agent.revision)),
      version: next && VersionEntity.create(next.version),
      secret: next?.secret,
    })
    return refused.length ? undefined : view({ ...agent, ...set }, next?.version ?? before)
  })
}

/** Takes the agent out of the list; its tasks go on, new ones are refused. Archiving twice is archiving once. */
export async function archive(accountId: string, agentId: string): Promise<void> {
  await untilWritten(async () => {
    const agent = await row(accountId, agentId)
    if (agent.archivedAt) return true
    const { repositories } = await Version.row(accountId, agentId, agent.versionId)
    const refused = await transact({
      ...Repository.countUses(accountId, repositories, []),
      agent: AgentEntity.patch({ accountId, agentId })
        .set({ archivedAt: now().toISOString(), revision: agent.revision + 1 })
        .where(({ revision }, { eq }) => eq(revision, agent.revision)),
    })
    return refused.length ? undefined : true
  })
}

/** Versions of an agent, newest first. Raises `agent_not_found`. */
export async function versions(accountId: string, agentId: string, request: Page.Request) {
  await readable(accountId, agentId)
  return Version.list(accountId, agentId, request)
}

/** Raises `agent_not_found`, `version_not_found`. */
export async function version(accountId: string, agentId: string, versionId: string) {
  await readable(accountId, agentId)
  return Version.get(accountId, agentId, versionId)
}

/** One's own or a standard one. Raises `agent_not_found`. */
export async function readable(accountId: string, agentId: string): Promise<AgentRow> {
  return Standard.agentsOf(accountId).find((agent) => agent.agentId === agentId) ?? (await row(accountId, agentId))
}

/** One's own: what is standard cannot be changed. Raises `agent_not_found`. */
export async function row(accountId: string, agentId: string): Promise<AgentRow> {
  const { data } = await AgentEntity.get({ accountId, agentId }).go({ consistent: true })
  if (!data) throw new Problem("agent_not_found")
  return data
}

const executionFields = [
  "runtime",
  "containerId",
  "containerVersionId",
  "basePrompt",
  "taskTitleInstructions",
  "defaults",
  "skills",
] as const

const changesExecution = (body: Update) => executionFields.some((field) => body[field] !== undefined)

type Runtime = Pick<VersionRow, "containerImage" | "agentRuntime" | "containerVersionId">

type Execution = Pick<Create, "basePrompt" | "taskTitleInstructions" | "skills"> & Pick<Update, "defaults"> & { runtime: Runtime }

/** The image that a body names, itself or by a container; the one before where it names none. */
async function runtimeOf(accountId: string, body: Create | Update, before?: VersionRow): Promise<Runtime> {
  if (namesContainer(body)) {
    const { versionId, image } = await Container.named(accountId, body)
    return { containerImage: image, containerVersionId: versionId, agentRuntime: "pi" }
  }
  const { containerImage } = body.runtime ?? {}
  if (containerImage !== undefined) return { containerImage, agentRuntime: "pi" }
  return { containerImage: before!.containerImage, containerVersionId: before!.containerVersionId, agentRuntime: "pi" }
}

/** What the next version holds: the body's fields where it has them, the version's before otherwise. */
async function merged(accountId: string, before: VersionRow, body: Update): Promise<Execution> {
  const current = await Version.view(before)
  const titles = body.taskTitleInstructions === undefined ? current.taskTitleInstructions : body.taskTitleInstructions
  return {
    runtime: await runtimeOf(accountId, body, before),
    basePrompt: body.basePrompt ?? current.basePrompt,
    ...(titles === null ? {} : { taskTitleInstructions: titles }),
    defaults: body.defaults,
    skills: body.skills ?? before.skills,
  }
}

async function newVersion(accountId: string, agentId: string, number: number, body: Execution, before?: VersionRow) {
  const { defaults, secret } = body.defaults
    ? await Version.storeDefaults(accountId, body.defaults, before?.defaults)
    : { defaults: before!.defaults, secret: undefined }
  const version: VersionRow = {
    accountId,
    agentId,
    versionId: newId("version"),
    number,
    ...body.runtime,
    basePrompt: await Text.store(accountId, body.basePrompt),
    ...(body.taskTitleInstructions === undefined
      ? {}
      : { taskTitleInstructions: await Text.store(accountId, body.taskTitleInstructions) }),
    defaults,
    skills: body.skills ?? [],
    repositories: before?.repositories ?? [],
    referenceFileIds: before?.referenceFileIds ?? [],
    createdAt: now().toISOString(),
  }
  return { version, secret }
}

export const view = async (agent: AgentRow, version: VersionRow): Promise<View> => ({
  id: agent.agentId,
  name: agent.name,
  description: agent.description ?? null,
  isStandard: Standard.isStandard(agent.agentId),
  archivedAt: agent.archivedAt ?? null,
  currentVersion: await Version.view(version),
  createdAt: agent.createdAt,
})
