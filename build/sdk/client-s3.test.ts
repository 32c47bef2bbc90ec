import * as realS3 from "@aws-sdk/client-s3"
import { getSignedUrl as realGetSignedUrl } from "@aws-sdk/s3-request-presigner"
import { afterEach, describe, expect, test } from "vitest"
import * as s3 from "./client-s3.ts"
import { answering, compare, heardSince, type Library, send, withoutMetadata } from "./compare.ts"
import { getSignedUrl } from "./s3-request-presigner.ts"

const place = { Bucket: "bucket", Key: "a/b c/ä'(1)!*&+=~;:@$,[].txt" }

const facts = { etag: '"e"', "content-type": "text/plain", "content-length": "3" }

describe("a command of S3 sends what the SDK sends, and answers what it answers", () => {
  const cases: [string, object, object][] = [
    ["HeadObjectCommand", { ...place, ChecksumMode: "ENABLED" }, { headers: { ...facts, "x-amz-checksum-sha256": "abc=" } }],
    [
      "PutObjectCommand",
      { ...place, Body: "text ä", ContentType: "text/plain; charset=utf-8" },
      { headers: { etag: '"e"' }, body: "" },
    ],
    ["DeleteObjectCommand", place, { status: 204, body: "" }],
    [
      "DeleteObjectsCommand",
      { Bucket: "bucket", Delete: { Quiet: true, Objects: [{ Key: "a" }, { Key: `<&>"'ä` }] } },
      { body: "<DeleteResult><Error><Key>a&amp;b</Key><Code>AccessDenied</Code><Message>No</Message></Error></DeleteResult>" },
    ],
    ["DeleteObjectsCommand", { Bucket: "bucket", Delete: { Quiet: true, Objects: [{ Key: "a" }] } }, { body: "<DeleteResult/>" }],
  ]
  test.each(cases)("%s", async (command, input, answer) => {
    answering(answer)
    const { mine, theirs } = await compare(s3, realS3, "S3Client", command, input)
    expect(withoutMetadata(theirs.output)).toMatchObject(withoutMetadata(mine.output))
  })

  test.each([
    ["whole", place],
    ["in a range", { ...place, Range: "bytes=0-2" }],
  ])("GetObjectCommand, %s", async (_name, input) => {
    answering({ headers: { ...facts, "content-range": "bytes 0-2/9" }, body: "abc" })
    const { mine, theirs } = await compare(s3, realS3, "S3Client", "GetObjectCommand", input)
    const [ours, real] = await Promise.all([mine, theirs].map(async ({ output }) => contentOf(output)))
    expect(real).toMatchObject(ours!)
    expect(ours).toMatchObject({ text: "abc", ContentLength: 3, ContentRange: "bytes 0-2/9" })
  })

  const contentOf = async (output: unknown) => {
    const { Body, ...others } = withoutMetadata(output) as { Body: { transformToString(): Promise<string> } }
    return { ...others, text: await Body.transformToString() }
  }

  test("ListObjectsV2Command", async () => {
    const contents = ["a&amp;b", "&#x4;c", "d/ä"].map(
      (key, i) =>
        `<Contents><Key>${key}</Key><LastModified>2026-01-0${i + 1}T00:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>${i}</Size></Contents>`,
    )
    answering({
      body: `<?xml version="1.0"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bucket</Name><IsTruncated>true</IsTruncated><NextContinuationToken>t&lt;1</NextContinuationToken>${contents.join("\n")}</ListBucketResult>`,
    })
    const input = { Bucket: "bucket", Prefix: "p/ä", MaxKeys: 3, ContinuationToken: "t 0" }
    const { mine, theirs } = await compare(s3, realS3, "S3Client", "ListObjectsV2Command", input)
    expect(theirs.output).toMatchObject(withoutMetadata(mine.output))
    expect(mine.output).toMatchObject({ Contents: [{ Key: "a&b" }, { Key: "\u0004c" }, { Size: 2 }], IsTruncated: true })
  })
})

describe("a failure is raised as the SDK raises it", () => {
  const xml = (code: string) =>
    `<?xml version="1.0"?><Error><Code>${code}</Code><Message>It &amp; that</Message><RequestId>1</RequestId></Error>`
  test.each([
    ["GetObjectCommand", 404, xml("NoSuchKey")],
    ["GetObjectCommand", 416, xml("InvalidRange")],
    ["PutObjectCommand", 412, xml("PreconditionFailed")],
    ["DeleteObjectCommand", 403, xml("AccessDenied")],
  ])("%s, %s", async (command, status, body) => {
    answering({ status, body })
    const { mine, theirs } = await compare(s3, realS3, "S3Client", command, place)
    expect([mine.error!.name, mine.error!.message, mine.error!.status]).toEqual([
      theirs.error!.name,
      theirs.error!.message,
      status,
    ])
  })

  test.each(["ListObjectsV2Command", "DeleteObjectsCommand"])(
    "%s, answered 200 with an error, is made again",
    async (command) => {
      const input = { Bucket: "bucket", Delete: { Objects: [{ Key: "a" }] } }
      answering(
        { body: xml("InternalError") },
        { body: command === "DeleteObjectsCommand" ? "<DeleteResult/>" : "<ListBucketResult/>" },
      )
      const { error } = await send(s3, "S3Client", command, input)
      expect([error, heardSince().length]).toEqual([undefined, 2])
      answering({ body: xml("InternalError") })
      expect((await send(s3, "S3Client", command, input)).error).toMatchObject({ name: "InternalError", status: 503 })
    },
  )

  test("HeadObjectCommand, which is answered without words", async () => {
    answering({ status: 404 })
    const { mine, theirs } = await compare(s3, realS3, "S3Client", "HeadObjectCommand", place)
    expect(mine.error!.name).toBe("NotFound")
    expect(mine.error!.name).toBe(theirs.error!.name)
  })
})

describe("an address", () => {
  const endpoint = process.env.AWS_ENDPOINT_URL
  afterEach(() => {
    process.env.AWS_ENDPOINT_URL = endpoint
  })
  const signingDate = new Date("2026-01-01T00:00:00Z")
  const headers = { "content-length": "3", "x-amz-checksum-sha256": "abc=", "if-none-match": "*" }
  const names = new Set(Object.keys(headers))
  const cases: [string, string, object, object][] = [
    [
      "to put",
      "PutObjectCommand",
      { ...place, ContentLength: 3, ChecksumSHA256: "abc=", IfNoneMatch: "*" },
      { expiresIn: 900, signingDate, signableHeaders: names, unhoistableHeaders: names },
    ],
    ["to get", "GetObjectCommand", place, { expiresIn: 300, signingDate }],
    [
      "to get under a name",
      "GetObjectCommand",
      { ...place, ResponseContentDisposition: `attachment; filename="ä b"`, ResponseContentType: "text/plain" },
      { expiresIn: 300, signingDate },
    ],
  ]

  test.each(cases)(
    "%s is the SDK's own but for its remark of who made it, and signs the same headers",
    async (_name, command, input, options) => {
      delete process.env.AWS_ENDPOINT_URL
      const real = await addressOf(realGetSignedUrl as never, realS3, command, input, options)
      const ours = await addressOf(getSignedUrl as never, s3, command, input, options)
      expect(ours.origin + ours.pathname).toBe(real.origin + real.pathname)
      const parameters = (url: URL) =>
        Object.fromEntries([...url.searchParams].filter(([name]) => !/^(x-id|x-amz-checksum-mode|X-Amz-Signature)$/.test(name)))
      expect(parameters(ours)).toEqual(parameters(real))
    },
  )

  async function addressOf(
    sign: (...args: unknown[]) => Promise<string>,
    library: Library,
    command: string,
    input: object,
    options: object,
  ) {
    return new URL(
      await sign(
        new library.S3Client({ requestChecksumCalculation: "WHEN_REQUIRED" }),
        new library[command](input),
        structuredClone(options),
      ),
    )
  }
})
