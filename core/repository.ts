import * as z from "zod"
import { now } from "./clock.ts"
import { AliasName, GitUrl, RepositoryPath } from "./git.ts"
import { Named, newId } from "./id.ts"
import { limits } from "./limits.ts"
import * as Page from "./page.ts"
import { invalid, Problem } from "./problem.ts"
import { RepositoryEntity, type RepositoryRow } from "./repository.entity.ts"
import { SshKeyEntity, SshKeyLinkEntity } from "./ssh-key.entity.ts"
import * as SshKey from "./ssh-key.ts"
import { transact, untilWritten } from "./transaction.ts"

const Alias = z.strictObject({
  name: AliasName.describe("The command."),
  target: RepositoryPath.describe("Path in the repository of what it runs."),
})

export const View = z
  .object({
    id: z.string(),
    name: z.string(),
    url: z.string(),
    isStandard: z.boolean().describe("Provided by the stack."),
    postCloneScriptPath: z
      .string()
      .nullable()
      .describe("A note of the setup script to use when attaching. It never runs by itself: an attachment's `setupScript` does."),
    aliases: z
      .array(z.object({ name: z.string(), target: z.string() }))
      .describe("Commands that the agent has where the repository is mounted."),
    sshKeys: z.array(SshKey.View),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: "Repository", description: "A git repository that agents and tasks can mount in their workspace." })

export type View = z.infer<typeof View>

export const Listed = Page.of(View).meta({ id: "RepositoryPage" })

export const Create = z
  .strictObject({
    name: z.string().trim().min(1).max(limits.name),
    url: GitUrl.describe("`https://host/path`, `ssh://git@host/path` or `git@host:path`."),
    sshKeyId: Named.optional().describe("A key that opens it; more can be attached later."),
    postCloneScriptPath: RepositoryPath.optional(),
    aliases: z
      .array(Alias)
      .max(limits.aliasesPerRepository)
      .refine((aliases) => new Set(aliases.map(({ name }) => name)).size === aliases.length, "Each name may stand here once")
      .optional(),
  })
  .meta({ id: "CreateRepository", example: { name: "Website", url: "https://github.com/octocat/Hello-World.git" } })

export const AttachKey = z
  .strictObject({ repositoryId: Named })
  .meta({ id: "AttachSshKey", example: { repositoryId: "repo_01KAWJ5D4G0000000000000000" } })

/** A key outside the account is refused as invalid. Raises `conflict`. */
export async function create(accountId: string, body: z.output<typeof Create>): Promise<View> {
  const { sshKeyId } = body
  const repository = {
    accountId,
    repositoryId: newId("repository"),
    name: body.name,
    url: body.url,
    ...(body.postCloneScriptPath === undefined ? {} : { postCloneScriptPath: body.postCloneScriptPath }),
    aliases: body.aliases ?? [],
    ...(sshKeyId === undefined ? {} : { sshKeyIds: [sshKeyId] }),
    uses: 0,
    revision: 1,
    createdAt: now().toISOString(),
  }
  const refused = await transact({
    repository: RepositoryEntity.create(repository),
    ...(sshKeyId === undefined ? {} : link(accountId, sshKeyId, repository.repositoryId)),
  })
  if (refused.includes("key")) throw invalid("sshKeyId", `There is no SSH key ${sshKeyId}`)
  if (refused.length) throw new Problem("conflict")
  return get(accountId, repository.repositoryId)
}

/** Newest first. */
export async function list(accountId: string, request: Page.Request) {
  const page = await Page.paginate(
    accountId,
    "repositories",
    request,
    async (after, limit) => {
      const repositories = RepositoryEntity.query.byId({ accountId })
      const from = after ? repositories.lt({ repositoryId: after }) : repositories.begins({ repositoryId: "" })
      return (await from.go({ limit, order: "desc" })).data
    },
    ({ repositoryId }) => repositoryId,
  )
  return { data: await views(accountId, page.data), pageInfo: page.pageInfo }
}

/** Raises `repository_not_found`, `repository_in_use`, `conflict`. */
export async function remove(accountId: string, repositoryId: string): Promise<void> {
  const before = await row(accountId, repositoryId)
  const links = (before.sshKeyIds ?? []).map((sshKeyId) => [
    sshKeyId,
    SshKeyLinkEntity.delete({ accountId, sshKeyId, repositoryId }),
  ])
  const refused = await transact({
    ...Object.fromEntries(links),
    repository: RepositoryEntity.delete({ accountId, repositoryId }).where(
      ({ uses, revision }, { eq }) => `${eq(uses, 0)} AND ${eq(revision, before.revision)}`,
    ),
  })
  if (!refused.length) return
  const { uses } = await row(accountId, repositoryId)
  throw new Problem(uses > 0 ? "repository_in_use" : "conflict")
}

/** Repositories that a key opens, newest first. Raises `ssh_key_not_found`. */
export async function ofKey(accountId: string, sshKeyId: string, request: Page.Request) {
  await SshKey.row(accountId, sshKeyId)
  const page = await Page.paginate(
    accountId,
    `repositories ${sshKeyId}`,
    request,
    async (after, limit) => {
      const links = SshKeyLinkEntity.query.byKey({ accountId, sshKeyId })
      const from = after ? links.lt({ repositoryId: after }) : links.begins({ repositoryId: "" })
      return (await from.go({ limit, order: "desc" })).data
    },
    ({ repositoryId }) => repositoryId,
  )
  const found = await rows(
    accountId,
    page.data.map(({ repositoryId }) => repositoryId),
  )
  return { data: await views(accountId, [...found.values()]), pageInfo: page.pageInfo }
}

/** Lets a key open a repository; doing it twice is doing it once. Raises `ssh_key_not_found`, `repository_not_found`, `conflict`. */
export async function attachKey(accountId: string, sshKeyId: string, { repositoryId }: z.output<typeof AttachKey>) {
  await SshKey.row(accountId, sshKeyId)
  return untilWritten(async () => {
    const { sshKeyIds = [] } = await row(accountId, repositoryId)
    if (sshKeyIds.includes(sshKeyId)) return get(accountId, repositoryId)
    if (sshKeyIds.length >= limits.sshKeysPerRepository)
      throw invalid("repositoryId", `A repository has at most ${limits.sshKeysPerRepository} keys`)
    const refused = await transact({
      repository: RepositoryEntity.patch({ accountId, repositoryId })
        .add({ sshKeyIds: [sshKeyId], revision: 1 })
        // Others may attach theirs meanwhile.
        .where((row, is) =>
          [is.notExists(row.sshKeyIds), `${is.size(row.sshKeyIds)} < ${is.escape(limits.sshKeysPerRepository)}`].join(" OR "),
        ),
      ...link(accountId, sshKeyId, repositoryId),
    })
    if (refused.includes("key")) throw new Problem("ssh_key_not_found")
    return refused.length ? undefined : get(accountId, repositoryId)
  })
}

/** Raises `ssh_key_not_found`, `repository_not_attached`. */
export async function detachKey(accountId: string, sshKeyId: string, repositoryId: string): Promise<void> {
  await SshKey.row(accountId, sshKeyId)
  const { data } = await SshKeyLinkEntity.get({ accountId, sshKeyId, repositoryId }).go({ consistent: true })
  if (!data) throw new Problem("repository_not_attached")
  const refused = await transact(SshKey.unlink({ accountId, sshKeyId, repositoryId }))
  if (refused.length) throw new Problem("repository_not_attached")
}

/** The writes of a link besides the repository's own. */
const link = (accountId: string, sshKeyId: string, repositoryId: string) => ({
  key: SshKeyEntity.patch({ accountId, sshKeyId }).add({ revision: 1 }),
  link: SshKeyLinkEntity.put({ accountId, sshKeyId, repositoryId }),
})

/** Raises `repository_not_found`. */
export async function row(accountId: string, repositoryId: string): Promise<RepositoryRow> {
  const { data } = await RepositoryEntity.get({ accountId, repositoryId }).go({ consistent: true })
  if (!data) throw new Problem("repository_not_found")
  return data
}

/** The repositories of these ids that there are, in the order of the ids. */
export async function rows(accountId: string, ids: readonly string[]): Promise<Map<string, RepositoryRow>> {
  const wanted = [...new Set(ids)]
  if (wanted.length === 0) return new Map()
  const { data } = await RepositoryEntity.get(wanted.map((repositoryId) => ({ accountId, repositoryId }))).go({
    consistent: true,
  })
  const found = new Map(data.map((repository) => [repository.repositoryId, repository]))
  return new Map(wanted.flatMap((id) => (found.has(id) ? [[id, found.get(id)!] as const] : [])))
}

/** The writes that count what an agent mounts now in place of what it did. Refused where a repository is gone. */
export function countUses(accountId: string, before: readonly Used[], after: readonly Used[]) {
  const ids = (mounts: readonly Used[]) => new Set(mounts.map(({ repositoryId }) => repositoryId))
  const changes = [
    ...[...ids(after).difference(ids(before))].map((id) => [id, 1] as const),
    ...[...ids(before).difference(ids(after))].map((id) => [id, -1] as const),
  ]
  return Object.fromEntries(
    changes.map(([repositoryId, uses]) => [repositoryId, RepositoryEntity.patch({ accountId, repositoryId }).add({ uses })]),
  )
}

interface Used {
  repositoryId: string
}

const get = async (accountId: string, repositoryId: string): Promise<View> =>
  (await views(accountId, [await row(accountId, repositoryId)]))[0]!

/** Repositories with the keys that open them. */
export async function views(accountId: string, repositories: RepositoryRow[]): Promise<View[]> {
  const keys = await SshKey.rows(
    accountId,
    repositories.flatMap(({ sshKeyIds = [] }) => sshKeyIds),
  )
  return repositories.map((repository) => ({
    id: repository.repositoryId,
    name: repository.name,
    url: repository.url,
    isStandard: false,
    postCloneScriptPath: repository.postCloneScriptPath ?? null,
    aliases: repository.aliases,
    sshKeys: (repository.sshKeyIds ?? []).flatMap((id) => keys.get(id) ?? []).map(SshKey.view),
    createdAt: repository.createdAt,
  }))
}
