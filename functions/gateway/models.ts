import * as Model from "#core/model.ts"
import { runRoute } from "#functions/http/route.ts"
import { serve } from "#functions/http/serve.ts"

export const routes = [
  runRoute(
    "ANY /agent/models/{provider}/{proxy+}",
    {
      summary: "Call the task's model provider",
      description:
        "The request as the provider takes it, without a key; the answer as the provider gives it. A body over 4 MB is stored first.",
      returns: [200, "*/*"],
      problems: [
        "invalid_request",
        "run_not_found",
        "lease_lost",
        "provider_unknown",
        "model_not_allowed",
        "provider_key_missing",
        "payload_too_large",
        "upload_incomplete",
        "provider_unreachable",
      ],
      streaming: true,
    },
    ({ run, path, event }) =>
      Model.forward(run, {
        provider: path.provider,
        path: `/${path.proxy}${event.search}`,
        method: event.httpMethod,
        headers: event.headers,
        body: event.bytes,
      }),
  ),
]

export const handler = serve(routes)
