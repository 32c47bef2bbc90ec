import { Entity, type EntityItem } from "electrodb"
import { table } from "./aws.ts"

export const deliveryStatuses = ["pending", "retrying", "delivered", "failed", "cancelled"] as const

/** How long records of deliveries are kept. */
export const keptDays = 30

/** Where a delivery lies, for statements that ElectroDB does not make: its place in the index `byId`. */
export const placeOf = ({ accountId, deliveryId }: { accountId: string; deliveryId: string }) => ({
  pk: `${accountId}#deliveries`,
  sk: deliveryId,
})

/** One event on its way to one webhook. */
export const DeliveryEntity = new Entity(
  {
    model: { service: "dormouse", entity: "delivery", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      deliveryId: { type: "string", required: true },
      webhookId: { type: "string", required: true },
      webhookUrl: { type: "string", required: true },
      eventId: { type: "string", required: true },
      eventType: { type: "string", required: true },
      taskId: { type: "string" },
      /** The body, byte for byte the same on every attempt. As text.ts keeps it. */
      payload: { type: "string", required: true },
      status: { type: deliveryStatuses, required: true },
      attemptCount: { type: "number", required: true },
      lastStatusCode: { type: "number" },
      lastError: { type: "string" },
      /** Asked for through the API, so that nothing but the table's stream tells of it. */
      isRequested: { type: "boolean", required: true },
      createdAt: { type: "string", required: true, readOnly: true },
      deliveredAt: { type: "string" },
      nextRetryAt: { type: "string" },
      /** When the sweeper should look, and in which shard of its index. Gone once the delivery is over. */
      sweepShard: { type: "string" },
      sweepAt: { type: "string" },
      /** How often the sweeper had to put it on its way again since its last attempt. */
      sweeps: { type: "number", required: true },
      expiresAt: { type: "number", required: true },
    },
    indexes: {
      byId: {
        pk: { field: "pk", composite: ["accountId"], template: "${accountId}#deliveries", casing: "none" },
        sk: { field: "sk", composite: ["deliveryId"], template: "${deliveryId}", casing: "none" },
      },
      byWebhook: {
        index: "deliveriesByWebhook",
        pk: {
          field: "deliveriesByWebhookPk",
          composite: ["accountId", "webhookId"],
          template: "${accountId}#${webhookId}",
          casing: "none",
        },
        sk: { field: "deliveriesByWebhookSk", composite: ["deliveryId"], template: "${deliveryId}", casing: "none" },
      },
      dueForSweep: {
        index: "sweep",
        pk: { field: "sweepPk", composite: ["sweepShard"], template: "delivery-sweep#${sweepShard}", casing: "none" },
        sk: { field: "sweepSk", composite: ["sweepAt", "deliveryId"], template: "${sweepAt}#${deliveryId}", casing: "none" },
      },
    },
  },
  table,
)

export type DeliveryRow = EntityItem<typeof DeliveryEntity>
