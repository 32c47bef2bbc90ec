import * as z from "zod"
import { millis, now } from "./clock.ts"
import { DeliveryEntity, type DeliveryRow, deliveryStatuses, keptDays } from "./delivery.entity.ts"
import * as Queue from "./delivery-queue.ts"
import { derivedIdAt, Named, newId } from "./id.ts"
import { limits } from "./limits.ts"
import * as Many from "./many.ts"
import { Problem } from "./problem.ts"
import * as Sweep from "./sweep.ts"
import * as Text from "./text.ts"
import { transact, unlessRefused } from "./transaction.ts"
import type { WebhookRow } from "./webhook.entity.ts"
import * as Webhook from "./webhook.ts"

export const View = z
  .object({
    id: z.string(),
    webhookId: z.string().nullable(),
    webhookUrl: z
      .string()
      .nullable()
      .describe("Where its last attempt went. Before the first: the webhook's address when the delivery was made."),
    eventId: z.string().nullable().describe("The header `webhook-id` of every attempt."),
    eventType: z.string().nullable(),
    taskId: z.string().nullable(),
    status: z
      .enum(deliveryStatuses)
      .describe(
        "`pending`: not attempted yet. `retrying`: failed so far, tried again at `nextRetryAt`. `delivered`: answered with 2xx. " +
          "`failed`: given up, after the last retry or an answer 410. `cancelled`: the webhook was turned off or deleted before, " +
          "which is found when the next attempt would have been made; nothing is sent to it.",
      ),
    attemptCount: z.int(),
    retryCount: z.int(),
    lastStatusCode: z.int().nullable(),
    lastError: z.string().nullable().describe("Why the last attempt failed, in one sentence; null where it did not."),
    createdAt: z.iso.datetime(),
    deliveredAt: z.iso.datetime().nullable(),
    nextRetryAt: z.iso.datetime().nullable(),
  })
  .meta({ id: "WebhookDelivery", description: "One event on its way to one webhook. Kept for 30 days." })

export type View = z.infer<typeof View>

export const Listed = z.object({ data: z.array(View) }).meta({ id: "WebhookDeliveryList" })

export const ListQuery = z.strictObject({
  webhookId: Named.optional(),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(limits.page.max)
    .default(limits.page.deliveries)
    .describe(`How many to answer at most: 1 to ${limits.page.max}, ${limits.page.deliveries} when left out.`),
})

/** How long after a moment at which something should have happened the sweeper looks whether it did. */
const graceMs = 15 * 60_000

/** The body of a request, by the convention of Standard Webhooks. */
export interface Payload {
  type: string
  timestamp: string
  data: object
}

/** What a delivery tells of. */
interface News {
  eventId: string
  taskId?: string | undefined
  payload: Payload
}

/** The latest deliveries, the newest first. Raises `webhook_not_found`. */
export async function list(accountId: string, { webhookId, limit }: z.output<typeof ListQuery>) {
  if (webhookId !== undefined) await Webhook.row(accountId, webhookId)
  const { data } = await (webhookId === undefined
    ? DeliveryEntity.query.byId({ accountId }).go({ count: limit, order: "desc" })
    : DeliveryEntity.query.byWebhook({ accountId, webhookId }).go({ count: limit, order: "desc", hydrate: true }))
  return { data: data.map(view) }
}

/** Sends a `webhook.test` to a webhook, whatever it has subscribed to. Raises `webhook_not_found`, `webhook_inactive`. */
export async function test(accountId: string, webhookId: string): Promise<View> {
  const webhook = await Webhook.row(accountId, webhookId)
  const payload = { type: "webhook.test", timestamp: now().toISOString(), data: { accountId } }
  return request(webhook, { eventId: newId("event"), payload: await store(accountId, payload), eventType: payload.type })
}

/** Delivers once more what was delivered, as a new delivery of the same event. Raises `delivery_not_found`, `webhook_inactive`. */
export async function resend(accountId: string, deliveryId: string): Promise<View> {
  const { webhookId, eventId, eventType, taskId, payload } = await row(accountId, deliveryId)
  const webhook = await Webhook.find(accountId, webhookId)
  if (!webhook) throw new Problem("webhook_inactive")
  return request(webhook, { eventId, eventType, payload, ...(taskId === undefined ? {} : { taskId }) })
}

/** Makes the delivery of an event to a webhook and puts it on its way; made already, it is put on its way again. */
export async function announce(webhook: WebhookRow, { eventId, taskId, payload }: News): Promise<void> {
  const { accountId, webhookId } = webhook
  const deliveryId = derivedIdAt("delivery", Date.parse(payload.timestamp), eventId, webhookId)
  const told = { eventId, eventType: payload.type, payload: await store(accountId, payload), ...(taskId ? { taskId } : {}) }
  const delivery = { ...blank(webhook, deliveryId), ...told, isRequested: false }
  await unlessRefused(DeliveryEntity.create(delivery))
  await send(delivery, webhook.isSlow)
}

/** Has the next attempt made when it is due. */
export const send = ({ accountId, webhookId, deliveryId, attemptCount, nextRetryAt }: DeliveryRow, isSlow = false) =>
  Queue.enqueue(
    { accountId, webhookId, deliveryId, attempt: attemptCount, isSlow },
    nextRetryAt === undefined ? 0 : Date.parse(nextRetryAt),
  )

export async function find(accountId: string, deliveryId: string): Promise<DeliveryRow | undefined> {
  const { data } = await DeliveryEntity.get({ accountId, deliveryId }).go({ consistent: true })
  return data ?? undefined
}

/** Those of them that are there, in no order. */
export const findAll = (keys: readonly Pick<DeliveryRow, "accountId" | "deliveryId">[]): Promise<DeliveryRow[]> =>
  Many.rows(
    keys.map(({ accountId, deliveryId }) => ({ accountId, deliveryId })),
    (left) => DeliveryEntity.get(left).go({ consistent: true }),
  )

/** Attributes that make the sweeper look some time after a moment at which something should have happened. */
export const watched = (deliveryId: string, at: number) => Sweep.due(deliveryId, at + graceMs)

export const isOver = ({ status }: Pick<DeliveryRow, "status">) => status !== "pending" && status !== "retrying"

/** Raises `delivery_not_found`. */
async function row(accountId: string, deliveryId: string): Promise<DeliveryRow> {
  const found = await find(accountId, deliveryId)
  if (!found) throw new Problem("delivery_not_found")
  return found
}

/** A delivery that was asked for: the table's stream puts it on its way. */
async function request(webhook: WebhookRow, told: Pick<DeliveryRow, "eventId" | "eventType" | "payload"> & { taskId?: string }) {
  if (!webhook.isActive) throw new Problem("webhook_inactive")
  const delivery = { ...blank(webhook, newId("delivery")), ...told, isRequested: true }
  if ((await transact({ delivery: DeliveryEntity.create(delivery) })).length) throw new Problem("conflict")
  return view(delivery)
}

const blank = ({ accountId, webhookId, url }: WebhookRow, deliveryId: string) => ({
  accountId,
  deliveryId,
  webhookId,
  webhookUrl: url,
  status: "pending" as const,
  attemptCount: 0,
  sweeps: 0,
  createdAt: now().toISOString(),
  expiresAt: Math.floor(millis() / 1000) + keptDays * 86_400,
  ...watched(deliveryId, millis()),
})

const store = (accountId: string, payload: Payload) => Text.store(accountId, JSON.stringify(payload))

const view = (delivery: DeliveryRow): View => ({
  id: delivery.deliveryId,
  webhookId: delivery.webhookId,
  webhookUrl: delivery.webhookUrl,
  eventId: delivery.eventId,
  eventType: delivery.eventType,
  taskId: delivery.taskId ?? null,
  status: delivery.status,
  attemptCount: delivery.attemptCount,
  retryCount: Math.max(0, delivery.attemptCount - 1),
  lastStatusCode: delivery.lastStatusCode ?? null,
  lastError: delivery.lastError ?? null,
  createdAt: delivery.createdAt,
  deliveredAt: delivery.deliveredAt ?? null,
  nextRetryAt: delivery.nextRetryAt ?? null,
})
