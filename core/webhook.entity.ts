import { CustomAttributeType, Entity, type EntityItem } from "electrodb"
import { table } from "./aws.ts"
import type { EventType } from "./event.entity.ts"

export const WebhookEntity = new Entity(
  {
    model: { service: "dormouse", entity: "webhook", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      webhookId: { type: "string", required: true },
      url: { type: "string", required: true },
      /** What it wants to hear of; the usual twelve where it is left out. */
      eventTypes: { type: CustomAttributeType<EventType[]>("any") },
      isActive: { type: "boolean", required: true },
      secretId: { type: "string", required: true },
      secretPrefix: { type: "string", required: true },
      /** The secret before, which signs beside the new one until then. */
      previousSecretId: { type: "string" },
      previousSecretUntil: { type: "string" },
      /** When the first of the failures was that no success has followed. */
      failingSince: { type: "string" },
      /** Its last attempt took too long: it waits in the slow queue, where it keeps nobody else waiting. */
      isSlow: { type: "boolean" },
      revision: { type: "number", required: true },
      createdAt: { type: "string", required: true, readOnly: true },
      updatedAt: { type: "string" },
    },
    indexes: {
      byId: {
        pk: { field: "pk", composite: ["accountId"], template: "${accountId}", casing: "none" },
        sk: { field: "sk", composite: ["webhookId"], template: "webhook#${webhookId}", casing: "none" },
      },
    },
  },
  table,
)

export type WebhookRow = EntityItem<typeof WebhookEntity>
