import { createHmac, createSecretKey } from "node:crypto"
import * as Request from "./request.ts"

/** Standard Webhooks, https://www.standardwebhooks.com: how a receiver knows that a request is ours and unchanged. */

const prefix = "whsec_"

export const newSecret = () => `${prefix}${Request.randomBytes(32, "webhook secret").toString("base64")}`

/** As much of a secret as may be shown, to tell one from another. */
export const prefixOf = (secret: string) => secret.slice(0, prefix.length + 4)

/** The headers that go with a body. Each secret signs it, so that a receiver which knows one of them is served. */
export const signed = (id: string, timestamp: number, body: string, secrets: readonly string[]) => ({
  "webhook-id": id,
  "webhook-timestamp": String(timestamp),
  "webhook-signature": secrets.map((secret) => `v1,${mac(secret, `${id}.${timestamp}.${body}`)}`).join(" "),
})

const mac = (secret: string, content: string) =>
  // A key that is given as mere bytes takes Node longer than the HMAC.
  createHmac("sha256", createSecretKey(secret.slice(prefix.length), "base64"))
    .update(content)
    .digest("base64")
