import { writeFileSync } from "node:fs"
import { join } from "node:path"
import {
  GetObjectCommand,
  type GetObjectCommandInput,
  HeadObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
} from "@aws-sdk/client-s3"
import { getSignedUrl } from "@aws-sdk/s3-request-presigner"
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest"
import { bucket as Bucket, clientOf, startServer } from "./s3/test-server.ts"

const server = await startServer()
const client = clientOf(server.endpoint)
/** Presigning with default checksums writes one of an empty body into the query, so presigners turn them off. */
const presigner = clientOf(server.endpoint, { requestChecksumCalculation: "WHEN_REQUIRED" })
afterAll(() => server.stop())

const hello = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=" // SHA-256 of "hello"
const signPut = (input: Partial<PutObjectCommandInput>, headers: string[] = []) =>
  getSignedUrl(presigner, new PutObjectCommand({ Bucket, Key: "presigned", ...input }), {
    expiresIn: 60,
    signableHeaders: new Set(headers),
    unhoistableHeaders: new Set(headers),
  })
const signGet = (input: Partial<GetObjectCommandInput> = {}) =>
  getSignedUrl(presigner, new GetObjectCommand({ Bucket, Key: "presigned", ...input }), { expiresIn: 60 })

const send = async (url: string, init: RequestInit = {}) => {
  const answer = await fetch(url, init)
  const body = await answer.text()
  return { status: answer.status, headers: answer.headers, body, code: /<Code>(.*)<\/Code>/.exec(body)?.[1] }
}
const put = (url: string, body: string, headers: Record<string, string> = {}) => send(url, { method: "PUT", body, headers })

describe("presigned URLs", () => {
  test("one puts an object and one gets it", async () => {
    expect(
      await put(await signPut({ ContentType: "text/plain", ContentLength: 5 }, ["content-type"]), "hello", {
        "content-type": "text/plain",
      }),
    ).toMatchObject({ status: 200 })
    const answer = await send(await signGet())
    expect(answer).toMatchObject({ status: 200, body: "hello" })
    expect(answer.headers.get("content-type")).toBe("text/plain")
  })

  test("a GET may say under which headers the object is sent", async () => {
    const ResponseContentDisposition = "attachment; filename=\"a + b.txt\"; filename*=UTF-8''%C3%A4.txt"
    const answer = await send(
      await signGet({ ResponseContentDisposition, ResponseContentType: "text/x-special", ResponseCacheControl: "no-store" }),
    )
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "content-disposition": ResponseContentDisposition,
      "content-type": "text/x-special",
      "cache-control": "no-store",
    })
  })

  test("a header that cannot be sent is refused", async () => {
    expect(await send(await signGet({ ResponseContentType: "a\r\nset-cookie: b" }))).toMatchObject({
      status: 400,
      code: "InvalidArgument",
    })
  })

  test("ranges work over a presigned URL", async () => {
    expect(await send(await signGet(), { headers: { range: "bytes=1-2" } })).toMatchObject({ status: 206, body: "el" })
  })

  test("a body of another length than the signed one is refused", async () => {
    const url = await signPut({ Key: "length", ContentLength: 5 })
    expect(await put(url, "hello, you")).toMatchObject({ status: 403, code: "SignatureDoesNotMatch" })
    expect(await put(url, "hello")).toMatchObject({ status: 200 })
  })

  test("another content type than the signed one is refused", async () => {
    const url = await signPut({ Key: "type", ContentType: "text/plain" }, ["content-type"])
    expect(await put(url, "x", { "content-type": "text/html" })).toMatchObject({ status: 403, code: "SignatureDoesNotMatch" })
  })

  test("bytes that do not have the signed checksum are refused", async () => {
    const url = await signPut({ Key: "sum", ChecksumSHA256: hello }, ["x-amz-checksum-sha256"])
    expect(await put(url, "jello", { "x-amz-checksum-sha256": hello })).toMatchObject({ status: 400, code: "BadDigest" })
    expect(await put(url, "hello")).toMatchObject({ status: 403, code: "SignatureDoesNotMatch" })
    expect(await put(url, "hello", { "x-amz-checksum-sha256": hello })).toMatchObject({ status: 200 })
    expect(await client.send(new HeadObjectCommand({ Bucket, Key: "sum", ChecksumMode: "ENABLED" }))).toMatchObject({
      ChecksumSHA256: hello,
    })
  })

  test("a checksum in the query is not looked at, as the SDK writes one of an empty body there", async () => {
    const url = await getSignedUrl(client, new PutObjectCommand({ Bucket, Key: "query-sum" }))
    expect(url).toContain("x-amz-checksum-crc32=AAAAAA")
    expect(await put(url, "hello")).toMatchObject({ status: 200 })
  })

  test("metadata in the query is the object's", async () => {
    expect(await put(await signPut({ Key: "meta", Metadata: { of: "the query" } }), "hello")).toMatchObject({ status: 200 })
    expect(await client.send(new HeadObjectCommand({ Bucket, Key: "meta" }))).toMatchObject({ Metadata: { of: "the query" } })
  })

  test("create-only holds over a presigned URL", async () => {
    const url = await signPut({ Key: "create-only", IfNoneMatch: "*" }, ["if-none-match"])
    expect(await put(url, "1", { "if-none-match": "*" })).toMatchObject({ status: 200 })
    expect(await put(url, "2", { "if-none-match": "*" })).toMatchObject({ status: 412, code: "PreconditionFailed" })
    expect(await put(url, "2")).toMatchObject({ status: 403, code: "SignatureDoesNotMatch" })
  })

  test("an x-amz- header that was not signed is refused", async () => {
    const answer = await put(await signPut({ Key: "added" }), "hello", { "x-amz-meta-added": "later" })
    expect(answer).toMatchObject({ status: 403, code: "AccessDenied" })
    expect(answer.body).toContain("<HeadersNotSigned>x-amz-meta-added</HeadersNotSigned>")
  })

  test("a damaged signature, another key, another object, another method and another expiry are refused", async () => {
    const url = await signGet()
    const damaged = [
      url.replace(/X-Amz-Signature=(.)/, (_, digit) => `X-Amz-Signature=${digit === "0" ? "1" : "0"}`),
      url.replace(/X-Amz-Signature=\w+/, "X-Amz-Signature="),
      url.replace("/presigned?", "/length?"),
      url.replace("X-Amz-Expires=60", "X-Amz-Expires=6000"),
      `${url}&response-content-type=text%2Fhtml`,
    ]
    for (const each of damaged) expect(await send(each)).toMatchObject({ status: 403, code: "SignatureDoesNotMatch" })
    expect(await put(url, "x")).toMatchObject({ status: 403, code: "SignatureDoesNotMatch" })
    expect(await send(url.replace("AKIATEST", "AKIAOTHER"))).toMatchObject({ status: 403, code: "InvalidAccessKeyId" })
    expect(await send(url.split("?")[0]!)).toMatchObject({ status: 403, code: "AccessDenied" })
    expect(await send(url)).toMatchObject({ status: 200, body: "hello" })
  })

  test("an error is S3's XML, with the resource and the id of the request", async () => {
    const answer = await send(await signGet({ Key: "not <there>" }))
    expect(answer.headers.get("content-type")).toBe("application/xml")
    const id = answer.headers.get("x-amz-request-id")
    expect(answer.body).toBe(
      `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message>` +
        `<Resource>/files/not%20%3Cthere%3E</Resource><RequestId>${id}</RequestId></Error>`,
    )
  })
})

describe("expiry", () => {
  const clock = join(server.directory, "clock")
  const move = (seconds: number) => writeFileSync(clock, String(seconds * 1000))
  beforeEach(() => {
    move(0)
    process.env.DORMOUSE_CLOCK = clock
  })
  afterEach(() => {
    delete process.env.DORMOUSE_CLOCK
  })

  test("a URL is good until its time has passed, and not a second longer", async () => {
    const url = await signGet()
    move(58)
    expect(await send(url)).toMatchObject({ status: 200 })
    move(61)
    const answer = await send(url)
    expect(answer).toMatchObject({ status: 403, code: "AccessDenied" })
    expect(answer.body).toContain("<Message>Request has expired</Message>")
  })

  test("requests that the SDK signs as they are sent do not follow a clock that was moved", async () => {
    move(86_400)
    await expect(client.send(new HeadObjectCommand({ Bucket, Key: "presigned" }))).resolves.toMatchObject({ ContentLength: 5 })
  })

  test("what is dated a day ahead is not valid yet", async () => {
    const signingDate = new Date(Date.now() + 86_400_000)
    const url = await getSignedUrl(presigner, new GetObjectCommand({ Bucket, Key: "presigned" }), { signingDate })
    expect(await send(url)).toMatchObject({ status: 403, code: "AccessDenied" })
    move(86_400)
    expect(await send(url)).toMatchObject({ status: 200 })
  })

  test("a lifetime over seven days is refused", async () => {
    const url = (await signGet()).replace("X-Amz-Expires=60", "X-Amz-Expires=604801")
    expect(await send(url)).toMatchObject({ status: 400, code: "AuthorizationQueryParametersError" })
  })
})
