import * as Document from "#core/document.ts"
import { openRoute } from "#functions/http/route.ts"
import { serve } from "#functions/http/serve.ts"

export const routes = [
  openRoute(
    "GET /openapi.yaml",
    { summary: "Read this document", description: "Needs no key.", returns: [200, "application/yaml"] },
    () => Document.read(),
  ),
]

export const handler = serve(routes)
