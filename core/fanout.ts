import * as z from "zod"
import * as Delivery from "./delivery.ts"
import { types } from "./event.entity.ts"
import * as Event from "./event.ts"
import * as Webhook from "./webhook.ts"

/** An event as the bus hands it on. */
export const Announcement = z.object({ "detail-type": z.enum(types), detail: Event.Detail })

/** Makes a delivery for every webhook that wants to hear of an event. Called again, it makes no more. */
export async function fanOut({ "detail-type": type, detail }: z.output<typeof Announcement>): Promise<Record<string, unknown>> {
  const { id: eventId, occurredAt: timestamp, ...data } = detail
  const webhooks = await Webhook.subscribed(detail.accountId, type)
  const payload = { type, timestamp, data }
  await Promise.all(webhooks.map((webhook) => Delivery.announce(webhook, { eventId, taskId: detail.taskId, payload })))
  return { accountId: detail.accountId, taskId: detail.taskId, eventId, eventType: type, deliveries: webhooks.length }
}
