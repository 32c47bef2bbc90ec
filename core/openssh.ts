import { createPrivateKey, createPublicKey, randomBytes } from "node:crypto"

/** Keys as OpenSSH writes them: PROTOCOL.key of its sources, and RFC 4253 for the public half. */

const type = "ssh-ed25519"

/** A string on SSH's wire: its length in four bytes, then itself. */
const field = (value: string | Buffer) => {
  const bytes = Buffer.from(value)
  return Buffer.concat([uint32(bytes.length), bytes])
}

const uint32 = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** What stands before the seed of an Ed25519 key in PKCS #8. */
const pkcs8 = Buffer.from("302e020100300506032b657004220420", "hex")

/** The Ed25519 pair of a secret seed of 32 bytes: one line for `authorized_keys`, and a file for `ssh -i`, without a passphrase. */
export function keyPairOf(seed: Buffer, comment: string): { publicKey: string; privateKey: string } {
  const key = createPrivateKey({ key: Buffer.concat([pkcs8, seed]), format: "der", type: "pkcs8" })
  const point = Buffer.from(createPublicKey(key).export({ format: "jwk" }).x!, "base64url")
  const publicBlob = Buffer.concat([field(type), field(point)])
  return {
    publicKey: `${type} ${publicBlob.toString("base64")} ${comment}`,
    privateKey: armored(Buffer.concat([header, field(publicBlob), field(privateBlob(seed, point, comment))])),
  }
}

/** Neither cipher nor passphrase, and one key. */
const header = Buffer.concat([Buffer.from("openssh-key-v1\0"), field("none"), field("none"), field(""), uint32(1)])

function privateBlob(seed: Buffer, point: Buffer, comment: string) {
  // Twice the same number: with a passphrase it would tell whether that was the right one.
  const check = randomBytes(4)
  const key = [field(type), field(point), field(Buffer.concat([seed, point])), field(comment)]
  const blob = Buffer.concat([check, check, ...key])
  const padding = Buffer.from([1, 2, 3, 4, 5, 6, 7].slice(0, (8 - (blob.length % 8)) % 8))
  return Buffer.concat([blob, padding])
}

const armored = (bytes: Buffer) => {
  const lines = bytes.toString("base64").match(/.{1,70}/g)!
  return ["-----BEGIN OPENSSH PRIVATE KEY-----", ...lines, "-----END OPENSSH PRIVATE KEY-----", ""].join("\n")
}
