import * as z from "zod"
import * as File from "./file.ts"
import { newId } from "./id.ts"
import * as Input from "./input.ts"
import { turnOfMessage } from "./lifecycle.ts"
import { limits } from "./limits.ts"
import { MessageEntity, type MessageRow, type MessageUse, roles } from "./message.entity.ts"
import { micros, usd } from "./money.ts"
import * as Page from "./page.ts"
import { Problem } from "./problem.ts"
import type { AgentMessage, TurnMessage } from "./protocol.ts"
import type { TaskRow } from "./task.entity.ts"
import * as Task from "./task.ts"
import * as Text from "./text.ts"

export const View = z
  .object({
    id: z.string(),
    turnNumber: z.int(),
    role: z.enum(roles),
    status: z
      .enum(["queued", "processed", "created"])
      .describe("Of a user's: queued until its turn is completed, then processed. The agent's are created."),
    content: z.string(),
    files: z.array(File.View),
    tokenUsage: z
      .object({ inputTokens: z.int(), outputTokens: z.int(), cacheReadTokens: z.int(), cacheWriteTokens: z.int() })
      .nullable(),
    costUsd: z.number().nullable().describe("By the provider's list prices: paid to the provider, not to this stack."),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: "Message", description: "What was said in a conversation." })

export const Listed = Page.of(View).meta({ id: "MessagePage" })

export const ListQuery = z.strictObject({
  order: z
    .enum(["asc", "desc"])
    .optional()
    .describe("Which end the first page is at. Within a page the oldest comes first, always."),
  ...Page.query(limits.page.messages),
})

export const Create = z
  .strictObject({
    content: z.string().trim().min(1).max(limits.text),
    inputFileIds: File.Ids.optional().describe("Uploaded files. They lie in the container in `input/`."),
  })
  .meta({ id: "SendMessage", example: { content: "Blue, please." } })

/** A message that is ready to be stored. */
export interface Said {
  messageId: string
  role: (typeof roles)[number]
  /** As text.ts keeps it. */
  content: string
  fileIds: string[]
  use?: MessageUse
}

/** What a person says. Raises `invalid_request` for files that are not there. */
export async function ofPerson(
  accountId: string,
  taskId: string,
  { content, inputFileIds = [] }: z.output<typeof Create>,
): Promise<Said> {
  const files = await File.resolve(accountId, inputFileIds, "inputFileIds")
  const fileIds = files.map(({ fileId }) => fileId)
  return { messageId: newId("message"), role: "user", content: await Text.storeFor(accountId, taskId, content), fileIds }
}

/** What an agent says, as its container reports it. */
export const said = (accountId: string, taskId: string, messages: z.output<typeof AgentMessage>[]): Promise<Said[]> =>
  Promise.all(
    messages.map(async ({ content, usage, cost_usd }) => ({
      messageId: newId("message"),
      role: "assistant" as const,
      content: await Text.storeFor(accountId, taskId, content),
      fileIds: [],
      use: {
        inputTokens: usage.input_tokens,
        outputTokens: usage.output_tokens,
        cacheReadTokens: usage.cache_read_tokens,
        cacheWriteTokens: usage.cache_write_tokens,
        costMicros: micros(cost_usd),
      },
    })),
  )

/** The row of a message that comes with a change of its task. */
export const row = (before: TaskRow, after: TaskRow, message: Said, sequence: number, createdAt: string): MessageRow => ({
  accountId: after.accountId,
  taskId: after.taskId,
  sequence,
  turnNumber: message.role === "user" ? turnOfMessage(after) : before.turnNumber,
  createdAt,
  ...message,
})

/**
 * Messages of a conversation, oldest first; with `desc` the first page is the newest, its own oldest first as well. Raises
 * `conversation_not_found`.
 */
export async function list(accountId: string, taskId: string, { order = "asc", ...request }: z.output<typeof ListQuery>) {
  const task = await Task.conversation(accountId, taskId)
  const page = await Page.paginate(
    accountId,
    `messages ${taskId} ${order}`,
    { limit: limits.page.messages, ...request },
    async (after, count) => {
      const messages = MessageEntity.query.byTask({ accountId, taskId })
      const from = { sequence: Number(after) }
      const query = after === undefined ? messages : order === "asc" ? messages.gt(from) : messages.lt(from)
      return (await query.go({ limit: count, order, consistent: true })).data
    },
    ({ sequence }) => String(sequence),
  )
  const data = await Promise.all(page.data.map((message) => view(task, message)))
  return { data: order === "asc" ? data : data.reverse(), pageInfo: page.pageInfo }
}

/** A message that was stored lately. Raises `task_not_found`, `not_found`. */
export async function get(accountId: string, taskId: string, messageId: string): Promise<z.infer<typeof View>> {
  const { data } = await MessageEntity.query
    .byTask({ accountId, taskId })
    .where((message, { eq }) => eq(message.messageId, messageId))
    .go({ count: 1, order: "desc", consistent: true })
  if (!data[0]) throw new Problem("not_found")
  return view(await Task.row(accountId, taskId), data[0])
}

/** The message that an event of its task tells of. Raises `not_found`. */
export async function numbered(task: TaskRow, sequence: number): Promise<z.infer<typeof View>> {
  const { accountId, taskId } = task
  const { data } = await MessageEntity.get({ accountId, taskId, sequence }).go({ consistent: true })
  if (!data) throw new Problem("not_found")
  return view(task, data)
}

/** Whether a file came with a message of the task. */
export async function brought(accountId: string, taskId: string, fileId: string): Promise<boolean> {
  const { data } = await MessageEntity.query
    .byTask({ accountId, taskId })
    .where(({ fileIds }, { contains }) => contains(fileIds, fileId))
    .go({ count: 1, consistent: true })
  return data.length > 0
}

/** What a person said in the current turn after a message, for its agent. */
export async function ofTurn({ accountId, taskId, turnNumber }: TaskRow, after: number): Promise<z.infer<typeof TurnMessage>[]> {
  const { data } = await MessageEntity.query
    .byTask({ accountId, taskId })
    .gt({ sequence: after })
    .where((message, { eq }) => `${eq(message.turnNumber, turnNumber)} AND ${eq(message.role, "user")}`)
    .go({ pages: "all", consistent: true })
  return Promise.all(
    data.map(async ({ messageId, sequence, content, fileIds, createdAt }) => ({
      id: messageId,
      sequence,
      content: await Text.load(content),
      files: await Input.named(accountId, fileIds),
      created_at: createdAt,
    })),
  )
}

/** Row to wire. Whether a message was processed is not written on it: its task knows which turns are done. */
export async function view({ turnsCompleted }: TaskRow, message: MessageRow): Promise<z.infer<typeof View>> {
  const { accountId, messageId, turnNumber, role, content, fileIds, use, createdAt } = message
  const files = await Promise.all(fileIds.map((fileId) => File.evenDeleted(accountId, fileId)))
  return {
    id: messageId,
    turnNumber,
    role,
    status: role === "assistant" ? "created" : turnNumber <= turnsCompleted ? "processed" : "queued",
    content: await Text.load(content),
    files: files.flatMap((file) => (file ? [File.view(file)] : [])),
    tokenUsage: use ? viewUse(use) : null,
    costUsd: use ? usd(use.costMicros) : null,
    createdAt,
  }
}

const viewUse = ({ inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens }: MessageUse) => ({
  inputTokens,
  outputTokens,
  cacheReadTokens,
  cacheWriteTokens,
})
