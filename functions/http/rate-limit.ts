import { Problem } from "#core/problem.ts"
import * as Rate from "#core/rate.ts"
import type { Callers } from "./route.ts"

/** Counts a request of a key, and says in the headers how much is left, as draft-ietf-httpapi-ratelimit-headers writes it. Raises `rate_limited`. */
export async function limitRate({ accountId, keyId }: Callers["key"], headers: Record<string, string>) {
  const { burst, windowSeconds, left, fullInSeconds, retryAfterSeconds } = await Rate.take(accountId, keyId)
  headers["ratelimit-policy"] = `"key";q=${burst};w=${windowSeconds}`
  headers.ratelimit = `"key";r=${left};t=${fullInSeconds}`
  if (retryAfterSeconds) throw new Problem("rate_limited", { retryAfterSeconds })
}
