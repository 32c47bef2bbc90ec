import { randomUUID } from "node:crypto"
import { inject } from "vitest"
import { type Aws, invoke } from "./aws.ts"

/** The front door: a running stack, entered as users do. */

export interface App extends Aws {
  /** Origin of the API. */
  apiUrl: string
  /** Invokes the operator's function. */
  operate(operation: object): Promise<Record<string, string>>
}

/** The stack that all test files share; see setup.ts. Its containers do nothing: see container.ts. */
export const shared = (): App => appOf(inject("stack"))

/** A stack that a test has started for itself. */
export const appOf = ({ apiUrl, awsUrl, credentials }: Aws & { apiUrl: string }): App => ({
  apiUrl,
  awsUrl,
  credentials,
  operate: async (operation) =>
    (await invoke({ awsUrl, credentials }, "dormouse-operate-operate", operation)) as Record<string, string>,
})

// biome-ignore lint/suspicious/noExplicitAny: bodies are read as a user's script would read them.
type Body = any

export interface Answer {
  status: number
  headers: Headers
  body: Body
}

/** A caller with a key, or without one. `send("POST /agents", body)`; paths as the documentation writes them. */
export const as = (app: App, key?: string) => ({
  send: async (call: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> => {
    const [method, path] = call.split(" ") as [string, string]
    const response = await fetch(`${app.apiUrl}/api${path.startsWith("/agent/") ? "" : "/v1"}${path}`, {
      method,
      redirect: "manual",
      headers: { ...(key ? { authorization: `Bearer ${key}` } : {}), "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    const isJson = response.headers.get("content-type")?.startsWith("application/json")
    return { status: response.status, headers: response.headers, body: isJson && text ? JSON.parse(text) : text }
  },
})

export type Caller = ReturnType<typeof as>

interface AccountOptions {
  creditUsd?: number
  billingMode?: "standard" | "unlimited_grant"
}

/** A fresh account with credit and a key of its own. */
export const newAccount = async (app: App, { creditUsd = 10, billingMode = "standard" }: AccountOptions = {}) => {
  const { accountId } = await app.operate({ operation: "createAccount", name: "Test", billingMode })
  const { apiKey } = await app.operate({ operation: "createKey", accountId })
  if (creditUsd) await app.operate({ operation: "grantCredit", accountId, usd: creditUsd, grantId: randomUUID() })
  return { accountId: accountId!, apiKey: apiKey!, ...as(app, apiKey) }
}
