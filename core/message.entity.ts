import { CustomAttributeType, Entity, type EntityItem } from "electrodb"
import { table } from "./aws.ts"

export const roles = ["user", "assistant"] as const

export interface MessageUse {
  inputTokens: number
  outputTokens: number
  cacheReadTokens: number
  cacheWriteTokens: number
  costMicros: number
}

/** One message of a conversation. Never changed: whether its turn is done is the task's to say. */
export const MessageEntity = new Entity(
  {
    model: { service: "dormouse", entity: "message", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      taskId: { type: "string", required: true },
      /** Counts the messages of the conversation, without gaps. */
      sequence: { type: "number", required: true, padding: { length: 8, char: "0" } },
      messageId: { type: "string", required: true },
      turnNumber: { type: "number", required: true },
      role: { type: roles, required: true },
      /** As text.ts keeps it. */
      content: { type: "string", required: true },
      fileIds: { type: "list", items: { type: "string" }, required: true },
      /** What it took to say it; only of the agent's. */
      use: { type: CustomAttributeType<MessageUse>("any") },
      createdAt: { type: "string", required: true },
    },
    indexes: {
      byTask: {
        pk: { field: "pk", composite: ["accountId", "taskId"], template: "${accountId}#${taskId}", casing: "none" },
        sk: { field: "sk", composite: ["sequence"], template: "message#${sequence}", casing: "none" },
      },
    },
  },
  table,
)

export type MessageRow = EntityItem<typeof MessageEntity>
