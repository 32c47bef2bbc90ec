import { createHash, randomBytes } from "node:crypto"
import { readdirSync, statSync } from "node:fs"
import { request, type ServerResponse } from "node:http"
import { connect } from "node:net"
import { join } from "node:path"
import { Readable } from "node:stream"
import { type ChecksumAlgorithm, GetObjectCommand, HeadObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3"
import { getSignedUrl } from "@aws-sdk/s3-request-presigner"
import fc from "fast-check"
import { afterAll, describe, expect, test, vi } from "vitest"
import { dechunker } from "./s3/chunked.ts"
import { bucket as Bucket, clientOf, startServer } from "./s3/test-server.ts"

const server = await startServer()
const client = clientOf(server.endpoint)
const plain = clientOf(server.endpoint, {
  requestChecksumCalculation: "WHEN_REQUIRED",
  responseChecksumValidation: "WHEN_REQUIRED",
})
afterAll(() => server.stop())

const patience = { timeout: 20_000 }
const files = () => readdirSync(join(server.directory, "blobs"))
const code = (status: number, name?: string) =>
  expect.objectContaining({ ...(name && { name }), $metadata: expect.objectContaining({ httpStatusCode: status }) })
const read = async (Key: string) => {
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }))
  return Buffer.from(await Body!.transformToByteArray())
}
const exists = (Key: string) =>
  client.send(new HeadObjectCommand({ Bucket, Key })).then(
    () => true,
    () => false,
  )

/** A stream of `bytes` in pieces that fit no chunk. */
const streamOf = (bytes: Buffer) =>
  Readable.from(
    Array.from({ length: Math.ceil(bytes.length / 7919) }, (_, index) => bytes.subarray(index * 7919, (index + 1) * 7919)),
  )

describe("streamed bodies", () => {
  test("300,000 bytes from a stream come back byte for byte, with the SDK's checksums and without", async () => {
    const bytes = randomBytes(300_000)
    for (const [Key, sender] of [
      ["with", client],
      ["without", plain],
    ] as const) {
      await sender.send(new PutObjectCommand({ Bucket, Key, Body: streamOf(bytes), ContentLength: bytes.length }))
      expect((await read(Key)).equals(bytes)).toBe(true)
    }
    const head = await client.send(new HeadObjectCommand({ Bucket, Key: "with", ChecksumMode: "ENABLED" }))
    expect(head).toMatchObject({ ContentLength: 300_000, ChecksumType: "FULL_OBJECT", ChecksumCRC32: expect.any(String) })
    expect(head.ContentEncoding).toBeUndefined()
  })

  test("an upload is on the disk as it comes in", async () => {
    const [before, Key] = [new Set(files()), "growing"]
    const url = new URL(await getSignedUrl(plain, new PutObjectCommand({ Bucket, Key })))
    const sent = request(url, { method: "PUT", headers: { "content-length": 2_000_000 } })
    const status = new Promise((resolve, reject) =>
      sent.on("response", (response) => resolve(response.resume().statusCode)).on("error", reject),
    )
    sent.write(Buffer.alloc(1_000_000))
    const size = () =>
      files().reduce((sum, name) => sum + (before.has(name) ? 0 : statSync(join(server.directory, "blobs", name)).size), 0)
    await expect.poll(size, patience).toBe(1_000_000)
    expect(await exists(Key)).toBe(false)
    sent.end(Buffer.alloc(1_000_000))
    expect(await status).toBe(200)
    expect(await read(Key)).toHaveLength(2_000_000)
  })

  test("a download waits for its reader instead of filling the memory", async () => {
    const bytes = randomBytes(40_000_000)
    await client.send(new PutObjectCommand({ Bucket, Key: "large", Body: bytes }))
    const responses: ServerResponse[] = []
    server.server.on("request", (_, response) => responses.push(response))
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: "large" }))
    await expect.poll(() => responses[0]!.writableNeedDrain, patience).toBe(true)
    expect(responses[0]!.writableLength).toBeLessThan(1_000_000)
    expect(Buffer.from(await Body!.transformToByteArray()).equals(bytes)).toBe(true)
  })

  test("a body of unknown length is refused", async () => {
    const url = await getSignedUrl(plain, new PutObjectCommand({ Bucket, Key: "unknown" }))
    const answer = await fetch(url, {
      method: "PUT",
      body: Readable.toWeb(streamOf(Buffer.alloc(10))) as ReadableStream,
      duplex: "half",
    } as RequestInit)
    expect(answer.status).toBe(411)
    expect(await answer.text()).toContain("<Code>MissingContentLength</Code>")
    expect(await exists("unknown")).toBe(false)
  })
})

test("a chunked body is the same however it is cut into pieces", () => {
  const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 6 })
  fc.assert(
    fc.property(chunks, fc.infiniteStream(fc.integer({ min: 1, max: 12 })), (given, sizes) => {
      const framed = given.flatMap((chunk) => [Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n")])
      let rest = Buffer.concat([...framed, Buffer.from("0\r\nx-amz-checksum-crc32:AAAAAA==\r\nother: b\r\n\r\n")])
      const frames = dechunker()
      const taken: Buffer[] = []
      for (const size of sizes) {
        if (rest.length === 0) break
        taken.push(...frames.push(rest.subarray(0, size)))
        rest = rest.subarray(size)
      }
      expect(Buffer.concat(taken).equals(Buffer.concat(given))).toBe(true)
      expect(frames.end()).toEqual({ "x-amz-checksum-crc32": "AAAAAA==", other: "b" })
    }),
  )
})

describe("checksums", () => {
  const known: Record<string, string> = {
    CRC32: "y/Q5Jg==",
    CRC32C: "4waSgw==",
    CRC64NVME: "rosUhgp5mIg=",
    SHA1: "98O8HYCOBHMq32eZZczDTKeuNEE=",
    SHA256: "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
  }
  const [short, body] = ["123456789", randomBytes(200_000)]

  test.each(Object.keys(known) as ChecksumAlgorithm[])(
    "%s is verified, stored and answered, from a header and from a trailer",
    async (algorithm) => {
      const field = `Checksum${algorithm}` as const
      await client.send(new PutObjectCommand({ Bucket, Key: "header", Body: short, ChecksumAlgorithm: algorithm }))
      const head = await client.send(new HeadObjectCommand({ Bucket, Key: "header", ChecksumMode: "ENABLED" }))
      expect(head).toMatchObject({ [field]: known[algorithm], ChecksumType: "FULL_OBJECT" })
      expect(await client.send(new HeadObjectCommand({ Bucket, Key: "header" }))).not.toHaveProperty(field)

      await client.send(
        new PutObjectCommand({
          Bucket,
          Key: "trailer",
          Body: streamOf(body),
          ContentLength: body.length,
          ChecksumAlgorithm: algorithm,
        }),
      )
      const back = await client.send(new GetObjectCommand({ Bucket, Key: "trailer", ChecksumMode: "ENABLED" }))
      expect(Buffer.from(await back.Body!.transformToByteArray()).equals(body)).toBe(true)
      expect(back).toHaveProperty(field)
    },
  )

  test.each(Object.entries(known))("a %s of something else is refused and nothing is stored", async (algorithm, value) => {
    const before = files().length
    const wrong = new PutObjectCommand({ Bucket, Key: "wrong", Body: "987654321", [`Checksum${algorithm}`]: value })
    await expect(client.send(wrong)).rejects.toEqual(code(400, "BadDigest"))
    const malformed = new PutObjectCommand({ Bucket, Key: "wrong", Body: short, [`Checksum${algorithm}`]: "AAA=" })
    await expect(client.send(malformed)).rejects.toEqual(code(400, "InvalidRequest"))
    expect(await exists("wrong")).toBe(false)
    expect(files()).toHaveLength(before)
  })

  test("a Content-MD5 that is wrong, or is none, is refused", async () => {
    const put = (ContentMD5: string) => client.send(new PutObjectCommand({ Bucket, Key: "md5", Body: short, ContentMD5 }))
    await put(createHash("md5").update(short).digest("base64"))
    await expect(put(createHash("md5").update("other").digest("base64"))).rejects.toEqual(code(400, "BadDigest"))
    await expect(put("bm90IG9uZQ==")).rejects.toEqual(code(400, "InvalidDigest"))
  })

  test("a wrong checksum in a trailer is refused and nothing is stored", async () => {
    const before = files().length
    const answer = await raw("trailer-wrong", 5, "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n")
    expect(answer).toMatchObject({ status: 400, body: expect.stringContaining("<Code>BadDigest</Code>") })
    expect(await exists("trailer-wrong")).toBe(false)
    expect(files()).toHaveLength(before)
  })

  test.each([
    ["shorter than declared", 6, "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "IncompleteBody"],
    ["longer than declared", 4, "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "IncompleteBody"],
    ["without its last chunk", 5, "5\r\nhello\r\n", "IncompleteBody"],
    ["without the trailer it announced", 5, "5\r\nhello\r\n0\r\n\r\n", "MalformedTrailerError"],
    ["with a size that is none", 5, "five\r\nhello\r\n0\r\n\r\n", "InvalidRequest"],
    ["with a chunk that goes on", 5, "5\r\nhello, you\r\n0\r\n\r\n", "InvalidRequest"],
    ["of no framing at all", 5, "hello".repeat(1000), "InvalidRequest"],
  ])("a chunked body %s is refused", async (_, length, body, expected) => {
    const before = files().length
    const answer = await raw("framing", length, body)
    expect(answer).toMatchObject({ status: 400, body: expect.stringContaining(`<Code>${expected}</Code>`) })
    expect(files()).toHaveLength(before)
  })

  test("a body other than the signed one is refused", async () => {
    const changing = clientOf(server.endpoint, { requestChecksumCalculation: "WHEN_REQUIRED" })
    changing.middlewareStack.add((next) => (args) => next({ ...args, request: { ...(args.request as object), body: "jello" } }), {
      step: "finalizeRequest",
      priority: "low",
    })
    const put = changing.send(new PutObjectCommand({ Bucket, Key: "tampered", Body: "hello" }))
    await expect(put).rejects.toEqual(code(400, "XAmzContentSHA256Mismatch"))
    expect(await exists("tampered")).toBe(false)
  })
})

describe("bodies that end early", () => {
  test.each(["a plain body", "a chunked body"])("%s that is cut in the middle leaves nothing behind", async (kind) => {
    const before = files().length
    const Key = `cut ${kind}`
    const url = new URL(await getSignedUrl(plain, new PutObjectCommand({ Bucket, Key })))
    const socket = connect(server.port, "127.0.0.1")
    const length = kind === "a plain body" ? "content-length: 1000000" : "transfer-encoding: chunked"
    socket.write(`PUT ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${url.host}\r\n${length}\r\n\r\n`)
    if (kind === "a plain body") {
      socket.write(Buffer.alloc(500_000))
      await expect.poll(() => files().length, patience).toBe(before + 1)
    } else {
      socket.write("5\r\nhel")
    }
    socket.destroy()
    await vi.waitFor(() => expect(files()).toHaveLength(before), patience)
    expect(await exists(Key)).toBe(false)
  })

  test("a refused body does not spoil the connection that it came over", async () => {
    const wrong = new PutObjectCommand({
      Bucket,
      Key: "spoilt",
      Body: Buffer.alloc(3_000_000),
      ContentMD5: "AAAAAAAAAAAAAAAAAAAAAA==",
    })
    await expect(client.send(wrong)).rejects.toEqual(code(400, "BadDigest"))
    await client.send(new PutObjectCommand({ Bucket, Key: "spoilt", Body: "fine" }))
    expect((await read("spoilt")).toString()).toBe("fine")
  })
})

/** Sends a body whose framing is written by hand under a signature of the SDK. */
const raw = async (Key: string, length: number, body: string): Promise<{ status: number; body: string }> => {
  const signer = clientOf(server.endpoint)
  let signed: { path: string; headers: Record<string, string>; query: Record<string, string> } | undefined
  signer.middlewareStack.add(
    () => async (args) => {
      signed = args.request as typeof signed
      throw new Error("signed")
    },
    { step: "deserialize", priority: "low" },
  )
  const Body = Readable.from([Buffer.alloc(length)])
  await expect(signer.send(new PutObjectCommand({ Bucket, Key, Body, ContentLength: length }))).rejects.toThrow("signed")
  const { path, headers } = signed!
  return new Promise((resolve, reject) => {
    const sent = request({ port: server.port, host: "127.0.0.1", method: "PUT", path: `${path}?x-id=PutObject`, headers })
    sent.on("error", reject).on("response", async (response) => {
      resolve({ status: response.statusCode!, body: Buffer.concat(await response.toArray()).toString() })
    })
    sent.end(body)
  })
}
