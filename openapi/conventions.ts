import { limits } from "#core/limits.ts"
import type { ProblemCode } from "#core/problem.ts"
import { takesKey } from "#functions/http/once.ts"
import { givesTag, takesCondition } from "#functions/http/precondition.ts"
import type { Route } from "#functions/http/route.ts"

/** What holds for every route of a kind, said once here for the documents and for the tests. */

type Facts = Pick<Route, "door" | "method" | "query" | "body" | "problems">

/** Every problem that a route may answer: its own, and what follows from its door, method, query and body. */
export const problemsOf = (route: Facts): ProblemCode[] => [
  ...(route.door === "anybody" ? [] : ["unauthorized" as const]),
  ...(route.door === "key" ? ["rate_limited" as const] : []),
  ...(takesCondition(route) ? ["precondition_failed" as const] : []),
  ...(takesKey(route) ? (["idempotency_in_progress", "idempotency_mismatch"] as const) : []),
  ...(route.body ? (["payload_too_large", "unsupported_media_type"] as const) : []),
  ...(route.query || route.body || takesKey(route) ? ["invalid_request" as const] : []),
  ...(route.problems ?? []),
  "internal",
]

/** Headers that a request may carry. */
export const headerParameters = (route: Facts) => [
  ...(takesKey(route)
    ? [
        {
          name: "Idempotency-Key",
          in: "header",
          required: false,
          description:
            "Makes it safe to send the request again: the same key with the same request takes effect once, and is answered the same for 24 hours.",
          schema: { type: "string", minLength: 1, maxLength: limits.idempotencyKey },
        },
      ]
    : []),
  ...(takesCondition(route)
    ? [
        {
          name: "If-Match",
          in: "header",
          required: false,
          description: "The `ETag` that was read: the change is refused where the resource is no longer in that state.",
          schema: { type: "string" },
        },
      ]
    : []),
]

/** Headers of an answer that went well; undefined where there is nothing to say. */
export const responseHeaders = (route: Facts & Pick<Route, "returns">) => {
  const headers = {
    ...(route.door === "key"
      ? {
          RateLimit: text("What is left to this key: `r` requests, and `t` seconds until all of its burst is there again."),
          "RateLimit-Policy": text("What every key has: `q` requests in `w` seconds."),
        }
      : {}),
    ...(givesTag(route) && typeof route.returns[1] === "object" && route.returns[1] !== null
      ? { ETag: text("Names the state that is shown, for `If-Match`.") }
      : {}),
    ...(takesKey(route)
      ? { "Idempotent-Replayed": text("`true` where this was answered before, and nothing was done now.") }
      : {}),
  }
  return Object.keys(headers).length ? headers : undefined
}

const text = (description: string) => ({ description, schema: { type: "string" } })
