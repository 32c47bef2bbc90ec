import { createHash } from "node:crypto"
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3"
import { setting } from "./aws.ts"
import * as Storage from "./storage.ts"

/** Up to this size a text lies in its row; above, in S3, since a row is read and paid for whole. */
const inlineBytes = 4 * 1024

const s3 = new S3Client({})

/**
 * Stores a long text and answers what a row keeps of it. Objects are named by their content within the account, so storing twice
 * is storing once and a transaction that fails afterwards leaves nothing that anybody could find. The bucket forgets `answers` by itself
 * after two days.
 */
export const store = (accountId: string, text: string, folder: "texts" | "answers" = "texts") =>
  storeIn(`${folder}/${accountId}/`, text)

/** The same for a text that is a task's own: it goes when the task is deleted. */
export const storeFor = (accountId: string, taskId: string, text: string) => storeIn(folderOf(accountId, taskId), text)

/** Deletes the texts that are a task's own. */
export const removeFor = (accountId: string, taskId: string) => Storage.removeFolder(folderOf(accountId, taskId))

const folderOf = (accountId: string, taskId: string) => `texts/${accountId}/${taskId}/`

async function storeIn(folder: string, text: string): Promise<string> {
  if (Buffer.byteLength(text) <= inlineBytes) return inline(text)
  const Key = `${folder}${createHash("sha256").update(text).digest("hex")}`
  await s3.send(
    new PutObjectCommand({ Bucket: setting("BUCKET_NAME"), Key, Body: text, ContentType: "text/plain; charset=utf-8" }),
  )
  return `s3:${Key}`
}

/** What a row keeps of a text that lies in it whatever its length. */
export const inline = (text: string) => `inline:${text}`

/** The text behind what `store` answered. */
export async function load(stored: string): Promise<string> {
  if (stored.startsWith("inline:")) return stored.slice("inline:".length)
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: setting("BUCKET_NAME"), Key: stored.slice("s3:".length) }))
  return Body!.transformToString("utf8")
}

/** The beginning of a text, without half a character at its end. */
export const cut = (text: string, length: number) => text.slice(0, length).replace(/[\ud800-\udbff]$/, "")
