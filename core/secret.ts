import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto"
import { DecryptCommand, GenerateDataKeyCommand, KMSClient } from "@aws-sdk/client-kms"
import { setting } from "./aws.ts"
import { derivedId, newId } from "./id.ts"
import { type kinds, SecretEntity } from "./secret.entity.ts"

type Kind = (typeof kinds)[number]

const kms = new KMSClient({})

/** Ties a ciphertext to its owner: it cannot be decrypted in another account's row. */
const context = (accountId: string, kind: Kind, id: string) => ({ accountId, kind, id })

/** The id under which an account keeps its own key of a provider: the same whenever the key changes, so that it can be referred to. */
export const idOfAccountKey = (provider: string) => derivedId("secret", "account's provider key", provider)

/**
 * Encrypts a secret under a data key of its own (KMS envelope encryption) and answers the row that holds it, to be put in the
 * transaction of whatever refers to it.
 */
export async function seal(accountId: string, kind: Kind, plaintext: string, secretId = newId("secret")) {
  const { Plaintext, CiphertextBlob } = await kms.send(
    new GenerateDataKeyCommand({
      KeyId: setting("DATA_KEY_ARN"),
      KeySpec: "AES_256",
      EncryptionContext: context(accountId, kind, secretId),
    }),
  )
  const iv = randomBytes(12)
  const cipher = createCipheriv("aes-256-gcm", Plaintext!, iv)
  const ciphertext = Buffer.concat([cipher.update(plaintext, "utf8"), cipher.final()])
  return {
    accountId,
    secretId,
    kind,
    dataKey: Buffer.from(CiphertextBlob!).toString("base64"),
    iv: iv.toString("base64"),
    tag: cipher.getAuthTag().toString("base64"),
    ciphertext: ciphertext.toString("base64"),
  }
}

/** The plaintext of the first of these that is there. */
export async function firstOf(accountId: string, secretIds: readonly string[]): Promise<string | undefined> {
  for (const secretId of secretIds) {
    const secret = await open(accountId, secretId)
    if (secret !== undefined) return secret
  }
  return undefined
}

/** The plaintext of a secret, or undefined where it was deleted. */
export async function open(accountId: string, secretId: string): Promise<string | undefined> {
  const { data: row } = await SecretEntity.get({ accountId, secretId }).go({ consistent: true })
  if (!row) return undefined
  const { Plaintext } = await kms.send(
    new DecryptCommand({
      KeyId: setting("DATA_KEY_ARN"),
      CiphertextBlob: Buffer.from(row.dataKey, "base64"),
      EncryptionContext: context(accountId, row.kind, secretId),
    }),
  )
  const decipher = createDecipheriv("aes-256-gcm", Plaintext!, Buffer.from(row.iv, "base64"))
  decipher.setAuthTag(Buffer.from(row.tag, "base64"))
  return Buffer.concat([decipher.update(Buffer.from(row.ciphertext, "base64")), decipher.final()]).toString("utf8")
}
