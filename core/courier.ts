import { millis, now } from "./clock.ts"
import * as Delivered from "./delivered.ts"
import { DeliveryEntity, type DeliveryRow } from "./delivery.entity.ts"
import * as Delivery from "./delivery.ts"
import type { Message } from "./delivery-queue.ts"
import * as Egress from "./egress.ts"
import { waitAfter } from "./retry.ts"
import * as Text from "./text.ts"
import { bare, transact, unlessRefused } from "./transaction.ts"
import { WebhookEntity, type WebhookRow } from "./webhook.entity.ts"
import * as Webhook from "./webhook.ts"
import * as Signature from "./webhook-signature.ts"

/**
 * Makes the attempts of deliveries. An attempt is recorded after it was made, and the next one is planned after that: whatever fails in
 * between, the message comes again and finds what is left to do. So a receiver may be told twice, and is never not told.
 */

/** A webhook that has done nothing but fail for so long is turned off. */
const patienceMs = 5 * 86_400_000
/**
 * How long a receiver may take: in the ordinary queue hardly any time, since whoever hangs there keeps others waiting; in the slow one
 * as long as we promise. It stays there until it answers so fast that it would not be sent back.
 */
const waitMs = { ordinary: 3_000, slow: 15_000 }
const fastMs = 1_000

/** How one attempt went. */
interface Outcome {
  status?: number
  error?: string
  retryAfter?: string | undefined
  milliseconds: number
  isTimeout?: boolean
  /** Belongs into the slow queue. */
  isSlow: boolean
  /** Why it was not written down together with others. */
  recordError?: string
}

/** What to log of a message: everything about the attempt that was made, or why none was. */
export type Line = Record<string, unknown>

/** What the messages of a batch are about, as it is stored now. */
export interface Gathered {
  deliveries: DeliveryRow[]
  webhooks: WebhookRow[]
}

/** Reads what messages are about: by two calls, however many there are. */
export async function gather(messages: readonly Message[]): Promise<Gathered> {
  const [deliveries, webhooks] = await Promise.all([Delivery.findAll(messages), Webhook.findAll(messages)])
  return { deliveries, webhooks }
}

/** Makes the attempt that a message asks for, unless it was made already. The message is one of those that `gather` was given. */
export async function deliver(message: Message, gathered: Gathered): Promise<Line> {
  const { accountId, webhookId, deliveryId, attempt } = message
  return { accountId, webhookId, deliveryId, attempt, ...(await perform(message, gathered)) }
}

async function perform(message: Message, { deliveries, webhooks }: Gathered): Promise<Line> {
  const { accountId, webhookId, deliveryId, attempt } = message
  const delivery = deliveries.find((row) => row.accountId === accountId && row.deliveryId === deliveryId)
  if (!delivery) return { skipped: "The delivery is not there" }
  if (Delivery.isOver(delivery)) return { skipped: `The delivery is ${delivery.status}` }
  if (delivery.attemptCount !== attempt) {
    if (delivery.attemptCount === attempt + 1) await Delivery.send(delivery, message.isSlow)
    return { skipped: "The attempt was made already" }
  }
  const webhook = webhooks.find((row) => row.accountId === accountId && row.webhookId === webhookId)
  if (!webhook?.isActive) return cancel(delivery)
  if (webhook.isSlow && !message.isSlow) {
    await Delivery.send({ ...delivery, nextRetryAt: undefined }, true)
    return { skipped: "The webhook answers slowly" }
  }
  const outcome = await attemptOf(delivery, webhook, message.isSlow)
  if (outcome.isTimeout && !message.isSlow) return makeSlow(delivery, webhook, outcome)
  const next = await record(delivery, webhook, outcome)
  if (next) await Delivery.send(next, outcome.isSlow)
  return lineOf(delivery, outcome, next)
}

async function attemptOf({ eventId, payload }: DeliveryRow, webhook: WebhookRow, isSlow: boolean): Promise<Outcome> {
  const body = await Text.load(payload)
  const secrets = await Webhook.secrets(webhook)
  const headers = {
    "content-type": "application/json",
    "user-agent": "Dormouse-Webhooks/1",
    ...Signature.signed(eventId, Math.floor(millis() / 1000), body, secrets),
  }
  const began = performance.now()
  const took = () => Math.round(performance.now() - began)
  try {
    const { status, retryAfter } = await Egress.post(webhook.url, headers, body, isSlow ? waitMs.slow : waitMs.ordinary)
    return { status, retryAfter, milliseconds: took(), isSlow: isSlow && took() > fastMs, ...errorOf(status) }
  } catch (error) {
    if (!(error instanceof Egress.Unreachable)) throw error
    return { error: error.message, milliseconds: took(), isTimeout: error.isTimeout, isSlow: error.isTimeout }
  }
}

/** No attempt yet: it is made anew in the slow queue, where its receiver has all the time that it may take. */
async function makeSlow(delivery: DeliveryRow, webhook: WebhookRow, outcome: Outcome): Promise<Line> {
  const { accountId, webhookId, revision } = webhook
  const change = WebhookEntity.patch({ accountId, webhookId })
    .set({ isSlow: true })
    .where((attributes, { eq }) => eq(attributes.revision, revision))
  await unlessRefused(bare(change))
  await Delivery.send({ ...delivery, nextRetryAt: undefined }, true)
  return { ...lineOf(delivery, outcome, undefined), outcome: "slow" }
}

/** Anything but 2xx is a failure. */
const errorOf = (status: number): { error?: string } => {
  if (status >= 200 && status < 300) return {}
  if (status >= 300 && status < 400) return { error: `The receiver answered ${status}. Redirects are not followed.` }
  return { error: `The receiver answered ${status}.` }
}

/** Writes down how an attempt went. Answers the delivery if it is to be tried again. */
async function record(delivery: DeliveryRow, webhook: WebhookRow, outcome: Outcome): Promise<DeliveryRow | undefined> {
  const changed = webhookAfter(webhook, outcome)
  const { url } = webhook
  if (delivery.webhookUrl === url && (await isSettled(delivery, outcome, changed))) return undefined
  const attemptCount = delivery.attemptCount + 1
  const wait = outcome.error === undefined ? undefined : waitAfter(attemptCount, outcome.retryAfter, millis())
  const isGone = outcome.status === 410
  const nextRetryAt = wait === undefined || isGone ? undefined : new Date(millis() + wait).toISOString()
  const set = {
    status: statusOf(outcome, nextRetryAt),
    webhookUrl: url,
    attemptCount,
    sweeps: 0,
    ...(outcome.status === undefined ? {} : { lastStatusCode: outcome.status }),
    ...(outcome.error === undefined ? { deliveredAt: now().toISOString() } : { lastError: outcome.error }),
    ...(nextRetryAt ? { nextRetryAt, ...Delivery.watched(delivery.deliveryId, Date.parse(nextRetryAt)) } : {}),
  }
  const isRecorded = await write(delivery, set, changed)
  return isRecorded && nextRetryAt ? { ...delivery, ...set } : undefined
}

/** Whether it was written down together with others: where it is good, and changes nothing else. */
async function isSettled(delivery: DeliveryRow, outcome: Outcome, changed: Write): Promise<boolean> {
  const { status, error } = outcome
  if (error !== undefined || status === undefined || changed) return false
  try {
    await Delivered.record({ delivery, statusCode: status })
    return true
  } catch (error) {
    outcome.recordError = String(error)
    return false
  }
}

const statusOf = ({ error }: Outcome, nextRetryAt: string | undefined): DeliveryRow["status"] => {
  if (error === undefined) return "delivered"
  return nextRetryAt ? "retrying" : "failed"
}

/** The write that an attempt makes of its webhook, where it changes anything: what it is known for, and whether it is turned off. */
function webhookAfter(webhook: WebhookRow, { status, error, isSlow }: Outcome) {
  const { accountId, webhookId, failingSince, revision } = webhook
  const isOff =
    status === 410 || (error !== undefined && failingSince !== undefined && millis() - Date.parse(failingSince) >= patienceMs)
  const set = {
    ...(isOff ? { isActive: false, revision: revision + 1, updatedAt: now().toISOString() } : {}),
    ...(error !== undefined && failingSince === undefined ? { failingSince: now().toISOString() } : {}),
    ...(isSlow && !webhook.isSlow ? { isSlow } : {}),
  }
  const remove = [
    ...(error === undefined && failingSince !== undefined ? (["failingSince"] as const) : []),
    ...(!isSlow && webhook.isSlow ? (["isSlow"] as const) : []),
  ]
  if (Object.keys(set).length + remove.length === 0) return undefined
  // Another address, or turned on anew, is another webhook: what this attempt has shown does not concern it.
  return WebhookEntity.patch({ accountId, webhookId })
    .set(set)
    .remove(remove)
    .where((attributes, { eq }) => eq(attributes.revision, revision))
}

type Write = ReturnType<typeof webhookAfter>

/** What is true of a delivery only until its next attempt. */
const passing = ["lastStatusCode", "lastError", "nextRetryAt", "sweepShard", "sweepAt"] as const

/** Whether the change was written; it is not where somebody else has made the same attempt at the same moment. */
async function write(delivery: DeliveryRow, set: Partial<DeliveryRow>, webhook?: Write): Promise<boolean> {
  const { accountId, deliveryId, attemptCount } = delivery
  const gone = passing.filter((name) => set[name] === undefined)
  const change = DeliveryEntity.patch({ accountId, deliveryId })
    .set(set as { status: DeliveryRow["status"] })
    .remove(gone)
    .where((attributes, { eq }) => eq(attributes.attemptCount, attemptCount))
  if (webhook) {
    const refused = await transact({ delivery: change, webhook })
    if (!refused.includes("webhook")) return refused.length === 0
  }
  return unlessRefused(bare(change))
}

async function cancel(delivery: DeliveryRow): Promise<Line> {
  const { lastStatusCode } = delivery
  const why = { lastError: "The webhook was turned off or deleted.", ...(lastStatusCode === undefined ? {} : { lastStatusCode }) }
  await write(delivery, { status: "cancelled", ...why })
  return { skipped: "The webhook is not active" }
}

const lineOf = (delivery: DeliveryRow, outcome: Outcome, next: DeliveryRow | undefined): Line => ({
  eventId: delivery.eventId,
  eventType: delivery.eventType,
  taskId: delivery.taskId,
  ageMilliseconds: millis() - Date.parse(delivery.createdAt),
  statusCode: outcome.status,
  error: outcome.error,
  milliseconds: outcome.milliseconds,
  isSlow: outcome.isSlow,
  outcome: statusOf(outcome, next?.nextRetryAt),
  nextRetryAt: next?.nextRetryAt,
  recordError: outcome.recordError,
})
