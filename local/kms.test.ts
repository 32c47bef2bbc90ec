import { statSync } from "node:fs"
import { join } from "node:path"
import {
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  GenerateMacCommand,
  KMSClient,
  VerifyMacCommand,
} from "@aws-sdk/client-kms"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { makeKeyRing } from "./credentials.ts"
import { makeFixture, roleOf } from "./fixture.ts"
import { openKms } from "./kms.ts"
import { openLambda } from "./lambda/lambda.ts"
import { openPort, type Port } from "./port.ts"
import { awsHandler, openBooks } from "./server.ts"

const keyArn = (id: string, region = "us-east-1") => `arn:aws:kms:${region}:123456789012:key/${id}`
const secrets = keyArn("11111111-1111-1111-1111-111111111111")
const other = keyArn("22222222-2222-2222-2222-222222222222")
const macs = keyArn("33333333-3333-3333-3333-333333333333")
const noCode = "export const handler = () => {}"

const fixture = makeFixture(
  {
    reader: {
      code: noCode,
      allows: [
        {
          effect: "Allow",
          actions: ["kms:Decrypt"],
          resources: [secrets],
          condition: { StringEquals: { "kms:EncryptionContext:accountId": "acc_1" } },
        },
      ],
    },
  },
  {
    keys: [
      { arn: secrets, region: "us-east-1", usage: "ENCRYPT_DECRYPT" },
      { arn: other, region: "us-east-1", usage: "ENCRYPT_DECRYPT" },
      { arn: macs, region: "us-east-1", usage: "GENERATE_VERIFY_MAC" },
    ],
  },
)
const { wiring, data } = fixture
const keys = makeKeyRing(wiring)
const { operator } = keys
const lambda = openLambda({ ...wiring, ...fixture, verbose: false, environment: () => ({}) })
let aws: Port

const start = async () => {
  const port = await openPort(0)
  const services = [openKms({ data, keys: wiring.keys, account: wiring.account })]
  const s3 = () => Promise.reject(new Error("There is no S3 here"))
  port.serve(awsHandler({ wiring, keys, services, lambda, s3, books: openBooks() }))
  return port
}
const connect = (credentials = operator, region = "us-east-1") =>
  new KMSClient({ endpoint: `http://127.0.0.1:${aws.number}`, region, credentials, maxAttempts: 1 })

beforeAll(async () => {
  aws = await start()
})

afterAll(async () => {
  await aws.close()
  await lambda.close()
  fixture.remove()
})

const text = Buffer.from("a secret")
const context = { accountId: "acc_1", kind: "ssh" }
const encrypt = (EncryptionContext: Record<string, string> = context, KeyId = secrets) =>
  connect().send(new EncryptCommand({ KeyId, Plaintext: text, EncryptionContext }))
const decrypt = (CiphertextBlob: Uint8Array | undefined, EncryptionContext = context, KeyId?: string) =>
  connect().send(new DecryptCommand({ CiphertextBlob, EncryptionContext, KeyId }))

describe("Encrypt and Decrypt", () => {
  test("give the text back for the same context in any order, and only for that", async () => {
    const { CiphertextBlob, KeyId } = await encrypt()
    expect(KeyId).toBe(secrets)
    const opened = await decrypt(CiphertextBlob, { kind: "ssh", accountId: "acc_1" })
    expect(Buffer.from(opened.Plaintext!)).toEqual(text)
    await expect(decrypt(CiphertextBlob, { accountId: "acc_2", kind: "ssh" })).rejects.toMatchObject({
      name: "InvalidCiphertextException",
    })
    await expect(connect().send(new DecryptCommand({ CiphertextBlob }))).rejects.toMatchObject({
      name: "InvalidCiphertextException",
    })
  })

  test("a damaged ciphertext, one of another key, and one too long are refused", async () => {
    const { CiphertextBlob } = await encrypt()
    const damaged = Uint8Array.from(CiphertextBlob!)
    damaged[damaged.length - 1]! ^= 1
    await expect(decrypt(damaged)).rejects.toMatchObject({ name: "InvalidCiphertextException" })
    await expect(decrypt(Buffer.from("what"))).rejects.toMatchObject({ name: "InvalidCiphertextException" })
    await expect(decrypt(CiphertextBlob, context, other)).rejects.toMatchObject({ name: "IncorrectKeyException" })
    const long = new EncryptCommand({ KeyId: secrets, Plaintext: Buffer.alloc(4097) })
    await expect(connect().send(long)).rejects.toMatchObject({ name: "ValidationException" })
  })

  test("keys outlive a restart, in a file that only its owner reads", async () => {
    const { CiphertextBlob } = await encrypt()
    await aws.close()
    aws = await start()
    expect(Buffer.from((await decrypt(CiphertextBlob)).Plaintext!)).toEqual(text)
    expect(statSync(join(data, "kms.json")).mode & 0o777).toBe(0o600)
  })
})

test("data keys come open and sealed, and open again", async () => {
  const { Plaintext, CiphertextBlob } = await connect().send(new GenerateDataKeyCommand({ KeyId: secrets, KeySpec: "AES_256" }))
  expect(Plaintext).toHaveLength(32)
  expect((await connect().send(new DecryptCommand({ CiphertextBlob }))).Plaintext).toEqual(Plaintext)
  const sealed = await connect().send(new GenerateDataKeyWithoutPlaintextCommand({ KeyId: secrets, NumberOfBytes: 64 }))
  expect("Plaintext" in sealed).toBe(false)
})

test("a MAC holds for its message and no other", async () => {
  const about = { KeyId: macs, MacAlgorithm: "HMAC_SHA_256" as const }
  const { Mac } = await connect().send(new GenerateMacCommand({ ...about, Message: text }))
  expect(Mac).toHaveLength(32)
  expect((await connect().send(new VerifyMacCommand({ ...about, Message: text, Mac }))).MacValid).toBe(true)
  const wrong = new VerifyMacCommand({ ...about, Message: Buffer.from("other"), Mac })
  await expect(connect().send(wrong)).rejects.toMatchObject({ name: "KMSInvalidMacException" })
})

test("a key is known by ARN and id in its region only, and good for its own use only", async () => {
  const describeKey = new DescribeKeyCommand({ KeyId: secrets.split("/")[1] })
  expect((await connect().send(describeKey)).KeyMetadata).toMatchObject({ Arn: secrets, KeyUsage: "ENCRYPT_DECRYPT" })
  await expect(connect(operator, "eu-central-1").send(describeKey)).rejects.toMatchObject({ name: "NotFoundException" })
  await expect(encrypt(context, macs)).rejects.toMatchObject({ name: "InvalidKeyUsageException" })
})

test("a role decrypts in the context that its policy names, and in no other", async () => {
  const reader = connect(keys.of(roleOf("reader")))
  const { CiphertextBlob } = await encrypt()
  expect((await reader.send(new DecryptCommand({ CiphertextBlob, EncryptionContext: context }))).Plaintext).toHaveLength(
    text.length,
  )
  const foreign = await encrypt({ accountId: "acc_2" })
  await expect(
    reader.send(new DecryptCommand({ CiphertextBlob: foreign.CiphertextBlob, EncryptionContext: { accountId: "acc_2" } })),
  ).rejects.toMatchObject({
    name: "AccessDeniedException",
    message: expect.stringContaining("not authorized to perform: kms:Decrypt"),
  })
})
