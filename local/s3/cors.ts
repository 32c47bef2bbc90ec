import type { IncomingHttpHeaders } from "node:http"
import { AwsError } from "../service.ts"
import type { CorsRule } from "../wiring.ts"
import type { Answer } from "./call.ts"

/** What a bucket lets pages of other origins do: Cross-Origin Resource Sharing, as S3 answers it. */

/** What is added to the answer of a request that a page sent: nothing where no rule lets it. */
export function corsHeaders(rules: readonly CorsRule[], method: string, { origin }: IncomingHttpHeaders): Headers {
  const rule = ruleFor(rules, origin, method)
  return rule ? headersOf(rule, origin!) : {}
}

/** The answer to a browser that asks whether a page may send its request. Problems: `AwsError` AccessForbidden, BadRequest. */
export function preflight(rules: readonly CorsRule[], headers: IncomingHttpHeaders): Answer {
  const { origin, "access-control-request-method": method, "access-control-request-headers": asked } = headers
  if (!origin || !method) {
    const missing = "Insufficient information. Origin and Access-Control-Request-Method are needed."
    throw new AwsError("BadRequest", missing, 400)
  }
  const wanted = asked?.split(",").map((name) => name.trim()) ?? []
  const takesThem = ({ allowedHeaders = [] }: CorsRule) => wanted.every((name) => allows(allowedHeaders, name))
  const rule = ruleFor(rules.filter(takesThem), origin, method)
  if (!rule) throw new AwsError("AccessForbidden", "CORSResponse: This CORS request is not allowed.", 403)
  return {
    status: 200,
    headers: {
      ...headersOf(rule, origin),
      ...(asked === undefined ? {} : { "access-control-allow-headers": asked.toLowerCase() }),
      ...(rule.maxAgeSeconds === undefined ? {} : { "access-control-max-age": String(rule.maxAgeSeconds) }),
    },
  }
}

type Headers = Record<string, string>

/** The first that lets the origin and the method in. */
const ruleFor = (rules: readonly CorsRule[], origin: string | undefined, method: string) =>
  rules.find(
    ({ allowedOrigins, allowedMethods }) =>
      origin !== undefined && allows(allowedOrigins, origin) && allowedMethods.includes(method),
  )

const headersOf = ({ allowedOrigins, allowedMethods, exposeHeaders = [] }: CorsRule, origin: string): Headers => ({
  "access-control-allow-origin": allowedOrigins.includes("*") ? "*" : origin,
  "access-control-allow-methods": allowedMethods.join(", "),
  ...(exposeHeaders.length ? { "access-control-expose-headers": exposeHeaders.join(", ") } : {}),
  vary: "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
})

/** A pattern may have one `*`, which stands for anything. */
const allows = (patterns: readonly string[], value: string) =>
  patterns.some((pattern) => {
    const [start = "", end] = pattern.toLowerCase().split("*")
    if (end === undefined) return start === value.toLowerCase()
    return value.length >= start.length + end.length && value.toLowerCase().startsWith(start) && value.toLowerCase().endsWith(end)
  })
