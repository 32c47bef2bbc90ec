import { createHash } from "node:crypto"
import { Problem } from "#core/problem.ts"
import * as Request from "#core/request.ts"
import { type Headers, header } from "./headers.ts"
import type { Raw, Route } from "./route.ts"

/** Whether If-Match means something to this route: customers' changes of what is there. */
export const takesCondition = ({ method, door }: Pick<Route, "method" | "door">) =>
  door === "key" && (method === "PATCH" || method === "PUT" || method === "DELETE")

/** Whether this route's answers name the state that they show. */
export const givesTag = ({ method, door }: Pick<Route, "method" | "door">) =>
  door === "key" && (method === "GET" || method === "PATCH")

/** The same for the same answer, so that it names the state of what was read, whatever it is kept in. */
export const tagOf = (body: string) => `"${createHash("sha256").update(body).digest("base64url").slice(0, 27)}"`

/**
 * Carries out a change under its If-Match: what can be read at the same URL must be in the state that the header names, both before the
 * work and when its transaction is sent. Since that transaction is conditional on what the work has read, no change is lost in
 * between. Raises `precondition_failed`.
 */
export async function matching(
  route: Route,
  headers: Headers,
  read: (() => Promise<Raw>) | undefined,
  work: () => Promise<Raw>,
): Promise<Raw> {
  const wanted = header(headers, "if-match")?.trim()
  if (wanted === undefined || wanted === "*" || !takesCondition(route)) return work()
  const tags = wanted.split(",").map((tag) => tag.trim())
  const precondition = async () => {
    const tag = read && tagOf((await read()).body as string)
    if (tag === undefined || !tags.includes(tag)) throw new Problem("precondition_failed")
  }
  await precondition()
  return Request.run({ precondition }, work)
}
