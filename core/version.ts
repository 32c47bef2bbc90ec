import * as z from "zod"
import * as Account from "./account.ts"
import { type Defaults, DefaultsView, type StoredDefaults, viewDefaults } from "./defaults.ts"
import { SkillName } from "./git.ts"
import { Named } from "./id.ts"
import { limits } from "./limits.ts"
import * as Page from "./page.ts"
import { Problem } from "./problem.ts"
import { SecretEntity } from "./secret.entity.ts"
import * as Secret from "./secret.ts"
import * as SshKey from "./ssh-key.ts"
import * as Standard from "./standard.ts"
import * as Text from "./text.ts"
import { type Skill, VersionEntity, type VersionRow } from "./version.entity.ts"

/** An image reference as registries take it. Which registries a stack may pull from is checked when a task starts. */
export const ContainerImage = z
  .string()
  .min(1)
  .max(255)
  // One way only to read any text, so that no text takes long to be refused.
  .regex(
    /^[a-z0-9]+([._:/@-][A-Za-z0-9._:/@-]*[A-Za-z0-9_])?$/,
    "This is not an image reference such as debian:12 or ghcr.io/acme/tools:1.4",
  )
  .describe(
    "Any Linux image with glibc 2.28 or later, libstdc++ and /bin/sh; it needs nothing of ours inside. Repositories need git and CA certificates, or ssh, in it.",
  )

export const Runtime = z
  .strictObject({ containerImage: ContainerImage, agentRuntime: z.literal("pi") })
  .meta({ id: "AgentRuntimeInput" })

export const RuntimeView = z.object({ containerImage: z.string(), agentRuntime: z.literal("pi") }).meta({ id: "AgentRuntime" })

const SkillInput = z.strictObject({
  skill: SkillName.describe(
    "Handed to `skills add` in the container: `owner/repo`, `owner/repo/skill`, or the address of a repository or a folder in one.",
  ),
  sshKeyId: Named.optional(),
})

export const Skills = z.array(SkillInput).max(limits.skills)

export const SkillView = z.object({ skill: z.string(), sshKeyId: z.string().nullable() })

export const View = z
  .object({
    id: z.string(),
    number: z.int().describe("1 for the first version of the agent."),
    runtime: RuntimeView,
    containerVersionId: z.string().nullable().describe("Where the image is from a container."),
    basePrompt: z.string(),
    taskTitleInstructions: z.string().nullable(),
    skills: z.array(SkillView),
    referenceFileIds: z.array(z.string()),
    defaults: DefaultsView,
    createdAt: z.iso.datetime(),
  })
  .meta({
    id: "AgentVersion",
    description: "One execution of an agent's definition. A task keeps the version it was dispatched with.",
  })

export type View = z.infer<typeof View>

export const Listed = Page.of(View).meta({ id: "AgentVersionPage" })

/** Raises `version_not_found`. */
export async function get(accountId: string, agentId: string, versionId: string): Promise<View> {
  return view(await row(accountId, agentId, versionId))
}

/** Newest first. */
export async function list(accountId: string, agentId: string, request: Page.Request) {
  const own = async (after: string | undefined, limit: number) => {
    const versions = VersionEntity.query.byAgent({ accountId, agentId })
    const { data } = await (after ? versions.lt({ versionId: after }) : versions).go({ limit, order: "desc" })
    return data
  }
  const standard = Standard.versionsOf(accountId).filter((version) => version.agentId === agentId)
  const idOf = ({ versionId }: VersionRow) => versionId
  const page = await Page.paginate(accountId, `versions ${agentId}`, request, Standard.after(own, standard, idOf), idOf)
  return { data: await Promise.all(page.data.map(view)), pageInfo: page.pageInfo }
}

export async function row(accountId: string, agentId: string, versionId: string): Promise<VersionRow> {
  const standard = Standard.versionsOf(accountId).find((version) => version.versionId === versionId)
  const found = standard ?? (await VersionEntity.get({ accountId, agentId, versionId }).go({ consistent: true })).data
  if (found?.agentId !== agentId) throw new Problem("version_not_found")
  return found
}

/** Refuses, as what stands at `skills` of the body, a skill with a key that the account does not have. */
export const checkKeys = (accountId: string, skills: z.output<typeof Skills> = []) =>
  SshKey.mustExist(
    accountId,
    skills.map(({ sshKeyId }) => sshKeyId),
    (i) => `skills.${i}.sshKeyId`,
  )

/**
 * Defaults as a row keeps them, and the write of the secret that they refer to. A provider key that was given before stays in force
 * as long as the provider does: it cannot be read, so nobody could send it again.
 */
export async function storeDefaults(
  accountId: string,
  { providerApiKey, runtime: _, ...rest }: Defaults,
  before?: StoredDefaults,
) {
  const sealed = providerApiKey === undefined ? undefined : await Secret.seal(accountId, "provider-key", providerApiKey)
  const keyProvider = rest.provider ?? (await Account.defaultProvider(accountId))
  const providerSecretId = sealed?.secretId ?? (before?.keyProvider === keyProvider ? before.providerSecretId : undefined)
  const defaults: StoredDefaults = { ...rest, ...(providerSecretId ? { providerSecretId, keyProvider } : {}) }
  return { defaults, secret: sealed && SecretEntity.create(sealed) }
}

export const viewSkill = ({ skill, sshKeyId }: Skill) => ({ skill, sshKeyId: sshKeyId ?? null })

/** Row to wire, field by field: a new column stays private until someone adds it here. */
export const view = async (row: VersionRow): Promise<View> => ({
  id: row.versionId,
  number: row.number,
  runtime: { containerImage: row.containerImage, agentRuntime: row.agentRuntime },
  containerVersionId: row.containerVersionId ?? null,
  basePrompt: await Text.load(row.basePrompt),
  taskTitleInstructions: row.taskTitleInstructions === undefined ? null : await Text.load(row.taskTitleInstructions),
  skills: row.skills.map(viewSkill),
  referenceFileIds: row.referenceFileIds,
  defaults: viewDefaults(row.defaults),
  createdAt: row.createdAt,
})
