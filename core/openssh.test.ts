import { randomBytes, sign, verify } from "node:crypto"
import { expect, test } from "vitest"
import { keyPairOf } from "./openssh.ts"

const seed = randomBytes(32)

/** The strings of an SSH blob. */
const fields = (blob: Buffer): Buffer[] => {
  if (blob.length === 0) return []
  const length = blob.readUInt32BE()
  return [blob.subarray(4, 4 + length), ...fields(blob.subarray(4 + length))]
}

const bodyOf = (pem: string) => Buffer.from(pem.split("\n").slice(1, -2).join(""), "base64")

test("the public half is one line that names its kind, the key and the comment", () => {
  const [type, blob, comment, ...rest] = keyPairOf(seed, "ssh_1").publicKey.split(" ")
  expect([type, comment, rest]).toEqual(["ssh-ed25519", "ssh_1", []])
  expect(fields(Buffer.from(blob!, "base64")).map(({ length }) => length)).toEqual([11, 32])
})

test("the private half is a file as ssh-keygen writes it, with the same public key in it twice", () => {
  const { publicKey, privateKey } = keyPairOf(seed, "ssh_1")
  expect(privateKey).toMatch(
    /^-----BEGIN OPENSSH PRIVATE KEY-----\n([\w+/=]{70}\n)+[\w+/=]{1,70}\n-----END OPENSSH PRIVATE KEY-----\n$/,
  )
  const bytes = bodyOf(privateKey)
  expect(bytes.subarray(0, 15).toString()).toBe("openssh-key-v1\0")
  const [cipher, kdf] = fields(bytes.subarray(15, 15 + 8 + 8))
  expect([String(cipher), String(kdf)]).toEqual(["none", "none"])
  const blob = Buffer.from(publicKey.split(" ")[1]!, "base64")
  expect(bytes.indexOf(blob)).toBeGreaterThan(0)

  expect(bytes.indexOf(Buffer.concat([seed, fields(blob)[1]!]))).toBeGreaterThan(0)
})

test("the public half is the one that verifies what the private half signs", () => {
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed])
  const signed = sign(null, Buffer.from("text"), { key: der, format: "der", type: "pkcs8" })
  const x = fields(Buffer.from(keyPairOf(seed, "ssh_1").publicKey.split(" ")[1]!, "base64"))[1]!.toString("base64url")
  expect(verify(null, Buffer.from("text"), { key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" }, signed)).toBe(true)
})
