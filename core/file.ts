import * as z from "zod"
import { AccountEntity } from "./account.entity.ts"
import { AgentEntity } from "./agent.entity.ts"
import { millis, now } from "./clock.ts"
import { type Download, download as downloadOf } from "./download.ts"
import { FileEntity, type FileRow } from "./file.entity.ts"
import { Named } from "./id.ts"
import { limits } from "./limits.ts"
import * as Page from "./page.ts"
import { invalid, Problem } from "./problem.ts"
import * as Storage from "./storage.ts"
import * as Sweep from "./sweep.ts"
import { transact } from "./transaction.ts"

/** Files that customers have uploaded, to be given to agents and tasks. */

export const View = z
  .object({
    id: z.string(),
    filename: z.string(),
    contentType: z.string().nullable(),
    sizeBytes: z.number().nullable(),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: "File" })

export const Listed = Page.of(View).meta({ id: "FilePage" })

/** Files in the body of a request. Look them up with `resolve`. */
export const Ids = z.array(Named).max(limits.inputFiles)

/** Newest first. */
export async function list(accountId: string, request: Page.Request) {
  const page = await Page.paginate(
    accountId,
    "files",
    request,
    async (after, count) => {
      const files = FileEntity.query.byId({ accountId })
      const { data } = await (after ? files.lt({ fileId: after }) : files.begins({ fileId: "" }))
        .where(({ deletedAt }, { notExists }) => notExists(deletedAt))
        .go({ count, order: "desc" })
      return data
    },
    ({ fileId }) => fileId,
  )
  return { data: page.data.map(view), pageInfo: page.pageInfo }
}

/** Raises `file_not_found`. */
export async function get(accountId: string, fileId: string): Promise<z.infer<typeof View>> {
  return view(await row(accountId, fileId))
}

/** The bytes of a file: see `download.ts`. Raises `file_not_found`, `range_not_satisfiable`. */
export async function download(
  accountId: string,
  fileId: string,
  headers: Record<string, string | undefined>,
): Promise<Download> {
  return downloadOf(await row(accountId, fileId), headers)
}

/** Raises `file_not_found`. */
export async function row(accountId: string, fileId: string): Promise<FileRow> {
  const file = await evenDeleted(accountId, fileId)
  if (!file || file.deletedAt) throw new Problem("file_not_found")
  return file
}

/** The file as long as there is anything of it, deleted or not. */
export async function evenDeleted(accountId: string, fileId: string): Promise<FileRow | null> {
  const { data } = await FileEntity.get({ accountId, fileId }).go({ consistent: true })
  return data
}

/**
 * The files that a body names, each once, in its order. One that the account does not have is a mistake in the body: raises
 * `invalid_request` at `field`, with its place there.
 */
export async function resolve(accountId: string, fileIds: readonly string[], field: string): Promise<FileRow[]> {
  const found = await present(accountId, fileIds)
  return [...new Set(fileIds)].map((fileId) => {
    const file = found.get(fileId)
    if (!file) throw invalid(`${field}.${fileIds.indexOf(fileId)}`, "There is no such file")
    return file
  })
}

/** Which of these the account does not have, or not any more. */
export async function missing(accountId: string, fileIds: readonly string[]): Promise<string[]> {
  const found = await present(accountId, fileIds)
  return fileIds.filter((fileId) => !found.has(fileId))
}

/** Those of these files that the account has, by their ids. */
export async function present(accountId: string, fileIds: readonly string[]) {
  const files = await Promise.all([...new Set(fileIds)].map((fileId) => evenDeleted(accountId, fileId)))
  return new Map(files.flatMap((file) => (file && !file.deletedAt ? [[file.fileId, file] as const] : [])))
}

/** How long the bytes of a deleted file stay: longer than a task that was given it can wait for its first start. */
const keptMs = 7 * 86_400_000

/**
 * Deletes a file: it is gone for its owner and its room is free at once; tasks that were given it before still find it for a week.
 * Raises `file_not_found`, and `file_in_use` where it is a reference file of an agent.
 */
export async function remove(accountId: string, fileId: string): Promise<void> {
  const file = await row(accountId, fileId)
  await releaseFromArchived(file)
  const refused = await transact({
    file: FileEntity.patch({ accountId, fileId })
      .set({ deletedAt: now().toISOString(), ...Sweep.due(fileId, millis() + keptMs) })
      .where(({ deletedAt, agentIds }, { notExists }) => `${notExists(deletedAt)} AND ${notExists(agentIds)}`),
    account: AccountEntity.patch({ accountId }).add({ fileBytes: -file.sizeBytes }),
  })
  // Somebody has deleted it or begun to use it since it was looked at.
  if (refused.includes("file")) return remove(accountId, fileId)
}

/** Archived agents take no new tasks, so nobody need ask them. Raises `file_in_use` where another has the file. */
async function releaseFromArchived({ accountId, fileId, agentIds = [] }: FileRow) {
  if (!agentIds.length) return
  const agents = await Promise.all(agentIds.map((agentId) => AgentEntity.get({ accountId, agentId }).go({ consistent: true })))
  const using = agents.flatMap(({ data }) => (data && !data.archivedAt ? [data.agentId] : []))
  if (using.length) throw new Problem("file_in_use", { agentIds: using })
  await FileEntity.patch({ accountId, fileId }).delete({ agentIds }).go()
}

/** Deletes what is left of the files whose time has come. Answers how many they were. */
export async function sweep(): Promise<number> {
  const due = await Sweep.overdue((sweepShard, now) =>
    FileEntity.query
      .dueForSweep({ sweepShard })
      .lt({ sweepAt: now })
      .go({ pages: "all", attributes: ["accountId", "fileId"] }),
  )
  await Sweep.each(
    due.map(
      ({ accountId, fileId }) =>
        () =>
          forget(accountId, fileId),
    ),
  )
  return due.length
}

async function forget(accountId: string, fileId: string) {
  const file = await evenDeleted(accountId, fileId)
  if (!file) return
  await Storage.remove(file.objectKey)
  await FileEntity.delete({ accountId, fileId }).go()
}

/** Row to wire, field by field: a new column stays private until someone adds it here. */
export const view = (row: FileRow): z.infer<typeof View> => ({
  id: row.fileId,
  filename: row.filename,
  contentType: row.contentType ?? null,
  sizeBytes: row.sizeBytes,
  createdAt: row.createdAt,
})
