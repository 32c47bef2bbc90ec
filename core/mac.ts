import { createHmac, timingSafeEqual } from "node:crypto"
import { GenerateMacCommand, KMSClient } from "@aws-sdk/client-kms"
import { setting } from "./aws.ts"

const kms = new KMSClient({})

let key: Promise<Buffer> | undefined

/** One KMS call per process: what the stack's MAC key makes of a fixed text is the key of the MACs below. It never leaves memory. */
const signingKey = () => {
  key ??= kms
    .send(
      new GenerateMacCommand({
        KeyId: setting("MAC_KEY_ARN"),
        MacAlgorithm: "HMAC_SHA_256",
        Message: Buffer.from("dormouse signing key 1"),
      }),
    )
    .then(({ Mac }) => Buffer.from(Mac!))
  key.catch(() => {
    key = undefined
  })
  return key
}

const mac = async (purpose: string, text: string) =>
  createHmac("sha256", await signingKey())
    .update(JSON.stringify([purpose, text]))
    .digest("base64url")

/** 32 bytes that only this stack can make, the same for the same purpose and text: a key or a seed of its own for each. */
export const derive = async (purpose: string, text: string) => Buffer.from(await mac(purpose, text), "base64url")

/** `text` in a form that can be given out and is known again: base64url, a dot, its MAC. The purpose keeps kinds of tokens apart. */
export async function sign(purpose: string, text: string) {
  return `${Buffer.from(text).toString("base64url")}.${await mac(purpose, text)}`
}

/** The text of a signed token, or undefined when it is not one of ours for this purpose. */
export async function verify(purpose: string, token: string): Promise<string | undefined> {
  const [payload, given, ...rest] = token.split(".")
  if (!payload || !given || rest.length) return undefined
  const text = Buffer.from(payload, "base64url").toString("utf8")
  const wanted = Buffer.from(await mac(purpose, text))
  const got = Buffer.from(given)
  return wanted.length === got.length && timingSafeEqual(wanted, got) ? text : undefined
}
