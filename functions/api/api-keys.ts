import * as z from "zod"
import * as ApiKey from "#core/api-key.ts"
import * as Page from "#core/page.ts"
import { route } from "#functions/http/route.ts"
import { serve } from "#functions/http/serve.ts"

export const routes = [
  route(
    "GET /api-keys",
    {
      summary: "List API keys",
      description: "Newest first.",
      query: z.strictObject(Page.query()),
      returns: [200, ApiKey.Listed],
    },
    ({ accountId, query }) => ApiKey.list(accountId, query),
  ),
  route(
    "POST /api-keys",
    {
      summary: "Make an API key",
      description: "The answer is the only place where the key is ever shown.",
      body: ApiKey.Make,
      returns: [201, ApiKey.Made],
    },
    ({ accountId, body }) => ApiKey.make(accountId, body),
  ),
  route(
    "GET /api-keys/{keyId}",
    {
      summary: "Read an API key",
      description: "What tells it from others. The key itself is not shown again.",
      returns: [200, ApiKey.View],
      problems: ["api_key_not_found"],
    },
    ({ accountId, path }) => ApiKey.get(accountId, path.keyId),
  ),
  route(
    "DELETE /api-keys/{keyId}",
    {
      summary: "Take an API key away",
      description:
        "Within a minute it is refused everywhere. One's last key can be taken away too: then only the operator can make one.",
      returns: [204, null],
      problems: ["api_key_not_found"],
    },
    ({ accountId, path }) => ApiKey.remove(accountId, path.keyId),
  ),
]

export const handler = serve(routes)
