import { randomInt } from "node:crypto"
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Stack } from "./stack.ts"
import type { Wiring } from "./wiring.ts"

/** The account that a fresh stack has, so that a newcomer can begin with the first request. */

const operations = "functions/operate/operate"
const startingCreditUsd = 100
const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

export interface FirstKey {
  key: string
  /** Where the key is from. */
  from: "environment" | "file" | "new"
}

/** The key of the first account: what the environment says, else what the data folder keeps, else a new one, which it keeps from now on. */
export function firstKey(data: string, given: string | undefined): FirstKey {
  const path = join(data, "api-key")
  if (given) return { key: given, from: "environment" }
  if (existsSync(path)) return { key: readFileSync(path, "utf8").trim(), from: "file" }
  // 43 letters of 62 hold the 32 random bytes of every key.
  const key = `ac_live_${Array.from({ length: 43 }, () => letters[randomInt(letters.length)]).join("")}`
  writeFileSync(`${path}.new`, `${key}\n`, { mode: 0o600, flush: true })
  renameSync(`${path}.new`, path)
  return { key, from: "new" }
}

/** Makes the first account through the operator's function, unless the key has one. Rejects when the function refuses. */
export async function ensureFirstAccount(stack: Stack, wiring: Wiring, apiKey: string): Promise<void> {
  const operate = Object.entries(wiring.functions).find(([, { bundle }]) => bundle === operations)
  if (!operate) throw new Error(`The wiring has no function ${operations}`)
  const request = { operation: "ensureAccount", name: "Local", email: null, creditUsd: startingCreditUsd, apiKey }
  await stack.invoke(operate[0], request).catch((error: Error) => {
    // A key that the function refuses is one that the environment gave.
    throw new Error(error.message.replace(/^apiKey:/, "DORMOUSE_API_KEY:"))
  })
}
