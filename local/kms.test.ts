import { statSync } from "node:fs"
import { join } from "node:path"
import {
  CreateGrantCommand,
  type CreateGrantCommandInput,
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  GenerateMacCommand,
  KMSClient,
  ListGrantsCommand,
  RetireGrantCommand,
  RevokeGrantCommand,
  VerifyMacCommand,
} from "@aws-sdk/client-kms"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
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

describe("a grant", () => {
  const role = roleOf("reader")
  const reader = () => connect(keys.of(role))
  const grant = (rest: Partial<CreateGrantCommandInput> = {}) =>
    connect().send(new CreateGrantCommand({ KeyId: other, GranteePrincipal: role, Operations: ["Decrypt"], ...rest }))
  const decrypt = async (EncryptionContext: Record<string, string>) => {
    const { CiphertextBlob } = await encrypt(EncryptionContext, other)
    return reader().send(new DecryptCommand({ CiphertextBlob, EncryptionContext }))
  }
  const denied = { name: "AccessDeniedException" }
  const listed = async (KeyId = other) => (await connect().send(new ListGrantsCommand({ KeyId }))).Grants!

  afterEach(async () => {
    for (const { KeyId, GrantId } of await listed()) await connect().send(new RevokeGrantCommand({ KeyId, GrantId }))
  })

  test("lets a role do with a key what its policies do not, until it is revoked", async () => {
    await expect(decrypt(context)).rejects.toMatchObject(denied)
    const { GrantId } = await grant({ Name: "one" })
    expect((await decrypt(context)).Plaintext).toHaveLength(text.length)
    await expect(
      reader().send(new EncryptCommand({ KeyId: other, Plaintext: text, EncryptionContext: context })),
    ).rejects.toMatchObject(denied)
    expect(await listed()).toEqual([
      expect.objectContaining({ GrantId, KeyId: other, GranteePrincipal: role, Operations: ["Decrypt"] }),
    ])
    expect(await listed(secrets)).toEqual([])

    await connect().send(new RevokeGrantCommand({ KeyId: other, GrantId }))
    await expect(decrypt(context)).rejects.toMatchObject(denied)
    await expect(connect().send(new RevokeGrantCommand({ KeyId: other, GrantId }))).rejects.toMatchObject({
      name: "NotFoundException",
    })
  })

  test.each([
    [
      "a context that is a part",
      { EncryptionContextSubset: { accountId: "acc_1" } },
      { accountId: "acc_1", more: "x" },
      { more: "x" },
    ],
    [
      "a context that is the whole",
      { EncryptionContextEquals: { accountId: "acc_1" } },
      { accountId: "acc_1" },
      { accountId: "acc_1", more: "x" },
    ],
  ])("holds for %s of the request's", async (_name, Constraints, within, without) => {
    await grant({ Constraints })
    expect((await decrypt(within as never)).Plaintext).toHaveLength(text.length)
    await expect(decrypt(without as never)).rejects.toMatchObject(denied)
  })

  test("is made once under its name, outlives the process, and may be retired by whom it names", async () => {
    const made = { Name: "twice", RetiringPrincipal: role }
    const [{ GrantId, GrantToken }, again] = [await grant(made), await grant(made)]
    expect(again.GrantId).toBe(GrantId)
    await aws.close()
    aws = await start()
    expect((await decrypt(context)).Plaintext).toHaveLength(text.length)
    await expect(reader().send(new RetireGrantCommand({ KeyId: other, GrantId: "0".repeat(32) }))).rejects.toMatchObject({
      name: "NotFoundException",
    })
    await reader().send(new RetireGrantCommand({ KeyId: other, GrantId }))
    await expect(decrypt(context)).rejects.toMatchObject(denied)
    await expect(connect().send(new RetireGrantCommand({ GrantToken }))).rejects.toMatchObject({ name: "NotFoundException" })
  })

  test("names operations that its key has", async () => {
    await expect(grant({ KeyId: macs })).rejects.toMatchObject({ name: "ValidationException" })
    await expect(grant({ Operations: [] })).rejects.toMatchObject({ name: "ValidationException" })
  })
})
