import * as z from "zod"
import { now } from "./clock.ts"
import { type Download, download as downloadOf } from "./download.ts"
import { derivedId } from "./id.ts"
import { OutputEntity, type OutputRow } from "./output.entity.ts"
import * as Page from "./page.ts"
import { invalid, Problem } from "./problem.ts"
import type { PreparedOutput, PrepareOutput } from "./protocol.ts"
import * as Storage from "./storage.ts"
import * as Task from "./task.ts"

/** Files that a task has left in `output/`. */

export const View = z
  .object({
    id: z.string(),
    filename: z.string().describe("Path below the task's `output/`."),
    contentType: z.string().nullable(),
    sizeBytes: z.number().nullable(),
    createdAt: z.iso.datetime(),
    outputName: z.string().nullable().describe("The name in the output policy that this file answers to."),
  })
  .meta({ id: "TaskFile" })

export const Listed = Page.of(View).meta({ id: "TaskFilePage" })

/** Output files of a task, in the order of their ids. Raises `task_not_found`. */
export async function list(accountId: string, taskId: string, request: Page.Request) {
  await Task.row(accountId, taskId)
  const page = await Page.paginate(
    accountId,
    `outputs ${taskId}`,
    request,
    async (after, limit) => {
      const outputs = OutputEntity.query.byTask({ accountId, taskId })
      const { data } = await (after ? outputs.gt({ fileId: after }) : outputs.begins({ fileId: "" })).go({ limit })
      return data
    },
    ({ fileId }) => fileId,
  )
  return { data: page.data.map(view), pageInfo: page.pageInfo }
}

/** The bytes of an output file: see `download.ts`. Raises `task_not_found`, `file_not_found`, `range_not_satisfiable`. */
export async function download(
  accountId: string,
  taskId: string,
  fileId: string,
  headers: Record<string, string | undefined>,
): Promise<Download> {
  await Task.row(accountId, taskId)
  const { data: output } = await OutputEntity.get({ accountId, taskId, fileId }).go({ consistent: true })
  if (!output) throw new Problem("file_not_found")
  return downloadOf(output, headers)
}

type Announced = z.output<typeof PrepareOutput>

const objectKey = (accountId: string, taskId: string, runId: string, fileId: string) =>
  `outputs/${accountId}/${taskId}/${runId}/${fileId}`

const fileIdOf = (taskId: string, filename: string) => derivedId("file", taskId, filename)

/** Where a container may put the bytes of one output: that object and that size, for a quarter of an hour. */
export async function prepare(
  accountId: string,
  taskId: string,
  runId: string,
  { filename, size_bytes }: Announced,
): Promise<z.infer<typeof PreparedOutput>> {
  const file_id = fileIdOf(taskId, checked(filename))
  const key = objectKey(accountId, taskId, runId, file_id)
  const { url, method, headers } = await Storage.presignedPut(key, { sizeBytes: size_bytes })
  return { file_id, upload_url: url, method, headers }
}

/** Makes an uploaded output visible. Raises `upload_incomplete` where its bytes are not there as announced. */
export async function complete(accountId: string, taskId: string, runId: string, output: Announced) {
  const fileId = fileIdOf(taskId, checked(output.filename))
  const key = objectKey(accountId, taskId, runId, fileId)
  const stored = await Storage.head(key)
  if (stored?.sizeBytes !== output.size_bytes) throw new Problem("upload_incomplete")
  await OutputEntity.put({
    accountId,
    taskId,
    fileId,
    filename: output.filename,
    ...(output.content_type === undefined ? {} : { contentType: output.content_type }),
    sizeBytes: output.size_bytes,
    ...(output.output_name === null ? {} : { outputName: output.output_name }),
    objectKey: key,
    createdAt: now().toISOString(),
  }).go()
  return { accepted: true as const }
}

/** A container is not to be trusted: its name must be a plain relative path. */
function checked(filename: string) {
  const isPlain =
    filename.isWellFormed() &&
    filename.split("/").every((part) => part !== "" && part !== "." && part !== "..") &&
    !/[\\\p{Cc}]/u.test(filename)
  if (!isPlain) throw invalid("filename", "This is not a relative path below output/")
  return filename
}

const view = (row: OutputRow): z.infer<typeof View> => ({
  id: row.fileId,
  filename: row.filename,
  contentType: row.contentType ?? null,
  sizeBytes: row.sizeBytes,
  createdAt: row.createdAt,
  outputName: row.outputName ?? null,
})
