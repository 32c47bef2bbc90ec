import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { readdirSync, rmSync, writeFileSync } from "node:fs"
import { request } from "node:http"
import { join } from "node:path"
import { createInterface } from "node:readline"
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3"
import { getSignedUrl } from "@aws-sdk/s3-request-presigner"
import { afterEach, expect, test } from "vitest"
import { bucket as Bucket, clientOf, newDirectory, startServer } from "./s3/test-server.ts"

const program = join(import.meta.dirname, "s3", "test-server.ts")
const patience = { timeout: 20_000 }
const directories: string[] = []
const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL")
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true })
})

const start = async (directory: string) => {
  const child = spawn(process.execPath, [program, directory], { stdio: ["ignore", "pipe", "inherit"] })
  children.push(child)
  const [port] = await once(createInterface(child.stdout), "line")
  const endpoint = `http://127.0.0.1:${port}`
  const kill = async () => {
    child.kill("SIGKILL")
    await once(child, "exit")
  }
  return { client: clientOf(endpoint), kill }
}

test("whatever was acknowledged is there after kill -9, and nothing else", async () => {
  const directory = newDirectory()
  directories.push(directory)
  const first = await start(directory)
  const acknowledged = new Map<string, string>()
  const writing = Array.from({ length: 4 }, async (_, writer) => {
    for (let index = 0; ; index++) {
      const [Key, Body] = [`${writer}/${index}`, `content ${index} of ${writer} `.repeat(2000)]
      await first.client.send(new PutObjectCommand({ Bucket, Key, Body }))
      acknowledged.set(Key, Body)
    }
  })
  const ended = Promise.allSettled(writing)
  await expect.poll(() => acknowledged.size, patience).toBeGreaterThan(40)
  await first.kill()
  await ended

  const second = await start(directory)
  const { Contents } = await second.client.send(new ListObjectsV2Command({ Bucket }))
  const stored = Contents!.map(({ Key }) => Key!)
  expect(stored).toEqual(expect.arrayContaining([...acknowledged.keys()]))
  for (const Key of stored) {
    const { Body } = await second.client.send(new GetObjectCommand({ Bucket, Key }))
    const [writer, index] = Key.split("/")
    expect(await Body!.transformToString()).toBe(`content ${index} of ${writer} `.repeat(2000))
  }
  expect(readdirSync(join(directory, "blobs"))).toHaveLength(stored.length)
})

test("an upload that was under way is swept, and one of many parts goes on", async () => {
  const directory = newDirectory()
  directories.push(directory)
  const first = await start(directory)
  const { UploadId } = await first.client.send(new CreateMultipartUploadCommand({ Bucket, Key: "parts" }))
  const { ETag } = await first.client.send(
    new UploadPartCommand({ Bucket, Key: "parts", UploadId, PartNumber: 1, Body: "a part" }),
  )
  const url = await getSignedUrl(first.client, new PutObjectCommand({ Bucket, Key: "half" }))
  const sent = request(url, { method: "PUT", headers: { "content-length": 1_000_000 } })
  const failed = once(sent, "error")
  sent.write(Buffer.alloc(500_000))
  await expect.poll(() => readdirSync(join(directory, "blobs")), patience).toHaveLength(2)
  await first.kill()
  await failed
  expect(readdirSync(join(directory, "blobs"))).toHaveLength(2)

  const second = await start(directory)
  expect(readdirSync(join(directory, "blobs"))).toHaveLength(1)
  const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] }
  await second.client.send(new CompleteMultipartUploadCommand({ Bucket, Key: "parts", UploadId, MultipartUpload }))
  const { Body } = await second.client.send(new GetObjectCommand({ Bucket, Key: "parts" }))
  expect(await Body!.transformToString()).toBe("a part")
  expect((await second.client.send(new ListObjectsV2Command({ Bucket }))).KeyCount).toBe(1)
})

test("a file that was lost cuts the answer instead of shortening it, and the service goes on", async () => {
  const server = await startServer()
  const client = clientOf(server.endpoint)
  const blobs = join(server.directory, "blobs")
  await client.send(new PutObjectCommand({ Bucket, Key: "lost", Body: "content" }))
  rmSync(join(blobs, readdirSync(blobs)[0]!))
  const read = async () => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: "lost" }))
    return Body!.transformToString()
  }
  await expect(read()).rejects.toThrow(/socket hang up|aborted/)
  await client.send(new PutObjectCommand({ Bucket, Key: "lost", Body: "again" }))
  expect(await read()).toBe("again")
  await server.stop()
})

test("an orderly end keeps everything, removes strays at the next start, and lets only one process in", async () => {
  const first = await startServer()
  const { directory } = first
  await clientOf(first.endpoint).send(new PutObjectCommand({ Bucket, Key: "kept", Body: "content" }))
  await expect(startServer({ directory })).rejects.toThrow("another process may have it open")
  await first.stop(true)
  writeFileSync(join(directory, "blobs", "stray"), "left behind")

  const second = await startServer({ directory })
  const { Body } = await clientOf(second.endpoint).send(new GetObjectCommand({ Bucket, Key: "kept" }))
  expect(await Body!.transformToString()).toBe("content")
  expect(readdirSync(join(directory, "blobs"))).toHaveLength(1)
  await second.stop()
})
