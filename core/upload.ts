import * as z from "zod"
import { AccountEntity } from "./account.entity.ts"
import { millis, now } from "./clock.ts"
import { FileEntity, type FileRow } from "./file.entity.ts"
import * as File from "./file.ts"
import { Named, newId } from "./id.ts"
import { limits } from "./limits.ts"
import { invalid, Problem } from "./problem.ts"
import { quotas } from "./quota.ts"
import * as Storage from "./storage.ts"
import * as Sweep from "./sweep.ts"
import { transact } from "./transaction.ts"
import { UploadEntity, type UploadRow } from "./upload.entity.ts"

/**
 * Files on their way in: announced, put into the bucket by the customer, and completed. What was announced is held back from the
 * account's storage until then, and given back by the sweeper where nothing comes of it.
 */

const Filename = z
  .string()
  .max(limits.filename)
  .refine((name) => name.trim() !== "" && name !== "." && name !== "..", "A file needs a name")
  .refine((name) => !/[/\\\p{Cc}\p{Zl}\p{Zp}]/u.test(name), "A file name has no slashes, line breaks or control characters")
  .refine((name) => name.isWellFormed(), "This is not well-formed Unicode")

const ContentType = z
  .string()
  .max(255)
  .regex(/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+( *;[\x20-\x7e]*)?$/, "This is not a media type such as text/csv")

export const Prepare = z
  .strictObject({
    filename: Filename.describe("Its name in the container. Without folders."),
    contentType: ContentType.optional().describe("Kept and shown; downloads are always `application/octet-stream`."),
    sizeBytes: z
      .int()
      .min(0)
      .max(limits.fileBytes)
      .optional()
      .describe("Nothing but so many bytes is taken. Storage is held back for them until the upload is completed or expires."),
    sha256: z
      .string()
      .regex(/^[0-9a-fA-F]{64}$/, "This is not a SHA-256 in hexadecimal")
      .optional()
      .describe("Nothing but bytes of this hash are taken."),
  })
  .meta({ id: "PrepareUpload", example: { filename: "data.csv", contentType: "text/csv", sizeBytes: 12 } })

export const Prepared = z
  .object({
    uploadId: z.string(),
    uploadUrl: z.string().describe("Takes the bytes once."),
    method: z.enum(["POST", "PUT"]).describe("Always PUT."),
    headers: z.record(z.string(), z.string()).describe("To be sent with the bytes as they are."),
    expiresAt: z.iso
      .datetime()
      .nullable()
      .describe("Until then sending the bytes can begin. An hour later the upload is given up."),
  })
  .meta({ id: "PreparedUpload" })

export const Complete = z
  .strictObject({
    uploadId: Named,
    storageId: z.string().max(255).optional().describe("For uploads by POST, which this stack does not make. Has no effect."),
  })
  .meta({ id: "CompleteUpload", example: { uploadId: "upl_01JDB7Z3P0Q4W8R5T6Y7V9X2AB" } })

/** How long after its address has gone stale an upload may still be on its way. */
const graceMs = 60 * 60_000

/** How long it is remembered what has become of an upload. */
const rememberedDays = 30

/** Where to put the bytes of a file, for a quarter of an hour. Raises `storage_quota_exceeded`. */
export async function prepare(accountId: string, body: z.output<typeof Prepare>): Promise<z.infer<typeof Prepared>> {
  const uploadId = newId("upload")
  const objectKey = `files/${accountId}/${uploadId}`
  const expiresAt = millis() + Storage.putSeconds * 1000
  const { filename, contentType, sizeBytes } = body
  const sha256 = body.sha256?.toLowerCase()
  const upload = {
    accountId,
    uploadId,
    status: "prepared" as const,
    filename,
    ...(contentType === undefined ? {} : { contentType }),
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
    ...(sha256 === undefined ? {} : { sha256 }),
    objectKey,
    createdAt: now().toISOString(),
    ...Sweep.due(uploadId, expiresAt + graceMs),
  }
  const held = sizeBytes ?? 0
  const refused = await transact({ account: holdMore(accountId, held, held), upload: UploadEntity.create(upload) })
  if (refused.includes("account")) throw new Problem("storage_quota_exceeded")
  if (refused.length) throw new Problem("conflict")
  const { url, method, headers } = await Storage.presignedPut(objectKey, { sizeBytes, sha256, once: true })
  return { uploadId, uploadUrl: url, method, headers, expiresAt: new Date(expiresAt).toISOString() }
}

/** Changes how much of its storage an account has taken up, and how much of that is for uploads on their way. */
const hold = (accountId: string, bytes: number, uploading: number) =>
  AccountEntity.patch({ accountId }).add({ fileBytes: bytes, uploadBytes: uploading })

/** The same, refused where so many more bytes do not fit. */
const holdMore = (accountId: string, bytes: number, uploading: number) =>
  hold(accountId, bytes, uploading).where(({ fileBytes }, { lte }) => lte(fileBytes, quotas().fileStorageBytes - bytes))

/**
 * Makes a file of an upload whose bytes have come. Sent again, it answers the same. Raises `upload_incomplete` where they are not
 * there or not what was announced, `upload_expired`, and `storage_quota_exceeded` where a size that was not announced does not fit.
 */
export async function complete(
  accountId: string,
  { uploadId }: Pick<z.output<typeof Complete>, "uploadId">,
): Promise<z.infer<typeof File.View>> {
  const { data: upload } = await UploadEntity.get({ accountId, uploadId }).go({ consistent: true })
  if (!upload) throw invalid("uploadId", "There is no such upload")
  if (upload.status === "expired") throw new Problem("upload_expired")
  if (upload.status === "completed") return completed(upload)

  const stored = await Storage.head(upload.objectKey)
  if (!stored || !isAsAnnounced(upload, stored)) throw new Problem("upload_incomplete")
  const file = fileOf(upload, stored.sizeBytes)
  const held = upload.sizeBytes ?? 0
  const refused = await transact({
    upload: end(upload, { status: "completed", fileId: file.fileId, expiresAt: forgottenAt() }, ["sweepShard", "sweepAt"]),
    file: FileEntity.create(file),
    account: (file.sizeBytes > held ? holdMore : hold)(accountId, file.sizeBytes - held, -held),
  })
  // Somebody was faster: another call of this, whose file it is, or the sweeper.
  if (refused.includes("upload")) return complete(accountId, { uploadId })
  if (refused.includes("account")) throw new Problem("storage_quota_exceeded")
  if (refused.length) throw new Problem("conflict")
  return File.view(file)
}

async function completed({ accountId, fileId }: UploadRow) {
  const file = await File.evenDeleted(accountId, fileId!)
  if (!file || file.deletedAt) throw invalid("uploadId", "The file of this upload was deleted")
  return File.view(file)
}

const isAsAnnounced = (upload: UploadRow, stored: { sizeBytes: number; sha256: string | undefined }) =>
  (upload.sizeBytes === undefined || upload.sizeBytes === stored.sizeBytes) &&
  (upload.sha256 === undefined || upload.sha256 === stored.sha256)

const fileOf = (upload: UploadRow, sizeBytes: number): FileRow => ({
  accountId: upload.accountId,
  fileId: newId("file"),
  filename: upload.filename,
  ...(upload.contentType === undefined ? {} : { contentType: upload.contentType }),
  sizeBytes,
  objectKey: upload.objectKey,
  createdAt: now().toISOString(),
})

const forgottenAt = () => Math.floor(millis() / 1000) + rememberedDays * 86_400

/** The end of an upload, whichever comes first. */
const end = (
  { accountId, uploadId }: UploadRow,
  set: Pick<UploadRow, "status" | "fileId" | "expiresAt">,
  remove: ("sweepShard" | "sweepAt")[] = [],
) =>
  UploadEntity.patch({ accountId, uploadId })
    .set(set)
    .remove(remove)
    .where(({ status }, { eq }) => eq(status, "prepared"))

/** Gives up the uploads whose time is over: their room is free again and their bytes are deleted. Answers how many they were. */
export async function sweep(): Promise<number> {
  const due = await Sweep.overdue((sweepShard, now) =>
    UploadEntity.query
      .dueForSweep({ sweepShard })
      .lt({ sweepAt: now })
      .go({ pages: "all", attributes: ["accountId", "uploadId"] }),
  )
  await Sweep.each(
    due.map(
      ({ accountId, uploadId }) =>
        () =>
          look(accountId, uploadId),
    ),
  )
  return due.length
}

async function look(accountId: string, uploadId: string) {
  const { data: upload } = await UploadEntity.get({ accountId, uploadId }).go({ consistent: true })
  if (upload) await giveUp(upload)
}

/** In this order, so that whoever is interrupted here goes on here, and nobody can complete an upload whose bytes are being deleted. */
async function giveUp(upload: UploadRow) {
  // It was completed after the index was read: its bytes are a file's by now.
  if (upload.status === "completed") return
  const { accountId, uploadId, sizeBytes: held = 0 } = upload
  if (upload.status === "prepared") {
    const refused = await transact({ upload: end(upload, { status: "expired" }), account: hold(accountId, -held, -held) })
    if (refused.length) return
  }
  await Storage.remove(upload.objectKey)
  await UploadEntity.patch({ accountId, uploadId }).set({ expiresAt: forgottenAt() }).remove(["sweepShard", "sweepAt"]).go()
}
