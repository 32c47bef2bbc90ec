import * as Reference from "#core/reference.ts"
import { openRoute } from "#functions/http/route.ts"
import { serve } from "#functions/http/serve.ts"

export const routes = [
  openRoute(
    "GET /docs",
    {
      summary: "Read the reference",
      description: "This document as a page for people. Needs no key.",
      returns: [200, "text/html"],
    },
    () => Reference.page(),
  ),
]

export const handler = serve(routes)
