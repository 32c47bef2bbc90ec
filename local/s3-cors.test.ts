import { PutObjectCommand } from "@aws-sdk/client-s3"
import { getSignedUrl } from "@aws-sdk/s3-request-presigner"
import { afterAll, describe, expect, test } from "vitest"
import { bucket as Bucket, clientOf, startServer } from "./s3/test-server.ts"

const corsRules = [
  { allowedOrigins: ["https://*.example.com"], allowedMethods: ["PUT"], allowedHeaders: ["content-*"], exposeHeaders: ["ETag"] },
  { allowedOrigins: ["*"], allowedMethods: ["GET"], maxAgeSeconds: 60 },
]
const server = await startServer({ corsRules })
const url = await getSignedUrl(clientOf(server.endpoint), new PutObjectCommand({ Bucket, Key: "page" }), { expiresIn: 60 })
afterAll(() => server.stop())

const allowed = ({ headers }: Response) => headers.get("access-control-allow-origin")
const ask = (origin: string, method: string, headers?: string) =>
  fetch(url, {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": method,
      ...(headers === undefined ? {} : { "access-control-request-headers": headers }),
    },
  })

describe("a page of another origin", () => {
  test("is told before what it may send, without a signature", async () => {
    const answer = await ask("https://app.example.com", "PUT", "Content-Type")
    expect(answer.status).toBe(200)
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "access-control-allow-origin": "https://app.example.com",
      "access-control-allow-methods": "PUT",
      "access-control-allow-headers": "content-type",
      vary: expect.stringContaining("Origin"),
    })
    const read = await ask("https://anybody.example", "GET")
    expect([allowed(read), read.headers.get("access-control-max-age")]).toEqual(["*", "60"])
  })

  test.each([
    ["of an origin that no rule names", "https://example.com.evil.example", "PUT", "content-type"],
    ["with a method that no rule names", "https://app.example.com", "DELETE", undefined],
    ["with a header that no rule names", "https://app.example.com", "PUT", "x-other"],
  ])("is refused %s", async (_, origin, method, headers) => {
    const answer = await ask(origin, method, headers)
    expect(answer.status).toBe(403)
    expect(await answer.text()).toContain("<Code>AccessForbidden</Code>")
    expect(allowed(answer)).toBeNull()
  })

  test("may read the answer to what it sent, also a refusal, and no other page may", async () => {
    const put = (origin: string, to = url) => fetch(to, { method: "PUT", body: "hello", headers: { origin } })
    const answer = await put("https://app.example.com")
    expect([answer.status, allowed(answer)]).toEqual([200, "https://app.example.com"])
    expect(answer.headers.get("access-control-expose-headers")).toBe("ETag")
    const refused = await put("https://app.example.com", `${url}0`)
    expect([refused.status, allowed(refused)]).toEqual([403, "https://app.example.com"])
    expect(allowed(await put("https://evil.example"))).toBeNull()
  })

  test("is refused as S3 does where the address is none", async () => {
    const answer = await fetch(`${server.endpoint}/%zz/page`, { headers: { origin: "https://app.example.com" } })
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining("<Code>InvalidURI</Code>")])
  })
})
