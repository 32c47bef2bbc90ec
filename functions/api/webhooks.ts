import * as Delivery from "#core/delivery.ts"
import * as Webhook from "#core/webhook.ts"
import { route } from "#functions/http/route.ts"
import { serve } from "#functions/http/serve.ts"

export const routes = [
  route("GET /webhooks", { summary: "List webhooks", returns: [200, Webhook.Listed] }, ({ accountId }) =>
    Webhook.list(accountId),
  ),
  route(
    "POST /webhooks",
    {
      summary: "Create a webhook",
      description: "The answer is the only place where the secret is shown.",
      body: Webhook.Create,
      returns: [201, Webhook.WithSecret],
      problems: ["webhook_limit_reached", "conflict"],
    },
    ({ accountId, body }) => Webhook.create(accountId, body),
  ),
  route(
    "GET /webhooks/{webhookId}",
    { summary: "Read a webhook", returns: [200, Webhook.View], problems: ["webhook_not_found"] },
    ({ accountId, path }) => Webhook.get(accountId, path.webhookId),
  ),
  route(
    "PATCH /webhooks/{webhookId}",
    {
      summary: "Change a webhook",
      description: "The secret stays. Turned on again, it starts with a clean record.",
      body: Webhook.Update,
      returns: [200, Webhook.View],
      problems: ["webhook_not_found", "conflict"],
    },
    ({ accountId, path, body }) => Webhook.update(accountId, path.webhookId, body),
  ),
  route(
    "DELETE /webhooks/{webhookId}",
    {
      summary: "Delete a webhook",
      description: "What is under way to it is cancelled. The records of its deliveries stay for their 30 days.",
      returns: [204, null],
      problems: ["webhook_not_found", "conflict"],
    },
    ({ accountId, path }) => Webhook.remove(accountId, path.webhookId),
  ),
  route(
    "POST /webhooks/{webhookId}/rotate-secret",
    {
      summary: "Make a new secret",
      description: "For 24 hours both secrets sign, so that receivers can change over one by one.",
      returns: [200, Webhook.WithSecret],
      problems: ["webhook_not_found", "conflict"],
    },
    ({ accountId, path }) => Webhook.rotateSecret(accountId, path.webhookId),
  ),
  route(
    "POST /webhooks/{webhookId}/test",
    {
      summary: "Send a test event",
      description: "A `webhook.test`, whatever the webhook has subscribed to.",
      returns: [200, Delivery.View],
      problems: ["webhook_not_found", "webhook_inactive"],
    },
    ({ accountId, path }) => Delivery.test(accountId, path.webhookId),
  ),
]

export const handler = serve(routes)
