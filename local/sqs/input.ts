import { createHash } from "node:crypto"
import * as z from "zod"
import { AwsError } from "../service.ts"
import type { NewMessage } from "./store.ts"

/** What callers send, as SQS reads it. */

const mostBytes = 1024 ** 2
/** Characters that XML 1.0 has no way to write. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones that are refused.
const unwritable = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/u

const attribute = z.object({ DataType: z.string(), StringValue: z.string().optional(), BinaryValue: z.string().optional() })
export type MessageAttribute = z.infer<typeof attribute>

const seconds = (most: number) => z.int().min(0).max(most)

const message = z.object({
  MessageBody: z.string(),
  DelaySeconds: seconds(900).optional(),
  MessageAttributes: z.record(z.string(), attribute).optional(),
  MessageGroupId: z
    .string()
    .regex(/^[\w!-/:-@[-`{-~]{1,128}$/)
    .optional(),
})

const entryId = z.object({ Id: z.string().regex(/^[\w-]{1,80}$/) })
const receipt = z.object({ ReceiptHandle: z.string() })
const visibility = receipt.extend({ VisibilityTimeout: seconds(43_200) })

export const schemas = {
  send: message,
  sendBatch: z.array(message.extend(entryId.shape)),
  receive: z.object({
    MaxNumberOfMessages: z.int().min(1).max(10).default(1),
    WaitTimeSeconds: seconds(20).optional(),
    VisibilityTimeout: seconds(43_200).optional(),
    AttributeNames: z.array(z.string()).default([]),
    MessageSystemAttributeNames: z.array(z.string()).default([]),
    MessageAttributeNames: z.array(z.string()).default([]),
  }),
  delete: receipt,
  deleteBatch: z.array(receipt.extend(entryId.shape)),
  visibility,
  visibilityBatch: z.array(visibility.extend(entryId.shape)),
  attributes: z.object({ AttributeNames: z.array(z.string()).default([]) }),
}

/** Reads an input, or says which part of it is wrong. */
export const read = <Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> => {
  const { data, error } = schema.safeParse(input)
  if (!error) return data
  const [issue] = error.issues
  const name = issue?.path.findLast((step) => typeof step === "string") ?? "Entries"
  throw new AwsError("InvalidParameterValue", `Value for parameter ${name} is invalid. Reason: ${issue?.message}.`)
}

/** The entries of a batch: one to ten, each with an id of its own. */
export const readBatch = <Schema extends z.ZodType>(schema: Schema, entries: unknown): z.output<Schema> => {
  const list = Array.isArray(entries) ? (entries as { Id?: unknown }[]) : []
  const ids = new Set(list.map((entry) => entry?.Id))
  if (list.length === 0) throw new AwsError("EmptyBatchRequest", "There should be at least one entry in the request.")
  if (list.length > 10) {
    throw new AwsError(
      "TooManyEntriesInBatchRequest",
      `Maximum number of entries per request are 10. You have sent ${list.length}.`,
    )
  }
  if (ids.size < list.length) throw new AwsError("BatchEntryIdsNotDistinct", "Two or more batch entries have the same Id.")
  return read(schema, list)
}

type Sent = z.infer<typeof message>

/** The messages of a call. Throws for what cannot be carried, or is too much for one call. */
export const readMessages = (sent: Sent[]): NewMessage[] => {
  const bytes = sent.reduce(
    (sum, one) => sum + Buffer.byteLength(one.MessageBody + JSON.stringify(one.MessageAttributes ?? "")),
    0,
  )
  if (bytes > mostBytes) {
    const code = sent.length > 1 ? "BatchRequestTooLong" : "InvalidParameterValue"
    throw new AwsError(code, `One or more parameters are invalid. Reason: Message must be shorter than ${mostBytes} bytes.`)
  }
  return sent.map(({ MessageBody, DelaySeconds, MessageAttributes, MessageGroupId }) => {
    if (MessageBody === "") throw new AwsError("MissingParameter", "The request must contain the parameter MessageBody.")
    if (unwritable.test(MessageBody)) {
      throw new AwsError("InvalidMessageContents", "Invalid characters found. Valid unicode characters are those of XML 1.0.")
    }
    const attributes = MessageAttributes && JSON.stringify(MessageAttributes)
    return { body: MessageBody, attributes, delaySeconds: DelaySeconds, groupId: MessageGroupId }
  })
}

export const md5 = (content: string | Buffer) => createHash("md5").update(content).digest("hex")

const sized = (content: string | Buffer) => {
  const bytes = Buffer.from(content as string)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

/** SQS's own way to sum up message attributes: by name, each with lengths, type and a byte that tells text from bytes. */
export const md5OfAttributes = (attributes: Record<string, MessageAttribute>) =>
  md5(
    Buffer.concat(
      Object.entries(attributes)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .flatMap(([name, { DataType, StringValue, BinaryValue }]) => [
          sized(name),
          sized(DataType),
          Buffer.from([BinaryValue === undefined ? 1 : 2]),
          sized(BinaryValue === undefined ? (StringValue ?? "") : Buffer.from(BinaryValue, "base64")),
        ]),
    ),
  )
