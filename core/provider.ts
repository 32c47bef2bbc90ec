import { invalid, Problem } from "./problem.ts"

/** The providers of models, as a request has to reach them. */

interface Provider {
  /** Where it is, unless the stack says otherwise. */
  baseUrl: string
  /** Environment variable that says otherwise. */
  setting: string
  /** What the setting leaves out of the path of the base URL, by how users of this provider write it. */
  omitted: (path: string) => string
  /** What an agent may call, below the base URL. */
  paths: readonly string[]
  authorize: (key: string) => Record<string, string>
}

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

export const providers: Record<string, Provider> = {
  anthropic: {
    baseUrl: "https://api.anthropic.com/v1",
    setting: "ANTHROPIC_BASE_URL",
    // Anthropic's own clients take an address without the version, some others one with it.
    omitted: (path) => (path.endsWith("/v1") ? "" : "/v1"),
    paths: ["/messages", "/messages/count_tokens"],
    authorize: (key) => ({ "x-api-key": key }),
  },
  openai: {
    baseUrl: "https://api.openai.com/v1",
    setting: "OPENAI_BASE_URL",
    // OpenAI's clients take the path as it stands, and those of compatible servers end in other things than a version.
    omitted: (path) => (path === "" ? "/v1" : ""),
    paths: ["/responses"],
    authorize: bearer,
  },
  openrouter: {
    baseUrl: "https://openrouter.ai/api/v1",
    setting: "OPENROUTER_BASE_URL",
    // Written with the version for chat completions, and without it for Anthropic's messages.
    omitted: (path) => ({ "": "/api/v1", "/api": "/v1" })[path] ?? "",
    paths: ["/chat/completions", "/messages"],
    authorize: bearer,
  },
}

interface Asked {
  provider: string
  /** As the provider's own host would see it, with its query. */
  path: string
  method: string
}

/**
 * The address that a request to a known provider goes to. Raises `invalid_request` for what an agent may not call, and
 * `provider_unreachable` where the stack's setting is no address.
 */
export function addressOf({ provider, path, method }: Asked): string {
  const { baseUrl, setting, omitted, paths } = providers[provider]!
  const asked = new URL(`http://provider${path}`)
  const prefix = new URL(baseUrl).pathname
  const below = asked.pathname.startsWith(`${prefix}/`) ? asked.pathname.slice(prefix.length) : asked.pathname
  if (method !== "POST" || !paths.includes(below)) throw invalid("path", `An agent may not call ${method} ${asked.pathname}`)
  const set = process.env[setting]
  if (!set) return `${baseUrl}${below}${asked.search}`
  if (!URL.canParse(set)) throw new Problem("provider_unreachable", { provider, reason: `${setting} is not a URL` })
  const { origin, pathname } = new URL(set)
  const given = pathname.replace(/\/+$/, "")
  return `${origin}${given}${omitted(given)}${below}${asked.search}`
}
