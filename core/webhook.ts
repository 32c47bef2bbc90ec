import * as z from "zod"
import { AccountEntity } from "./account.entity.ts"
import { millis, now } from "./clock.ts"
import * as Egress from "./egress.ts"
import { type EventType, types, usualTypes } from "./event.entity.ts"
import { newId } from "./id.ts"
import { limits } from "./limits.ts"
import * as Many from "./many.ts"
import { invalid, Problem } from "./problem.ts"
import { SecretEntity } from "./secret.entity.ts"
import * as Secret from "./secret.ts"
import { transact, untilWritten } from "./transaction.ts"
import { WebhookEntity, type WebhookRow } from "./webhook.entity.ts"
import * as Signature from "./webhook-signature.ts"

export const View = z
  .object({
    id: z.string(),
    url: z.string(),
    eventTypes: z.array(z.enum(types)),
    isActive: z
      .boolean()
      .describe("Turned off by you, by an answer 410, or after five days of nothing but failures. Turn it on again with PATCH."),
    secretPrefix: z.string().describe("The beginning of the secret, to tell one from another."),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime().nullable(),
  })
  .meta({ id: "Webhook", description: "An address of yours that is told what happens to your tasks, by Standard Webhooks." })

export type View = z.infer<typeof View>

export const WithSecret = z
  .object({ webhook: View, secret: z.string().describe("`whsec_` and the key in base64. Shown here and never again.") })
  .meta({ id: "WebhookWithSecret" })

export const Listed = z.object({ data: z.array(View) }).meta({ id: "WebhookList" })

const url = z
  .string()
  .max(limits.webhookUrl)
  .describe("`https://`, on port 443 or from 1024 on, to an address of the public internet.")
const eventTypes = z.array(z.enum(types)).min(1)
const whenLeftOut = "All of them when left out, but for `task.mode_switched`, which has to be named."

export const Create = z
  .strictObject({ url, eventTypes: eventTypes.optional().describe(whenLeftOut) })
  .meta({ id: "CreateWebhook", example: { url: "https://example.com/hooks", eventTypes: ["task.finished", "task.failed"] } })

export const Update = z
  .strictObject({ url: url.optional(), eventTypes: eventTypes.optional(), isActive: z.boolean().optional() })
  .meta({ id: "UpdateWebhook", example: { isActive: true } })

/** Of an account. */
const most: number = limits.webhooks

/** How long the secret before signs beside the new one. */
const overlapMs = 24 * 3_600_000

/** Makes a webhook; the answer is the only place where its secret is shown. Raises `webhook_limit_reached`. */
export async function create(accountId: string, body: z.output<typeof Create>): Promise<z.infer<typeof WithSecret>> {
  checkUrl(body.url)
  const webhookId = newId("webhook")
  const { secret, sealed } = await newSecret(accountId)
  const webhook: WebhookRow = {
    accountId,
    webhookId,
    url: body.url,
    ...(body.eventTypes ? { eventTypes: [...new Set(body.eventTypes)] } : {}),
    isActive: true,
    secretId: sealed.secretId,
    secretPrefix: Signature.prefixOf(secret),
    revision: 1,
    createdAt: now().toISOString(),
  }
  const refused = await transact({
    account: AccountEntity.patch({ accountId })
      .add({ webhooks: 1 })
      .where(({ webhooks }, { lt }) => lt(webhooks, most)),
    webhook: WebhookEntity.create(webhook),
    secret: SecretEntity.create(sealed),
  })
  if (refused.includes("account")) throw new Problem("webhook_limit_reached")
  if (refused.length) throw new Problem("conflict")
  return { webhook: view(webhook), secret }
}

/** In the order in which they were made. */
export async function list(accountId: string) {
  return { data: (await rows(accountId)).map(view) }
}

/** Raises `webhook_not_found`. */
export async function get(accountId: string, webhookId: string): Promise<View> {
  return view(await row(accountId, webhookId))
}

/** Turned on again, it starts with a clean record. The secret stays. Raises `webhook_not_found`, `conflict`. */
export async function update(accountId: string, webhookId: string, body: z.output<typeof Update>): Promise<View> {
  if (body.url !== undefined) checkUrl(body.url)
  const set = {
    ...(body.url === undefined ? {} : { url: body.url }),
    ...(body.eventTypes === undefined ? {} : { eventTypes: [...new Set(body.eventTypes)] }),
    ...(body.isActive === undefined ? {} : { isActive: body.isActive }),
  }
  const forget = body.isActive || body.url !== undefined ? (["failingSince", "isSlow"] as const) : []
  return change(accountId, webhookId, () => ({ set, forget }))
}

/** What is under way to it is cancelled; what was delivered stays on record. Raises `webhook_not_found`, `conflict`. */
export async function remove(accountId: string, webhookId: string): Promise<void> {
  const secretOf = (secretId: string | undefined) => (secretId ? SecretEntity.delete({ accountId, secretId }) : undefined)
  await untilWritten(async () => {
    const { revision, secretId, previousSecretId } = await row(accountId, webhookId)
    const refused = await transact({
      account: AccountEntity.patch({ accountId }).add({ webhooks: -1 }),
      webhook: WebhookEntity.delete({ accountId, webhookId }).where((attributes, { eq }) => eq(attributes.revision, revision)),
      secret: secretOf(secretId),
      previous: secretOf(previousSecretId),
    })
    return refused.length ? undefined : true
  })
}

/** Makes a new secret; the one before signs beside it for 24 hours. Raises `webhook_not_found`, `conflict`. */
export async function rotateSecret(accountId: string, webhookId: string): Promise<z.infer<typeof WithSecret>> {
  // Once, however often its write is tried: a request that comes again makes up the first one again.
  const { secret, sealed } = await newSecret(accountId)
  const webhook = await change(accountId, webhookId, (before) => {
    const oldest = before.previousSecretId
    return {
      set: {
        secretId: sealed.secretId,
        secretPrefix: Signature.prefixOf(secret),
        previousSecretId: before.secretId,
        previousSecretUntil: new Date(millis() + overlapMs).toISOString(),
      },
      secrets: {
        secret: SecretEntity.create(sealed),
        oldest: oldest ? SecretEntity.delete({ accountId, secretId: oldest }) : undefined,
      },
    }
  })
  return { webhook, secret }
}

/** Raises `webhook_not_found`. */
export async function row(accountId: string, webhookId: string): Promise<WebhookRow> {
  const found = await find(accountId, webhookId)
  if (!found) throw new Problem("webhook_not_found")
  return found
}

export async function find(accountId: string, webhookId: string): Promise<WebhookRow | undefined> {
  const { data } = await WebhookEntity.get({ accountId, webhookId }).go({ consistent: true })
  return data ?? undefined
}

/** Those of them that are there, in no order. */
export const findAll = (keys: readonly Pick<WebhookRow, "accountId" | "webhookId">[]): Promise<WebhookRow[]> =>
  Many.rows(
    keys.map(({ accountId, webhookId }) => ({ accountId, webhookId })),
    (left) => WebhookEntity.get(left).go({ consistent: true }),
  )

/** The active webhooks of an account that want to hear of such an event. */
export async function subscribed(accountId: string, type: EventType): Promise<WebhookRow[]> {
  return (await rows(accountId)).filter((webhook) => webhook.isActive && wanted(webhook).includes(type))
}

const wanted = ({ eventTypes }: WebhookRow): readonly EventType[] => eventTypes ?? usualTypes

/** The secrets that sign now, the newest first. */
export async function secrets({ accountId, secretId, previousSecretId, previousSecretUntil }: WebhookRow): Promise<string[]> {
  const isOverlap = previousSecretUntil !== undefined && now().toISOString() < previousSecretUntil
  const ids = [secretId, ...(previousSecretId && isOverlap ? [previousSecretId] : [])]
  const opened = await Promise.all(ids.map((id) => opening(accountId, id)))
  return opened.filter((secret) => secret !== undefined)
}

/** A secret never changes under its id, so a function asks KMS once for each that it uses. */
const kept = new Map<string, string>()
const mostKept = 1_000

async function opening(accountId: string, secretId: string): Promise<string | undefined> {
  const known = kept.get(secretId)
  if (known) return known
  const secret = await Secret.open(accountId, secretId)
  if (kept.size >= mostKept) kept.clear()
  if (secret) kept.set(secretId, secret)
  return secret
}

async function newSecret(accountId: string) {
  const secret = Signature.newSecret()
  return { secret, sealed: await Secret.seal(accountId, "webhook-secret", secret) }
}

async function rows(accountId: string): Promise<WebhookRow[]> {
  const { data } = await WebhookEntity.query.byId({ accountId }).begins({ webhookId: "" }).go({ pages: "all", consistent: true })
  return data
}

interface Change {
  set: Partial<WebhookRow>
  forget?: readonly ("failingSince" | "isSlow")[]
  secrets?: Partial<Record<"secret" | "oldest", { params(): object } | undefined>>
}

/** Changes a webhook as it stands: `of` may be asked more than once, when others change it at the same moment. */
const change = (accountId: string, webhookId: string, of: (before: WebhookRow) => Change): Promise<View> =>
  untilWritten(async () => {
    const webhook = await row(accountId, webhookId)
    const { revision } = webhook
    const { set, forget = [], secrets } = of(webhook)
    const changed = { ...set, revision: revision + 1, updatedAt: now().toISOString() }
    const refused = await transact({
      webhook: WebhookEntity.patch({ accountId, webhookId })
        .set(changed)
        .remove([...forget])
        .where((attributes, { eq }) => eq(attributes.revision, revision)),
      ...secrets,
    })
    return refused.length ? undefined : view({ ...webhook, ...changed })
  })

const checkUrl = (text: string) => {
  const wrong = Egress.fault(text)
  if (wrong) throw invalid("url", wrong)
}

const view = (row: WebhookRow): View => ({
  id: row.webhookId,
  url: row.url,
  eventTypes: [...wanted(row)],
  isActive: row.isActive,
  secretPrefix: row.secretPrefix,
  createdAt: row.createdAt,
  updatedAt: row.updatedAt ?? null,
})
