import { createHash, randomBytes } from "node:crypto"
import { readdirSync } from "node:fs"
import { request } from "node:http"
import { join } from "node:path"
import {
  AbortMultipartUploadCommand,
  type ChecksumAlgorithm,
  CompleteMultipartUploadCommand,
  type CompleteMultipartUploadCommandInput,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  type CreateMultipartUploadCommandInput,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
  type UploadPartCommandInput,
} from "@aws-sdk/client-s3"
import { getSignedUrl } from "@aws-sdk/s3-request-presigner"
import { afterAll, describe, expect, test } from "vitest"
import { digestOf } from "./s3/checksum.ts"
import { bucket as Bucket, clientOf, startServer } from "./s3/test-server.ts"

const server = await startServer()
const client = clientOf(server.endpoint)
afterAll(() => server.stop())

const mega = 1024 ** 2
const pieces = [randomBytes(5 * mega), randomBytes(5 * mega + 1), randomBytes(12_345)]
const whole = Buffer.concat(pieces)
const files = () => readdirSync(join(server.directory, "blobs")).length
const refusal = (status: number, name: string) =>
  expect.objectContaining({ name, $metadata: expect.objectContaining({ httpStatusCode: status }) })

const begin = async (Key: string, input: Partial<CreateMultipartUploadCommandInput> = {}) => {
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key, ...input }))
  return { Bucket, Key, UploadId: UploadId! }
}
type Upload = Awaited<ReturnType<typeof begin>>

const upload = async (to: Upload, PartNumber: number, Body: Buffer, input: Partial<UploadPartCommandInput> = {}) => {
  const { $metadata, ...part } = await client.send(new UploadPartCommand({ ...to, PartNumber, Body, ...input }))
  return { PartNumber, ...part }
}

const complete = (to: Upload, Parts: object[], input: Partial<CompleteMultipartUploadCommandInput> = {}) =>
  client.send(new CompleteMultipartUploadCommand({ ...to, MultipartUpload: { Parts }, ...input }))

const uploadAll = async (to: Upload, input: Partial<UploadPartCommandInput> = {}) => {
  const parts = []
  for (const [index, piece] of pieces.entries()) parts.push(await upload(to, index + 1, piece, input))
  return parts
}

const read = async (Key: string, Range?: string) => {
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key, Range }))
  return Buffer.from(await Body!.transformToByteArray())
}

describe("multipart uploads", () => {
  test("parts become one object with the properties that the upload began with", async () => {
    const to = await begin("parts", { ContentType: "application/x-parts", Metadata: { a: "b" } })
    const parts = await uploadAll(to)
    await expect(read("parts")).rejects.toEqual(refusal(404, "NoSuchKey"))
    const { ETag } = await complete(to, parts)

    const md5 = createHash("md5")
    for (const piece of pieces) md5.update(createHash("md5").update(piece).digest())
    expect(ETag).toBe(`"${md5.digest("hex")}-3"`)
    expect((await read("parts")).equals(whole)).toBe(true)
    const head = await client.send(new HeadObjectCommand({ Bucket, Key: "parts" }))
    expect(head).toMatchObject({ ETag, ContentLength: whole.length, ContentType: "application/x-parts", Metadata: { a: "b" } })
  })

  test("a range may lie in several parts", async () => {
    const [from, to] = [5 * mega - 10, 10 * mega + 10]
    expect((await read("parts", `bytes=${from}-${to}`)).equals(whole.subarray(from, to + 1))).toBe(true)
    expect((await read("parts", "bytes=-12346")).equals(whole.subarray(-12346))).toBe(true)
  })

  test("a copy of an object of parts outlives it, and the files go with the last of both", async () => {
    const before = files()
    await client.send(new CopyObjectCommand({ Bucket, Key: "parts copy", CopySource: `${Bucket}/parts` }))
    await client.send(new DeleteObjectCommand({ Bucket, Key: "parts" }))
    expect((await read("parts copy")).equals(whole)).toBe(true)
    expect(files()).toBe(before)
    await client.send(new DeleteObjectCommand({ Bucket, Key: "parts copy" }))
    expect(files()).toBe(before - 3)
  })

  test("a part that comes again replaces the first, and parts that are not named go", async () => {
    const before = files()
    const to = await begin("again")
    await upload(to, 2, randomBytes(100))
    const part = await upload(to, 2, Buffer.from("second"))
    await upload(to, 7, Buffer.from("not named"))
    await complete(to, [part])
    expect((await read("again")).toString()).toBe("second")
    expect(files()).toBe(before + 1)
  })

  test("a completion that is asked for twice gives the same answer twice", async () => {
    const to = await begin("twice")
    const part = await upload(to, 1, Buffer.from("once"))
    const { ETag } = await complete(to, [part])
    expect(await complete(to, [part])).toMatchObject({ ETag })
    await client.send(new PutObjectCommand({ Bucket, Key: "twice", Body: "newer" }))
    await expect(complete(to, [part])).rejects.toEqual(refusal(404, "NoSuchUpload"))
    expect((await read("twice")).toString()).toBe("newer")
  })

  test("what does not fit the stored parts is refused, and the upload goes on", async () => {
    const to = await begin("misfits")
    const [first, second] = [await upload(to, 1, Buffer.from("small")), await upload(to, 2, Buffer.from("last"))]
    await expect(complete(to, [second, first])).rejects.toEqual(refusal(400, "InvalidPartOrder"))
    await expect(complete(to, [first, second])).rejects.toEqual(refusal(400, "EntityTooSmall"))
    await expect(complete(to, [{ ...first, ETag: second.ETag }])).rejects.toEqual(refusal(400, "InvalidPart"))
    await expect(complete(to, [{ ...first, ChecksumCRC32: "AAAAAA==" }])).rejects.toEqual(refusal(400, "InvalidPart"))
    await expect(complete(to, [{ ...first, PartNumber: 3 }])).rejects.toEqual(refusal(400, "InvalidPart"))
    await expect(complete(to, [])).rejects.toEqual(refusal(400, "MalformedXML"))
    await expect(complete(to, [first], { MpuObjectSize: 6 })).rejects.toEqual(refusal(400, "InvalidRequest"))
    await expect(upload(to, 0, Buffer.from("x"))).rejects.toEqual(refusal(400, "InvalidArgument"))
    await expect(upload(to, 10_001, Buffer.from("x"))).rejects.toEqual(refusal(400, "InvalidArgument"))
    await complete(to, [first], { MpuObjectSize: 5 })
    expect((await read("misfits")).toString()).toBe("small")
  })

  test("a completion may be create-only", async () => {
    const to = await begin("taken")
    const part = await upload(to, 1, Buffer.from("mine"))
    await client.send(new PutObjectCommand({ Bucket, Key: "taken", Body: "theirs" }))
    await expect(complete(to, [part], { IfNoneMatch: "*" })).rejects.toEqual(refusal(412, "PreconditionFailed"))
    expect((await read("taken")).toString()).toBe("theirs")
  })

  test("parts are listed page by page", async () => {
    const to = await begin("listed", { ChecksumAlgorithm: "CRC32" })
    for (const number of [1, 3, 5]) await upload(to, number, Buffer.from(`part ${number}`))
    const first = await client.send(new ListPartsCommand({ ...to, MaxParts: 2 }))
    expect(first).toMatchObject({
      IsTruncated: true,
      NextPartNumberMarker: "3",
      ChecksumAlgorithm: "CRC32",
      ChecksumType: "COMPOSITE",
    })
    expect(first.Parts).toMatchObject([{ PartNumber: 1, Size: 6 }, { PartNumber: 3 }])
    const second = await client.send(new ListPartsCommand({ ...to, MaxParts: 2, PartNumberMarker: first.NextPartNumberMarker }))
    expect(second).toMatchObject({ IsTruncated: false, Parts: [{ PartNumber: 5, ChecksumCRC32: expect.any(String) }] })
  })

  test("an aborted upload leaves nothing, and is not there any more", async () => {
    const before = files()
    const to = await begin("aborted")
    const part = await upload(to, 1, randomBytes(1000))
    expect(files()).toBe(before + 1)
    await client.send(new AbortMultipartUploadCommand(to))
    expect(files()).toBe(before)
    for (const call of [
      () => upload(to, 2, Buffer.from("x")),
      () => complete(to, [part]),
      () => client.send(new ListPartsCommand(to)),
    ]) {
      await expect(call()).rejects.toEqual(refusal(404, "NoSuchUpload"))
    }
    await expect(client.send(new AbortMultipartUploadCommand(to))).rejects.toEqual(refusal(404, "NoSuchUpload"))
    expect(files()).toBe(before)
  })

  test("a part that is still coming in when its upload is aborted is not kept", async () => {
    const before = files()
    const to = await begin("aborted early")
    const url = await getSignedUrl(client, new UploadPartCommand({ ...to, PartNumber: 1 }))
    const sent = request(url, { method: "PUT", headers: { "content-length": 2_000_000 } })
    const status = new Promise((resolve, reject) => {
      sent.on("response", (response) => resolve(response.resume().statusCode)).on("error", reject)
    })
    sent.write(Buffer.alloc(1_000_000))
    await expect.poll(files, { timeout: 20_000 }).toBe(before + 1)
    await client.send(new AbortMultipartUploadCommand(to))
    sent.end(Buffer.alloc(1_000_000))
    expect(await status).toBe(404)
    expect(files()).toBe(before)
  })

  test("an upload belongs to its key", async () => {
    const to = await begin("owner")
    await expect(upload({ ...to, Key: "other" }, 1, Buffer.from("x"))).rejects.toEqual(refusal(404, "NoSuchUpload"))
  })
})

describe("checksums of parts", () => {
  test.each(["CRC32", "CRC32C", "CRC64NVME"] as ChecksumAlgorithm[])(
    "a full %s over the parts is that of the whole object",
    async (algorithm) => {
      const to = await begin(`full ${algorithm}`, { ChecksumAlgorithm: algorithm, ChecksumType: "FULL_OBJECT" })
      const parts = await uploadAll(to, { ChecksumAlgorithm: algorithm })
      const digest = digestOf(algorithm.toLowerCase() as "crc32")
      digest.update(whole)
      const expected = { [`Checksum${algorithm}`]: digest.base64(), ChecksumType: "FULL_OBJECT" }
      const wrong = { [`Checksum${algorithm}`]: algorithm === "CRC64NVME" ? "AAAAAAAAAAA=" : "AAAAAA==" }
      await expect(complete(to, parts, wrong)).rejects.toEqual(refusal(400, "BadDigest"))
      expect(await complete(to, parts, { [`Checksum${algorithm}`]: digest.base64() })).toMatchObject(expected)
      expect((await read(to.Key)).equals(whole)).toBe(true)
    },
  )

  test("a composite SHA-256 is that of the parts' own, with their number", async () => {
    const to = await begin("composite", { ChecksumAlgorithm: "SHA256" })
    const answer = await complete(to, await uploadAll(to, { ChecksumAlgorithm: "SHA256" }))
    const sums = createHash("sha256")
    for (const piece of pieces) sums.update(createHash("sha256").update(piece).digest())
    expect(answer).toMatchObject({ ChecksumSHA256: `${sums.digest("base64")}-3`, ChecksumType: "COMPOSITE" })
  })

  test("a part with another algorithm than the upload's is refused, and so is a type that an algorithm does not have", async () => {
    const before = files()
    const to = await begin("mixed", { ChecksumAlgorithm: "SHA256" })
    await expect(upload(to, 1, Buffer.from("x"), { ChecksumAlgorithm: "CRC32" })).rejects.toEqual(refusal(400, "InvalidRequest"))
    await expect(begin("sha", { ChecksumAlgorithm: "SHA1", ChecksumType: "FULL_OBJECT" })).rejects.toEqual(
      refusal(400, "InvalidRequest"),
    )
    expect(files()).toBe(before)
  })
})
