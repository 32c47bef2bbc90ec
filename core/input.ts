import type { z } from "zod"
import * as File from "./file.ts"
import { Problem } from "./problem.ts"
import type { Bundle, FileAddress } from "./protocol.ts"
import * as Storage from "./storage.ts"
import type { SpecRow } from "./task.entity.ts"

/** The files that a task's container is given to read: those of the task, and the reference files of its agent. */

type Named = z.infer<typeof Bundle>["input_files"]

/** The files of these ids, as a container is told of them. One that is gone keeps its place, so that its lack is noticed there. */
export const named = (accountId: string, fileIds: readonly string[]): Promise<Named> =>
  Promise.all(
    fileIds.map(async (id) => {
      const file = await File.evenDeleted(accountId, id)
      return { id, filename: file?.filename ?? id, size_bytes: file?.sizeBytes ?? null }
    }),
  )

/** Where the container of a task may read one of the task's files, or one that a message brought, for five minutes. Raises `file_not_found`. */
export async function address(spec: SpecRow, fileId: string, isBrought: boolean): Promise<z.infer<typeof FileAddress>> {
  const isGiven = isBrought || spec.inputFileIds.includes(fileId) || spec.referenceFileIds.includes(fileId)
  const file = isGiven ? await File.evenDeleted(spec.accountId, fileId) : null
  if (!file) throw new Problem("file_not_found")
  return { url: await Storage.presignedGet(file.objectKey) }
}
