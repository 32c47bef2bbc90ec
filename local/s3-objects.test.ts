import { readdirSync } from "node:fs"
import { join } from "node:path"
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectAclCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { bucket as Bucket, clientOf, startServer } from "./s3/test-server.ts"

const server = await startServer()
const client = clientOf(server.endpoint)
afterAll(() => server.stop())

const put = (Key: string, Body = "content") => client.send(new PutObjectCommand({ Bucket, Key, Body }))
const get = async (Key: string) => (await client.send(new GetObjectCommand({ Bucket, Key }))).Body!.transformToString()
const status = (code: number, name?: string) =>
  expect.objectContaining({ ...(name && { name }), $metadata: expect.objectContaining({ httpStatusCode: code }) })

describe("buckets", () => {
  test("a bucket exists once it is created, and is not created twice", async () => {
    await expect(client.send(new HeadBucketCommand({ Bucket: "another" }))).rejects.toEqual(status(404, "NotFound"))
    await client.send(new CreateBucketCommand({ Bucket: "another" }))
    await expect(client.send(new HeadBucketCommand({ Bucket: "another" }))).resolves.toMatchObject({ BucketRegion: "us-east-1" })
    await expect(client.send(new CreateBucketCommand({ Bucket: "another" }))).rejects.toEqual(
      status(409, "BucketAlreadyOwnedByYou"),
    )
  })

  test("a name that is no bucket's is refused, and so is an object in a bucket that is not there", async () => {
    await expect(client.send(new CreateBucketCommand({ Bucket: "Not_A_Bucket" }))).rejects.toEqual(
      status(400, "InvalidBucketName"),
    )
    await expect(client.send(new PutObjectCommand({ Bucket: "nowhere", Key: "a" }))).rejects.toEqual(status(404, "NoSuchBucket"))
  })
})

describe("objects", () => {
  test("an object comes back with its bytes, its content type, its metadata and the number of its tags", async () => {
    const Metadata = { author: "somebody", "with-space": "a  b" }
    const input = { Bucket, Key: "told/hello.txt", Body: "hello", ContentType: "text/plain", Metadata, CacheControl: "no-store" }
    const stored = await client.send(new PutObjectCommand({ ...input, Tagging: "kind=greeting&of=two%20words" }))
    const read = await client.send(new GetObjectCommand({ Bucket, Key: input.Key }))

    expect(await read.Body!.transformToString()).toBe("hello")
    expect(read).toMatchObject({ ContentType: "text/plain", Metadata, CacheControl: "no-store", TagCount: 2, ContentLength: 5 })
    expect(read.ETag).toBe('"5d41402abc4b2a76b9719d911017c592"')
    expect(stored.ETag).toBe(read.ETag)
    expect(await client.send(new GetObjectTaggingCommand({ Bucket, Key: input.Key }))).toMatchObject({
      TagSet: [
        { Key: "kind", Value: "greeting" },
        { Key: "of", Value: "two words" },
      ],
    })
    expect(await client.send(new HeadObjectCommand({ Bucket, Key: input.Key }))).toMatchObject({ Metadata, ContentLength: 5 })
  })

  test("an empty object is an object", async () => {
    await put("empty", "")
    expect(await get("empty")).toBe("")
  })

  test("what is not there is NoSuchKey to a GET and NotFound to a HEAD; to delete it is no error", async () => {
    await expect(get("absent")).rejects.toEqual(status(404, "NoSuchKey"))
    await expect(client.send(new HeadObjectCommand({ Bucket, Key: "absent" }))).rejects.toEqual(status(404, "NotFound"))
    await expect(client.send(new DeleteObjectCommand({ Bucket, Key: "absent" }))).resolves.toEqual(status(204))
  })

  test("overwritten and deleted objects leave no file behind", async () => {
    const files = () => readdirSync(join(server.directory, "blobs")).length
    const before = files()
    await put("short-lived")
    await put("short-lived", "other content")
    expect(files()).toBe(before + 1)
    expect(await get("short-lived")).toBe("other content")
    await client.send(new DeleteObjectCommand({ Bucket, Key: "short-lived" }))
    expect(files()).toBe(before)
    await expect(get("short-lived")).rejects.toEqual(status(404))
  })

  test("who reads an object while it is overwritten gets the old one whole", async () => {
    const old = "o".repeat(8_000_000)
    await put("contested", old)
    const reading = await client.send(new GetObjectCommand({ Bucket, Key: "contested" }))
    await put("contested", "new")
    expect(await reading.Body!.transformToString()).toBe(old)
    expect(await get("contested")).toBe("new")
  })

  test("a batch is deleted as a whole and says what it deleted", async () => {
    await put("batch/1")
    await put("batch/<2> & 'more'")
    const Objects = [{ Key: "batch/1" }, { Key: "batch/<2> & 'more'" }, { Key: "batch/absent" }]
    const { Deleted } = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }))
    expect(Deleted).toEqual(Objects)
    expect((await client.send(new ListObjectsV2Command({ Bucket, Prefix: "batch/" }))).KeyCount).toBe(0)
  })

  test("an operation that is not there is refused rather than taken for another", async () => {
    await put("acl")
    await expect(client.send(new PutObjectAclCommand({ Bucket, Key: "acl", ACL: "private" }))).rejects.toEqual(
      status(501, "NotImplemented"),
    )
    const old = new GetObjectCommand({ Bucket, Key: "acl", VersionId: "v1" })
    await expect(client.send(old)).rejects.toEqual(status(501, "NotImplemented"))
    expect(await get("acl")).toBe("content")
  })
})

describe("copies", () => {
  test("a copy has the bytes and metadata of its source and outlives it", async () => {
    await client.send(new PutObjectCommand({ Bucket, Key: "source +ä", Body: "original", Metadata: { a: "b" } }))
    const CopySource = `${Bucket}/${encodeURIComponent("source +ä")}`
    const { CopyObjectResult } = await client.send(new CopyObjectCommand({ Bucket, Key: "copy", CopySource }))
    await client.send(new DeleteObjectCommand({ Bucket, Key: "source +ä" }))
    const copy = await client.send(new GetObjectCommand({ Bucket, Key: "copy" }))
    expect(await copy.Body!.transformToString()).toBe("original")
    expect(copy).toMatchObject({ Metadata: { a: "b" }, ETag: CopyObjectResult!.ETag })
  })

  test("metadata may be replaced, in place too, but a copy of an object to itself has to change something", async () => {
    await put("itself")
    const onto = { Bucket, Key: "itself", CopySource: `${Bucket}/itself` }
    await expect(client.send(new CopyObjectCommand(onto))).rejects.toEqual(status(400, "InvalidRequest"))
    await client.send(new CopyObjectCommand({ ...onto, MetadataDirective: "REPLACE", Metadata: { now: "this" } }))
    const read = await client.send(new GetObjectCommand({ Bucket, Key: "itself" }))
    expect(read.Metadata).toEqual({ now: "this" })
    expect(await read.Body!.transformToString()).toBe("content")
  })

  test("a copy of nothing, or under a condition that fails, is refused", async () => {
    await put("conditional")
    await expect(client.send(new CopyObjectCommand({ Bucket, Key: "x", CopySource: `${Bucket}/absent` }))).rejects.toEqual(
      status(404, "NoSuchKey"),
    )
    const other = new CopyObjectCommand({ Bucket, Key: "x", CopySource: `${Bucket}/conditional`, CopySourceIfMatch: '"other"' })
    await expect(client.send(other)).rejects.toEqual(status(412))
  })
})

describe("conditions and ranges", () => {
  beforeAll(async () => {
    await put("conditions", "0123456789")
  })
  const read = (input: object) => client.send(new GetObjectCommand({ Bucket, Key: "conditions", ...input }))

  test("If-None-Match: * creates and never overwrites, of many at once exactly one", async () => {
    const create = (Body: string) => client.send(new PutObjectCommand({ Bucket, Key: "once", Body, IfNoneMatch: "*" }))
    const results = await Promise.allSettled(["a", "b", "c", "d"].map(create))
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1)
    await expect(create("e")).rejects.toEqual(status(412, "PreconditionFailed"))
    expect(await get("once")).toMatch(/^[abcd]$/)
  })

  test("If-Match overwrites only what it names", async () => {
    const { ETag } = await put("versioned", "1")
    const replace = (Body: string, IfMatch?: string) =>
      client.send(new PutObjectCommand({ Bucket, Key: "versioned", Body, IfMatch }))
    await replace("2", ETag)
    await expect(replace("3", ETag)).rejects.toEqual(status(412, "PreconditionFailed"))
    expect(await get("versioned")).toBe("2")
    const absent = new PutObjectCommand({ Bucket, Key: "not there", Body: "x", IfMatch: ETag })
    await expect(client.send(absent)).rejects.toEqual(status(404, "NoSuchKey"))
  })

  test("a reader that has the object is told so, and one that wants another is refused", async () => {
    const { ETag, LastModified } = await read({})
    await expect(read({ IfNoneMatch: ETag })).rejects.toEqual(status(304))
    await expect(read({ IfModifiedSince: LastModified })).rejects.toEqual(status(304))
    await expect(read({ IfMatch: '"other"' })).rejects.toEqual(status(412))
    await expect(read({ IfUnmodifiedSince: new Date(LastModified!.getTime() - 1000) })).rejects.toEqual(status(412))
    await expect(read({ IfMatch: ETag, IfModifiedSince: new Date(LastModified!.getTime() - 1000) })).resolves.toEqual(status(200))
  })

  test.each([
    ["bytes=1-3", "123", "bytes 1-3/10"],
    ["bytes=7-", "789", "bytes 7-9/10"],
    ["bytes=-2", "89", "bytes 8-9/10"],
    ["bytes=8-99", "89", "bytes 8-9/10"],
    ["bytes=-99", "0123456789", "bytes 0-9/10"],
  ])("the range %s is %s", async (Range, bytes, ContentRange) => {
    const part = await read({ Range })
    expect(part).toMatchObject({ ContentRange, ContentLength: bytes.length, $metadata: { httpStatusCode: 206 } })
    expect(await part.Body!.transformToString()).toBe(bytes)
  })

  test("a range behind the end is refused, and one that cannot be read is passed over", async () => {
    await expect(read({ Range: "bytes=10-" })).rejects.toEqual(status(416, "InvalidRange"))
    await expect(read({ Range: "bytes=-0" })).rejects.toEqual(status(416))
    expect(await (await read({ Range: "bytes=3-1" })).Body!.transformToString()).toBe("0123456789")
  })
})

describe("listings", () => {
  const keys = Array.from({ length: 12 }, (_, index) => `list/d${Math.floor(index / 4)}/f${index % 4}`)
  beforeAll(async () => {
    await Promise.all([...keys, "list/z", "lisu", "list\u{1F600}", "list\uFFFD"].map((key) => put(key)))
  })
  const list = (input: object) => client.send(new ListObjectsV2Command({ Bucket, ...input }))

  const pages = async (input: object) => {
    const found: string[] = []
    let token: string | undefined
    let count = 0
    do {
      const page = await list({ ...input, ContinuationToken: token })
      found.push(...(page.Contents ?? []).map(({ Key }) => Key!), ...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix!))
      token = page.NextContinuationToken
      count++
    } while (token)
    return { found, count }
  }

  test("all keys of a prefix come in order over any number of pages", async () => {
    expect(await pages({ Prefix: "list/" })).toEqual({ found: [...keys, "list/z"], count: 1 })
    expect(await pages({ Prefix: "list/", MaxKeys: 5 })).toEqual({ found: [...keys, "list/z"], count: 3 })
    expect(await pages({ Prefix: "list/", MaxKeys: 1 })).toEqual({ found: [...keys, "list/z"], count: 13 })
  })

  test("a delimiter folds what is behind it, over pages too", async () => {
    const folded = await list({ Prefix: "list/", Delimiter: "/" })
    expect(folded.CommonPrefixes).toEqual([{ Prefix: "list/d0/" }, { Prefix: "list/d1/" }, { Prefix: "list/d2/" }])
    expect(folded).toMatchObject({ KeyCount: 4, IsTruncated: false })
    expect(await pages({ Prefix: "list/", Delimiter: "/", MaxKeys: 1 })).toMatchObject({
      found: ["list/d0/", "list/d1/", "list/d2/", "list/z"],
    })
  })

  test("StartAfter begins behind a key", async () => {
    const { Contents } = await list({ Prefix: "list/", StartAfter: keys[9] })
    expect(Contents!.map(({ Key }) => Key)).toEqual([keys[10], keys[11], "list/z"])
  })

  test("keys are in the order of their UTF-8 bytes", async () => {
    const { Contents } = await list({ Prefix: "lis", StartAfter: "list/z" })
    expect(Contents!.map(({ Key }) => Key)).toEqual(["list\uFFFD", "list\u{1F600}", "lisu"])
  })

  test("a page of no keys and a token that we did not make", async () => {
    expect(await list({ Prefix: "list/", MaxKeys: 0 })).toMatchObject({ KeyCount: 0, IsTruncated: false })
    await expect(list({ ContinuationToken: "no such token" })).rejects.toEqual(status(400, "InvalidArgument"))
  })
})

describe("keys", () => {
  const hostile = [
    "../outside",
    "../../../../etc/passwd",
    "..",
    ".",
    "a/../b",
    "/leading",
    "//",
    "trailing/",
    "%2e%2e/%2e%2e",
    "%",
    "nul\u0000inside",
    "line\r\nbreak",
    "tab\tand\u007fdelete",
    "ünïcödé/日本語/\u{1F600}",
    "e\u0301 is not \u00e9",
    "spaces + plus & ampersand = equals ? question # hash",
    '<xml attribute="\'">&amp;</xml>',
    "\\backslash\\..\\",
    "CON",
    "__proto__",
    "k".repeat(1024),
    "é".repeat(512),
  ]

  test.each(hostile)("%j is a key like any other", async (key) => {
    const body = `content of ${key}`
    await put(key, body)
    expect(await get(key)).toBe(body)
    const listed = await client.send(new ListObjectsV2Command({ Bucket, Prefix: key, EncodingType: "url" }))
    expect(listed.Contents!.map(({ Key }) => decodeURIComponent(Key!))).toContain(key)
    await client.send(new CopyObjectCommand({ Bucket, Key: "copied", CopySource: `${Bucket}/${encodeURIComponent(key)}` }))
    expect(await get("copied")).toBe(body)
    await client.send(new DeleteObjectCommand({ Bucket, Key: key }))
    await expect(get(key)).rejects.toEqual(status(404, "NoSuchKey"))
  })

  test("files are named by chance, never by a key", async () => {
    await put("../../named-by-key")
    expect(readdirSync(join(server.directory, "blobs")).filter((name) => !/^[0-9a-f-]{36}$/.test(name))).toEqual([])
    expect(readdirSync(server.directory)).toEqual(expect.arrayContaining(["blobs", "objects.sqlite"]))
  })

  test("a key of more than 1,024 bytes is refused", async () => {
    await expect(put("k".repeat(1025))).rejects.toEqual(status(400, "KeyTooLongError"))
    await expect(put("é".repeat(513))).rejects.toEqual(status(400, "KeyTooLongError"))
  })
})
