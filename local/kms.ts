import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from "node:crypto"
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Grants } from "./kms-grants.ts"
import { AwsError, type Caller, type JsonService } from "./service.ts"
import type { Wiring } from "./wiring.ts"

type Key = Wiring["keys"][number]
type Input = Record<string, unknown>

const maxPlaintextBytes = 4096
const maxCiphertextBytes = 6144
const maxDataKeyBytes = 1024

type Operations = Record<string, (input: Input, caller: Caller) => object>

/** The keys of the stack with their material. */
interface Ring {
  find(input: Input, caller: Caller): Key
  /** The key that a request names, if it is made for this use. */
  use(input: Input, usage: Key["usage"], caller: Caller): Key
  all: readonly Key[]
  secretOf(key: Key): Buffer
}

/**
 * Key Management Service: AES-256-GCM with the encryption context as additional data, and HMAC-SHA-256. The material of the keys is
 * made once and kept in the data folder, in a file that only its owner can read; whoever has that file has the keys.
 */
export function openKms({ data, keys, account }: { data: string; keys: readonly Key[]; account: string }): JsonService {
  const ring = makeRing(keys, loadMaterial(join(data, "kms.json"), keys))
  const grants = new Grants(join(data, "kms-grants.json"), ring.find)
  const operations: Operations = {
    ...encryption(ring),
    ...macs(ring),
    ...grants.operations,
    DescribeKey: (input, caller) => ({ KeyMetadata: describe(ring.find(input, caller), account) }),
  }
  return {
    target: "TrentService",
    contentType: "application/x-amz-json-1.1",
    grants: (caller, action, keyArn, context) => grants.allow(caller, action, keyArn, context),
    async call(operation, input, caller) {
      const carryOut = Object.hasOwn(operations, operation) ? operations[operation] : undefined
      if (!carryOut) throw new AwsError("UnknownOperationException", `The embedded KMS does not know ${operation}`)
      return carryOut(input, caller)
    },
  }
}

function makeRing(keys: readonly Key[], material: ReadonlyMap<string, Buffer>): Ring {
  const find: Ring["find"] = ({ KeyId }, { region }) => keyOf(keys, String(KeyId), region)
  return {
    all: keys,
    find,
    use(input, usage, caller) {
      const key = find(input, caller)
      if (key.usage === usage) return key
      const message = `${key.arn} key usage is ${key.usage} which is not valid for this operation.`
      throw new AwsError("InvalidKeyUsageException", message)
    },
    secretOf: ({ arn }) => material.get(arn)!,
  }
}

const symmetric = { EncryptionAlgorithm: "SYMMETRIC_DEFAULT" }

const encryption = (ring: Ring): Operations => {
  const dataKey = (input: Input, caller: Caller) => {
    const key = ring.use(input, "ENCRYPT_DECRYPT", caller)
    const plaintext = randomBytes(dataKeyBytes(input))
    const sealed = { KeyId: key.arn, CiphertextBlob: seal(key, ring.secretOf(key), plaintext, contextOf(input)) }
    return { sealed, Plaintext: plaintext.toString("base64") }
  }
  return {
    Encrypt(input, caller) {
      const key = ring.use(input, "ENCRYPT_DECRYPT", caller)
      const CiphertextBlob = seal(key, ring.secretOf(key), bytesOf(input, "Plaintext"), contextOf(input))
      return { KeyId: key.arn, CiphertextBlob, ...symmetric }
    },
    Decrypt(input, caller) {
      const sealed = parse(bytesOf(input, "CiphertextBlob", maxCiphertextBytes))
      const key = ring.all.find(({ arn, region }) => arn === sealed.arn && region === caller.region)
      if (!key) throw new AwsError("InvalidCiphertextException", "")
      if (input.KeyId !== undefined && ring.find(input, caller) !== key) {
        throw new AwsError(
          "IncorrectKeyException",
          "The key ID in the request does not identify a CMK that can perform this operation.",
        )
      }
      const plaintext = open(sealed, ring.secretOf(key), contextOf(input))
      return { KeyId: key.arn, Plaintext: plaintext.toString("base64"), ...symmetric }
    },
    GenerateDataKey(input, caller) {
      const { sealed, Plaintext } = dataKey(input, caller)
      return { ...sealed, Plaintext }
    },
    GenerateDataKeyWithoutPlaintext: (input, caller) => dataKey(input, caller).sealed,
  }
}

const macs = (ring: Ring): Operations => {
  const mac = (input: Input, caller: Caller) => {
    const key = ring.use(input, "GENERATE_VERIFY_MAC", caller)
    if (input.MacAlgorithm !== "HMAC_SHA_256") throw validation(`MacAlgorithm ${input.MacAlgorithm} is not valid for ${key.arn}`)
    const digest = createHmac("sha256", ring.secretOf(key)).update(bytesOf(input, "Message")).digest()
    return { digest, about: { KeyId: key.arn, MacAlgorithm: "HMAC_SHA_256" } }
  }
  return {
    GenerateMac(input, caller) {
      const { digest, about } = mac(input, caller)
      return { ...about, Mac: digest.toString("base64") }
    },
    VerifyMac(input, caller) {
      const { digest, about } = mac(input, caller)
      const given = bytesOf(input, "Mac", maxCiphertextBytes)
      if (given.length !== digest.length || !timingSafeEqual(given, digest)) throw new AwsError("KMSInvalidMacException", "")
      return { ...about, MacValid: true }
    },
  }
}

/** The key that a request names by ARN or id, or `NotFoundException`. */
export function keyOf(keys: readonly Key[], reference: string, region: string): Key {
  const key = keys.find((each) => each.region === region && (each.arn === reference || each.arn.split("/").at(-1) === reference))
  if (!key) throw new AwsError("NotFoundException", `Key '${reference}' does not exist`)
  return key
}

/** ARN of the key that a ciphertext (base64) was made with, as far as it can be read. */
export function keyArnOf(ciphertext: string): string | undefined {
  const blob = Buffer.from(ciphertext, "base64")
  return blob[0] === 1 ? blob.subarray(2, 2 + (blob[1] ?? 0)).toString() : undefined
}

function loadMaterial(path: string, keys: readonly Key[]): Map<string, Buffer> {
  const kept: Record<string, string> = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : {}
  const missing = keys.filter(({ arn }) => !kept[arn])
  for (const { arn } of missing) kept[arn] = randomBytes(32).toString("base64")
  if (missing.length > 0) {
    writeFileSync(`${path}.new`, JSON.stringify(kept), { mode: 0o600, flush: true })
    renameSync(`${path}.new`, path)
  }
  return new Map(Object.entries(kept).map(([arn, secret]) => [arn, Buffer.from(secret, "base64")]))
}

const validation = (message: string) => new AwsError("ValidationException", message)

function bytesOf(input: Input, field: string, limit = maxPlaintextBytes): Buffer {
  const value = input[field]
  const bytes = typeof value === "string" ? Buffer.from(value, "base64") : Buffer.alloc(0)
  if (bytes.length > 0 && bytes.length <= limit) return bytes
  throw validation(
    `1 validation error detected: Value at '${field}' failed to satisfy constraint: Member must have length between 1 and ${limit}`,
  )
}

function dataKeyBytes({ KeySpec, NumberOfBytes }: Input): number {
  if ((KeySpec === undefined) === (NumberOfBytes === undefined))
    throw validation("Please specify either number of bytes or key spec.")
  if (KeySpec === "AES_256") return 32
  if (KeySpec === "AES_128") return 16
  if (typeof NumberOfBytes === "number" && NumberOfBytes >= 1 && NumberOfBytes <= maxDataKeyBytes) return NumberOfBytes
  throw validation(`1 validation error detected: Value at 'numberOfBytes' or 'keySpec' failed to satisfy constraint`)
}

/** The encryption context as bytes that do not depend on the order of its names. */
function contextOf({ EncryptionContext }: Input): Buffer {
  const entries = Object.entries((EncryptionContext ?? {}) as Record<string, string>)
  return Buffer.from(JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1))))
}

/** Version, length of the key's ARN, the ARN, nonce, tag, ciphertext. */
function seal(key: Key, secret: Buffer, plaintext: Buffer, context: Buffer): string {
  const nonce = randomBytes(12)
  const cipher = createCipheriv("aes-256-gcm", secret, nonce).setAAD(context)
  const body = Buffer.concat([cipher.update(plaintext), cipher.final()])
  const arn = Buffer.from(key.arn)
  return Buffer.concat([Buffer.from([1, arn.length]), arn, nonce, cipher.getAuthTag(), body]).toString("base64")
}

interface Sealed {
  arn: string
  nonce: Buffer
  tag: Buffer
  body: Buffer
}

function parse(blob: Buffer): Sealed {
  const start = 2 + (blob[1] ?? 0)
  if (blob[0] !== 1 || blob.length < start + 28) throw new AwsError("InvalidCiphertextException", "")
  return {
    arn: blob.subarray(2, start).toString(),
    nonce: blob.subarray(start, start + 12),
    tag: blob.subarray(start + 12, start + 28),
    body: blob.subarray(start + 28),
  }
}

function open({ nonce, tag, body }: Sealed, secret: Buffer, context: Buffer): Buffer {
  const decipher = createDecipheriv("aes-256-gcm", secret, nonce).setAAD(context).setAuthTag(tag)
  try {
    return Buffer.concat([decipher.update(body), decipher.final()])
  } catch {
    // GCM says only that it does not fit: damaged, or another context.
    throw new AwsError("InvalidCiphertextException", "")
  }
}

const describe = ({ arn, usage }: Key, account: string) => ({
  AWSAccountId: account,
  Arn: arn,
  KeyId: arn.split("/").at(-1),
  Enabled: true,
  KeyState: "Enabled",
  KeyUsage: usage,
  KeyManager: "CUSTOMER",
  Origin: "AWS_KMS",
  KeySpec: usage === "ENCRYPT_DECRYPT" ? "SYMMETRIC_DEFAULT" : "HMAC_256",
  MultiRegion: false,
})
