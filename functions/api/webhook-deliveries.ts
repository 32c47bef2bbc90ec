import * as Delivery from "#core/delivery.ts"
import { route } from "#functions/http/route.ts"
import { serve } from "#functions/http/serve.ts"

export const routes = [
  route(
    "GET /webhook-deliveries",
    {
      summary: "List the latest deliveries",
      description: "The newest first, of all webhooks or of one.",
      query: Delivery.ListQuery,
      returns: [200, Delivery.Listed],
      problems: ["webhook_not_found"],
    },
    ({ accountId, query }) => Delivery.list(accountId, query),
  ),
  route(
    "POST /webhook-deliveries/{deliveryId}/resend",
    {
      summary: "Deliver once more",
      description: "A new delivery of the same event with the same body and the same `webhook-id`.",
      returns: [200, Delivery.View],
      problems: ["delivery_not_found", "webhook_inactive"],
    },
    ({ accountId, path }) => Delivery.resend(accountId, path.deliveryId),
  ),
]

export const handler = serve(routes)
