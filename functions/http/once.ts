import * as Idempotency from "#core/idempotency.ts"
import { limits } from "#core/limits.ts"
import { invalid } from "#core/problem.ts"
import { type Headers, header } from "./headers.ts"
import type { Raw, Route } from "./route.ts"

interface Asked {
  route: Route
  caller: object
  headers: Headers
  path: object
  query: unknown
  body: unknown
}

/** Whether an Idempotency-Key means something to this route: customers' requests that make something happen. */
export const takesKey = ({ method, door }: Pick<Route, "method" | "door">) => method === "POST" && door === "key"

/** Carries out a request: with an Idempotency-Key, at most once. */
export async function once({ route, caller, headers, path, query, body }: Asked, work: () => Promise<Raw>): Promise<Raw> {
  const key = header(headers, "idempotency-key")
  if (key === undefined || !takesKey(route)) return work()
  if (key === "" || key.length > limits.idempotencyKey)
    throw invalid("Idempotency-Key", `This header takes 1 to ${limits.idempotencyKey} characters`)
  const { accountId } = caller as { accountId: string }
  const request = JSON.stringify([route.name, path, query, body])
  const { answer, isReplayed } = await Idempotency.once({ accountId, key, request }, () => whole(work))
  return isReplayed ? { ...answer, headers: { ...answer.headers, "idempotent-replayed": "true" } } : answer
}

/** An answer that can be kept: a stream could be read only once. */
async function whole(work: () => Promise<Raw>) {
  const { status, headers, body } = await work()
  if (typeof body !== "string") throw new Error("A request with an Idempotency-Key has no streamed answer")
  return { status, headers, body }
}
