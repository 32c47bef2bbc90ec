import * as z from "zod"
import * as Agent from "./agent.ts"
import { FileEntity } from "./file.entity.ts"
import * as File from "./file.ts"
import { limits } from "./limits.ts"
import * as Page from "./page.ts"
import { invalid, Problem } from "./problem.ts"
import * as Revision from "./revision.ts"
import * as Version from "./version.ts"

/** Uploaded files that every task of an agent finds in `reference/`: a part of the agent's version. */

export const Attach = z
  .strictObject({ fileIds: File.Ids.min(1) })
  .meta({ id: "AttachReferenceFiles", example: { fileIds: ["file_01JDB7Z3P0Q4W8R5T6Y7V9X2AB"] } })

/**
 * Makes a version of the agent that has these files besides its own. Raises `agent_not_found`, `agent_archived`, `conflict`, and
 * `invalid_request` for files that the account does not have.
 */
export function attach(accountId: string, agentId: string, { fileIds }: z.output<typeof Attach>): Promise<Agent.View> {
  return Revision.revise(accountId, agentId, async ({ referenceFileIds }) => {
    const files = await File.resolve(accountId, fileIds, "fileIds")
    const all = [...new Set([...referenceFileIds, ...files.map(({ fileId }) => fileId)])]
    if (all.length > limits.referenceFiles)
      throw invalid("fileIds", `An agent has at most ${limits.referenceFiles} reference files`)
    const uses = files.map(({ fileId }, i) => {
      const use = FileEntity.patch({ accountId, fileId }).add({ agentIds: [agentId] })
      return [`file${i}`, use.where(({ deletedAt }, { notExists }) => notExists(deletedAt))] as const
    })
    return { set: { referenceFileIds: all }, writes: Object.fromEntries(uses) }
  })
}

/** Makes a version of the agent without this file. Raises `agent_not_found`, `agent_archived`, `file_not_found`, `conflict`. */
export async function detach(accountId: string, agentId: string, fileId: string): Promise<void> {
  await Revision.revise(accountId, agentId, ({ referenceFileIds }) => {
    if (!referenceFileIds.includes(fileId)) throw new Problem("file_not_found")
    return {
      set: { referenceFileIds: referenceFileIds.filter((id) => id !== fileId) },
      writes: { file: FileEntity.patch({ accountId, fileId }).delete({ agentIds: [agentId] }) },
    }
  })
}

/** The files of the agent's current version that there still are, newest first. Raises `agent_not_found`. */
export async function list(accountId: string, agentId: string, request: Page.Request) {
  const { versionId } = await Agent.readable(accountId, agentId)
  const { referenceFileIds } = await Version.row(accountId, agentId, versionId)
  const newestFirst = referenceFileIds.toSorted().reverse()
  const page = await Page.paginate(
    accountId,
    `reference files ${agentId}`,
    request,
    async (after, count) => newestFirst.filter((id) => after === undefined || id < after).slice(0, count),
    (fileId) => fileId,
  )
  // An archived agent keeps none of its files from being deleted.
  const found = await File.present(accountId, page.data)
  return { data: page.data.flatMap((id) => found.get(id) ?? []).map(File.view), pageInfo: page.pageInfo }
}
