import * as z from "zod"
import * as Agent from "./agent.ts"
import { AttachmentEntity } from "./attachment.entity.ts"
import { GitRef, MountingPoint, mountFolder, RepositoryPath } from "./git.ts"
import { Named } from "./id.ts"
import { limits } from "./limits.ts"
import * as Page from "./page.ts"
import { invalid, Problem } from "./problem.ts"
import type { RepositoryRow } from "./repository.entity.ts"
import * as Repository from "./repository.ts"
import * as Revision from "./revision.ts"
import { type Clone, TaskEntity, type TaskRow } from "./task.entity.ts"
import * as Task from "./task.ts"
import { check, isRepeated, transact, untilWritten } from "./transaction.ts"
import type { Mount } from "./version.entity.ts"
import * as Version from "./version.ts"

/** Repositories as they are mounted: by the version of an agent, by a task, by a conversation. */

const Attachment = z
  .strictObject({
    repositoryId: Named,
    tag: GitRef.describe("A branch, a tag, a commit or another reference."),
    mountingPoint: MountingPoint.describe("Folder of the workspace to clone it to. Those of a task lie beside each other."),
    setupScript: RepositoryPath.optional().describe("Path in the repository of a script to run after the clone."),
  })
  .meta({ id: "RepositoryAttachment" })

export const Attachments = z.array(Attachment).max(limits.repositories)

export const Attach = z.strictObject({ repositories: Attachments.min(1) }).meta({
  id: "AttachRepositories",
  example: { repositories: [{ repositoryId: "repo_01KAWJ5D4G0000000000000000", tag: "main", mountingPoint: "website" }] },
})

export const DetachQuery = z
  .strictObject({ mountingPoint: z.string().describe("Where it is mounted: one repository may be so more than once.") })
  .meta({ example: { mountingPoint: "website" } })

export const View = Repository.View.extend({
  tag: z.string(),
  mountingPoint: z.string(),
  setupScript: z.string().nullable(),
}).meta({ id: "AttachedRepository", description: "A repository, and how it is mounted." })

type View = z.infer<typeof View>

export const Attached = z.array(View).meta({ id: "AttachedRepositories" })

export const Listed = Page.of(View).meta({ id: "AttachedRepositoryPage" })

/** What the current version of an agent mounts, by mounting point. Raises `agent_not_found`. */
export async function list(accountId: string, agentId: string, request: Page.Request) {
  const { versionId } = await Agent.readable(accountId, agentId)
  const { repositories } = await Version.row(accountId, agentId, versionId)
  const { data, pageInfo } = await page(accountId, agentId, repositories, request)
  return { data: await views(accountId, data), pageInfo }
}

/** A page of what `owner` mounts, by mounting point. */
function page<One extends Mount>(accountId: string, owner: string, mounts: readonly One[], request: Page.Request) {
  const sorted = mounts.toSorted((a, b) => (folderOf(a) < folderOf(b) ? -1 : 1))
  const fetch = async (after: string | undefined, count: number) =>
    sorted.filter((mount) => after === undefined || folderOf(mount) > after).slice(0, count)
  return Page.paginate(accountId, `mounts ${owner}`, request, fetch, folderOf)
}

/** Mounts repositories in a new version of an agent. Raises `agent_not_found`, `agent_archived`, `conflict`. */
export async function attach(accountId: string, agentId: string, { repositories }: z.output<typeof Attach>): Promise<Agent.View> {
  return Revision.revise(accountId, agentId, async (version) => {
    await resolve(accountId, repositories, (i) => `repositories.${i}.repositoryId`)
    mustFit(version.repositories, repositories, "repositories")
    return mounting(accountId, version.repositories, [...version.repositories, ...repositories])
  })
}

/** Takes a mount away, in a new version. Raises `agent_not_found`, `repository_not_attached`, `agent_archived`, `conflict`. */
export async function detach(
  accountId: string,
  agentId: string,
  repositoryId: string,
  { mountingPoint }: z.output<typeof DetachQuery>,
): Promise<void> {
  const folder = mountFolder(mountingPoint)
  await Revision.revise(accountId, agentId, ({ repositories }) => {
    const left = repositories.filter((mount) => mount.repositoryId !== repositoryId || folderOf(mount) !== folder)
    if (left.length === repositories.length) throw new Problem("repository_not_attached")
    return mounting(accountId, repositories, left)
  })
}

const mounting = (accountId: string, before: Mount[], after: Mount[]) => ({
  set: { repositories: after },
  writes: Repository.countUses(accountId, before, after),
})

/**
 * Holds new mounts against each other and against those that are there already: no two at one place or one inside the other, and not
 * too many in all. Refuses them as what stands at `path` of the body.
 */
function mustFit(existing: readonly Mount[], added: readonly Mount[], path: string) {
  const taken = existing.map(folderOf)
  for (const [i, mount] of added.entries()) {
    const folder = folderOf(mount)
    const other = taken.find((one) => `${one}/`.startsWith(`${folder}/`) || `${folder}/`.startsWith(`${one}/`))
    if (other !== undefined)
      throw invalid(
        `${path}.${i}.mountingPoint`,
        other === folder ? `Two repositories would be mounted at ${folder}` : `${folder} and ${other} would lie in one another`,
      )
    taken.push(folder)
  }
  if (taken.length > limits.repositories) throw invalid(path, `At most ${limits.repositories} repositories in all`)
}

/** The repositories of these mounts. Refuses, as what stands at `path(index)` of the body, one that the account does not have. */
async function resolve(accountId: string, mounts: readonly Mount[], path: (index: number) => string): Promise<RepositoryRow[]> {
  const ids = mounts.map(({ repositoryId }) => repositoryId)
  const found = await Repository.rows(accountId, ids)
  const index = ids.findIndex((id) => !found.has(id))
  if (index >= 0) throw invalid(path(index), `There is no repository ${ids[index]}`)
  return ids.map((id) => found.get(id)!)
}

/** What a task mounts: its agent's version's repositories, then its own. */
export async function clones(accountId: string, ofVersion: readonly Mount[], own: readonly Mount[], path: string) {
  mustFit(ofVersion, own, path)
  return [
    ...(await cloned(accountId, ofVersion, () => "versionId")),
    ...(await cloned(accountId, own, (i) => `${path}.${i}.repositoryId`)),
  ]
}

/** Mounts with what their clones need. Refuses what `resolve` does. */
async function cloned(accountId: string, mounts: readonly Mount[], path: (index: number) => string): Promise<Clone[]> {
  const rows = await resolve(accountId, mounts, path)
  return mounts.map((mount, i) => {
    const { name, url, aliases, createdAt } = rows[i]!
    return { ...mount, name, url, aliases, createdAt }
  })
}

/** What a conversation mounts besides its agent's version, by mounting point. Raises `conversation_not_found`. */
export async function listOfConversation(accountId: string, taskId: string, request: Page.Request) {
  const task = await Task.conversation(accountId, taskId)
  const own = [...(await begunWith(task)), ...(await ofTask(accountId, taskId))]
  const { data, pageInfo } = await page(accountId, taskId, own, request)
  return { data: await viewsOfClones(task, data), pageInfo }
}

/** What a task was dispatched with besides its version's, which stand first and are the same for ever. */
async function begunWith({ accountId, taskId, agentId }: TaskRow): Promise<Clone[]> {
  const { versionId, repositories } = await Task.spec(accountId, taskId)
  if (!repositories.length) return []
  const version = await Version.row(accountId, agentId, versionId)
  return repositories.slice(version.repositories.length)
}

/** What was mounted in a task after it was dispatched. */
export const ofTask = async (accountId: string, taskId: string): Promise<Clone[]> => (await row(accountId, taskId)).repositories

const row = async (accountId: string, taskId: string) => {
  const { data } = await AttachmentEntity.get({ accountId, taskId }).go({ consistent: true })
  return data ?? { revision: 0, repositories: [] }
}

/**
 * Mounts repositories in a conversation, for the turns that begin from then on; the conversation does not notice otherwise. Answers
 * those. Raises `conversation_not_found`, `task_ended`, `conflict`.
 */
export async function attachToConversation(
  accountId: string,
  taskId: string,
  { repositories }: z.output<typeof Attach>,
): Promise<View[]> {
  // A request that has done its work before would find its own mounts in the way.
  if (isRepeated()) return attachedAt(accountId, taskId, repositories.map(folderOf))
  return untilWritten(async () => {
    const task = await Task.conversation(accountId, taskId)
    if (!task.phase || task.isCancelling) throw new Problem("task_ended")
    const spec = await Task.spec(accountId, taskId)
    if (!spec.settings.internetAccess)
      throw invalid("repositories", "Repositories come from the internet, which this conversation may not reach")
    const before = await row(accountId, taskId)
    mustFit([...spec.repositories, ...before.repositories], repositories, "repositories")
    const added = await cloned(accountId, repositories, (i) => `repositories.${i}.repositoryId`)
    const refused = await transact({
      task: check(goesOn(accountId, taskId)),
      attachments: AttachmentEntity.put({
        accountId,
        taskId,
        revision: before.revision + 1,
        repositories: [...before.repositories, ...added],
      }).where(({ revision }, { eq, notExists }) => (before.revision ? eq(revision, before.revision) : notExists(revision))),
    })
    return refused.length ? undefined : viewsOfClones(task, added)
  })
}

/** What was mounted in these folders of a conversation. Raises `conversation_not_found`. */
async function attachedAt(accountId: string, taskId: string, folders: readonly string[]): Promise<View[]> {
  const task = await Task.conversation(accountId, taskId)
  const clones = await ofTask(accountId, taskId)
  return viewsOfClones(
    task,
    clones.filter((clone) => folders.includes(folderOf(clone))),
  )
}

/** The condition that a task has not ended and is not about to. */
const goesOn = (accountId: string, taskId: string) =>
  TaskEntity.delete({ accountId, taskId }).where(
    ({ phase, isCancelling }, { exists, eq }) => `${exists(phase)} AND ${eq(isCancelling, false)}`,
  )

/** What a task mounts as shown. A repository that is gone is still cloned, and shown as it was known when it was mounted. */
const viewsOfClones = ({ accountId, createdAt }: TaskRow, clones: readonly Clone[]) =>
  views(accountId, clones, (clone) => ({
    id: clone.repositoryId,
    name: clone.name,
    url: clone.url,
    isStandard: false,
    postCloneScriptPath: null,
    aliases: clone.aliases,
    sshKeys: [],
    // Of older tasks it is not kept.
    createdAt: clone.createdAt ?? createdAt,
  }))

/** Mounts as shown. Where the repository is gone, it is what `kept` makes of the mount; by itself that is nothing. */
async function views<One extends Mount>(
  accountId: string,
  mounts: readonly One[],
  kept: (mount: One) => Repository.View | undefined = () => undefined,
): Promise<View[]> {
  const rows = await Repository.rows(
    accountId,
    mounts.map(({ repositoryId }) => repositoryId),
  )
  const shown = new Map((await Repository.views(accountId, [...rows.values()])).map((view) => [view.id, view]))
  return mounts.flatMap((mount) => {
    const { repositoryId, tag, mountingPoint, setupScript = null } = mount
    const repository = shown.get(repositoryId) ?? kept(mount)
    return repository ? [{ ...repository, tag, mountingPoint, setupScript }] : []
  })
}

const folderOf = ({ mountingPoint }: Mount) => mountFolder(mountingPoint)!
