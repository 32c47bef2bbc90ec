import type { Readable } from "node:stream"
import { GetObjectCommand, HeadObjectCommand, NotFound, S3Client } from "@aws-sdk/client-s3"
import { getSignedUrl } from "@aws-sdk/s3-request-presigner"
import { z } from "zod"
import { setting } from "./aws.ts"
import { now } from "./clock.ts"
import { OutputEntity, type OutputRow } from "./file.entity.ts"
import { derivedId } from "./id.ts"
import { limits } from "./limits.ts"
import * as Page from "./page.ts"
import { invalid, Problem } from "./problem.ts"
import type { PreparedOutput, PrepareOutput } from "./protocol.ts"
import * as Task from "./task.ts"
import { presignedPut } from "./upload.ts"

export const TaskFile = z
  .object({
    id: z.string(),
    filename: z.string().describe("Path below the task's `output/`."),
    contentType: z.string().nullable(),
    sizeBytes: z.number().nullable(),
    createdAt: z.iso.datetime(),
    outputName: z.string().nullable().describe("The name in the output policy that this file answers to."),
  })
  .meta({ id: "TaskFile" })

export const Listed = Page.of(TaskFile).meta({ id: "TaskFilePage" })

const s3 = new S3Client({})

/** How long a presigned address may be used, in seconds. */
const downloadSeconds = 300

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

/**
 * The bytes of an output file: a stream, or for a large one an address to fetch them from within five minutes. Raises
 * `task_not_found`, `file_not_found`.
 */
export async function download(accountId: string, taskId: string, fileId: string): Promise<Download> {
  await Task.row(accountId, taskId)
  const { data: file } = await OutputEntity.get({ accountId, taskId, fileId }).go({ consistent: true })
  if (!file) throw new Problem("file_not_found")
  const disposition = dispositionOf(file.filename)
  const object = { Bucket: setting("BUCKET_NAME"), Key: file.objectKey }
  if (file.sizeBytes > limits.streamedDownloadBytes) {
    const command = new GetObjectCommand({
      ...object,
      ResponseContentDisposition: disposition,
      ResponseContentType: "application/octet-stream",
    })
    const location = await getSignedUrl(s3, command, { expiresIn: downloadSeconds, signingDate: now() })
    return { status: 302, headers: { location, "cache-control": "no-store" }, body: "" }
  }
  const { Body } = await s3.send(new GetObjectCommand(object))
  return {
    status: 200,
    headers: {
      "content-type": "application/octet-stream",
      "content-length": String(file.sizeBytes),
      "content-disposition": disposition,
      "x-content-type-options": "nosniff",
    },
    body: Body as Readable,
  }
}

interface Download {
  status: 200 | 302
  headers: Record<string, string>
  body: string | Readable
}

/** RFC 6266: a plain name for old clients, the real one in UTF-8. */
const dispositionOf = (path: string) => {
  const name = path.split("/").at(-1)!
  const plain = name.replace(/[^\x20-\x7e]|["\\%]/g, "_")
  const encoded = encodeURIComponent(name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`
}

type Output = z.output<typeof PrepareOutput>

const objectKey = (accountId: string, taskId: string, runId: string, fileId: string) =>
  `outputs/${accountId}/${taskId}/${runId}/${fileId}`

const fileIdOf = (taskId: string, filename: string) => derivedId("file", taskId, filename)

/** Where a container may put the bytes of one output: that object and that size, for a quarter of an hour. */
export async function prepare(
  accountId: string,
  taskId: string,
  runId: string,
  output: Output,
): Promise<z.infer<typeof PreparedOutput>> {
  const fileId = fileIdOf(taskId, checked(output.filename))
  const key = objectKey(accountId, taskId, runId, fileId)
  return { file_id: fileId, ...(await presignedPut(key, output.size_bytes)) }
}

/** Makes an uploaded output visible. Raises `upload_incomplete` where its bytes are not there as announced. */
export async function complete(accountId: string, taskId: string, runId: string, output: Output) {
  const fileId = fileIdOf(taskId, checked(output.filename))
  const key = objectKey(accountId, taskId, runId, fileId)
  if ((await sizeOf(key)) !== output.size_bytes) throw new Problem("upload_incomplete")
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

async function sizeOf(key: string) {
  try {
    return (await s3.send(new HeadObjectCommand({ Bucket: setting("BUCKET_NAME"), Key: key }))).ContentLength
  } catch (error) {
    if (error instanceof NotFound) return undefined
    throw error
  }
}

/** A container is not to be trusted: its name must be a plain relative path. */
function checked(filename: string) {
  const isPlain =
    filename.split("/").every((part) => part !== "" && part !== "." && part !== "..") && !/[\\\p{Cc}]/u.test(filename)
  if (!isPlain) throw invalid("filename", "This is not a relative path below output/")
  return filename
}

const view = (row: OutputRow): z.infer<typeof TaskFile> => ({
  id: row.fileId,
  filename: row.filename,
  contentType: row.contentType ?? null,
  sizeBytes: row.sizeBytes,
  createdAt: row.createdAt,
  outputName: row.outputName ?? null,
})
