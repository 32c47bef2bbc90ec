import * as ApiKey from "#core/api-key.ts"
import { Problem } from "#core/problem.ts"
import * as Run from "#core/run.ts"
import { type Headers, header } from "./headers.ts"
import type { Callers, Door } from "./route.ts"

/** Who calls, as the route's door asks for it. Raises `unauthorized`, and `foreign_run` where the path names another run. */
export async function authenticate(
  door: Door,
  headers: Headers,
  path: Record<string, string | undefined>,
  keyInQuery?: string,
): Promise<Callers[Door]> {
  switch (door) {
    case "anybody":
      return {}
    case "key":
      return ApiKey.authenticate(bearer(headers) ?? keyInQuery)
    case "claim":
      return { run: await Run.ofClaimToken(bearer(headers)) }
    case "run": {
      const run = await Run.ofToken(bearer(headers))
      if (path.run_id !== undefined && path.run_id !== run.runId) throw new Problem("foreign_run")
      return { run }
    }
  }
}

const bearer = (headers: Headers) => /^Bearer (\S+)$/i.exec(header(headers, "authorization") ?? "")?.[1]
