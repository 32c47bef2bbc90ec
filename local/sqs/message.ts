import { type MessageAttribute, md5, md5OfAttributes } from "./input.ts"
import type { Message } from "./store.ts"

/** What AWS says of a message beside its body. */
export const systemAttributes = (message: Message): Record<string, string | undefined> => ({
  SenderId: "AIDALOCAL",
  SentTimestamp: String(message.sent),
  ApproximateReceiveCount: String(message.receives),
  ApproximateFirstReceiveTimestamp: String(message.firstReceived),
  MessageGroupId: message.groupId ?? undefined,
  DeadLetterQueueSourceArn: message.deadFrom ?? undefined,
})

/** The values that were asked for by name, or all of them. */
export const pick = (all: Record<string, string | undefined>, names: string[]) =>
  Object.fromEntries(
    Object.entries(all).filter(([name, value]) => value !== undefined && (names.includes("All") || names.includes(name))),
  )

interface Wanted {
  AttributeNames: string[]
  MessageSystemAttributeNames: string[]
  MessageAttributeNames: string[]
}

/** A message as ReceiveMessage shows it. */
export const view = (message: Message, wanted: Wanted) => {
  const system = pick(systemAttributes(message), [...wanted.AttributeNames, ...wanted.MessageSystemAttributeNames])
  const attributes = message.attributes === null ? {} : wantedOf(JSON.parse(message.attributes), wanted.MessageAttributeNames)
  return {
    MessageId: message.messageId,
    ReceiptHandle: message.receipt,
    MD5OfBody: md5(message.body),
    Body: message.body,
    ...(Object.keys(system).length > 0 && { Attributes: system }),
    ...(Object.keys(attributes).length > 0 && {
      MessageAttributes: attributes,
      MD5OfMessageAttributes: md5OfAttributes(attributes),
    }),
  }
}

/** The attributes that were asked for: by name, by the beginning of a name (`prefix.*`), or all of them. */
const wantedOf = (attributes: Record<string, MessageAttribute>, names: string[]) =>
  Object.fromEntries(
    Object.entries(attributes).filter(([name]) =>
      names.some(
        (wanted) =>
          wanted === "All" ||
          wanted === ".*" ||
          wanted === name ||
          (wanted.endsWith(".*") && name.startsWith(wanted.slice(0, -2))),
      ),
    ),
  )

const lambdaAttribute = ({ DataType, StringValue, BinaryValue }: MessageAttribute) => ({
  dataType: DataType,
  ...(StringValue !== undefined && { stringValue: StringValue }),
  ...(BinaryValue !== undefined && { binaryValue: BinaryValue }),
  stringListValues: [],
  binaryListValues: [],
})

/** A message as Lambda hands it to a function. */
export const toLambda = (message: Message, source: string) => ({
  messageId: message.messageId,
  receiptHandle: message.receipt,
  body: message.body,
  attributes: pick(systemAttributes(message), ["All"]),
  messageAttributes: Object.fromEntries(
    Object.entries(JSON.parse(message.attributes ?? "{}") as Record<string, MessageAttribute>).map(([name, value]) => [
      name,
      lambdaAttribute(value),
    ]),
  ),
  md5OfBody: md5(message.body),
  eventSource: "aws:sqs",
  eventSourceARN: source,
  awsRegion: source.split(":")[3],
})
