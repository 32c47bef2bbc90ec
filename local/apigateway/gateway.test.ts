import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { makeFixture } from "../fixture.ts"
import { type Lambda, openLambda } from "../lambda/lambda.ts"
import { openPort, type Port } from "../port.ts"
import type { ApiWiring } from "../wiring.ts"
import { apiHandler } from "./gateway.ts"

const route = (name: string, fn: string, rest: Partial<ApiWiring["routes"][number]> = {}) => {
  const [method, path] = name.split(" ") as [string, string]
  return { method, path, function: fn, streaming: false, timeoutSeconds: 29, ...rest }
}

/** Streams through middy as the product does: what is sent is decided by files that the test makes. */
const streams = `
  import { existsSync } from "node:fs"
  import { Readable } from "node:stream"
  import middy from "@middy/core"
  import { executionModeStreamifyResponse } from "@middy/core/StreamifyResponse"
  const appears = async (path) => { while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 5)) }
  async function* chunks({ gate, breaks }) {
    yield "first\\n"
    await appears(gate)
    if (breaks) throw new Error("in the middle")
    yield "second\\n"
    await require("node:fs/promises").writeFile(gate + ".ended", "")
  }
  export const handler = middy({ executionMode: executionModeStreamifyResponse }).handler(async (event) => ({
    statusCode: 201,
    headers: { "content-type": "text/event-stream", "x-path": event.path },
    body: event.queryStringParameters.plain ? event.queryStringParameters.plain : Readable.from(chunks(event.queryStringParameters)),
  }))`

const fixture = makeFixture(
  {
    echo: { code: "export const handler = async (event) => ({ statusCode: 200, body: JSON.stringify(event) })" },
    says: { code: "export const handler = async (event) => JSON.parse(event.body)" },
    slow: { code: "export const handler = () => new Promise(() => setInterval(() => {}, 1000))", timeoutSeconds: 5 },
    throws: { code: `export const handler = async () => { throw new Error("a secret") }` },
    streams: { code: streams },
    headless: {
      code: "export const handler = awslambda.streamifyResponse(async (_event, response) => response.end('no prelude'))",
    },
  },
  {
    api: {
      id: "abc123",
      stage: "api",
      binaryMediaTypes: ["application/octet-stream", "image/*"],
      gatewayResponses: {
        MISSING_AUTHENTICATION_TOKEN: {
          status: 404,
          headers: { "x-request-id": "context.requestId", "cache-control": "'no-store'" },
          body: '{"error":{"code":"not_found","message":$context.error.messageString,"requestId":"$context.requestId"}}',
        },
        DEFAULT_5XX: { headers: {}, body: '{"error":{"code":"internal"}}' },
      },
      routes: [
        route("GET /v1/things/{thingId}", "echo"),
        route("POST /v1/things/{thingId}", "echo"),
        route("GET /v1/things/special", "says"),
        route("POST /v1/says", "says"),
        route("GET /v1/docs", "echo"),
        route("ANY /v1/files/{path+}", "echo"),
        route("GET /v1/slow", "slow", { timeoutSeconds: 0.2 }),
        route("GET /v1/throws", "throws"),
        route("GET /v1/streams", "streams", { streaming: true }),
        route("GET /v1/headless", "headless", { streaming: true }),
        route("GET /v1/no-stream", "echo", { streaming: true }),
      ],
    },
  },
)

let lambda: Lambda
let api: Port
let base: string

beforeAll(async () => {
  lambda = openLambda({
    region: fixture.wiring.region,
    functions: fixture.wiring.functions,
    bundles: fixture.bundles,
    data: fixture.data,
    verbose: false,
    environment: () => ({}),
  })
  api = await openPort(0)
  api.serve(apiHandler({ wiring: fixture.wiring, lambda }))
  base = `http://127.0.0.1:${api.number}`
})

afterAll(async () => {
  await api.close()
  await lambda.close()
  fixture.remove()
})

const get = (path: string, init?: RequestInit) => fetch(base + path, init)
const json = async (path: string, init?: RequestInit) => (await get(path, init)).json() as Promise<Record<string, unknown>>
const says = (answer: unknown, headers: Record<string, string> = {}) =>
  get("/api/v1/says", { method: "POST", body: JSON.stringify(answer), headers })

describe("the event", () => {
  test("carries path, parameters, query and headers as API Gateway writes them", async () => {
    const event = await json("/api/v1/things/a%20b%2Fc?x=1&x=2&y=%C3%A9", { headers: { "X-Mine": "yes" } })
    expect(event).toMatchObject({
      resource: "/v1/things/{thingId}",
      path: "/v1/things/a%20b%2Fc",
      httpMethod: "GET",
      pathParameters: { thingId: "a b/c" },
      queryStringParameters: { x: "2", y: "é" },
      multiValueQueryStringParameters: { x: ["1", "2"], y: ["é"] },
      stageVariables: null,
      body: null,
      isBase64Encoded: false,
      requestContext: {
        accountId: "123456789012",
        apiId: "abc123",
        stage: "api",
        path: "/api/v1/things/a%20b%2Fc",
        resourcePath: "/v1/things/{thingId}",
        httpMethod: "GET",
        protocol: "HTTP/1.1",
        identity: { sourceIp: "127.0.0.1" },
      },
    })
    const headers = event.headers as Record<string, string>
    expect(Object.entries(headers).find(([name]) => name.toLowerCase() === "x-mine")?.[1]).toBe("yes")
    expect(Object.keys(headers).map((name) => name.toLowerCase())).not.toContain("connection")
  })

  test("has null where there is no query", async () => {
    expect(await json("/api/v1/things/x")).toMatchObject({ queryStringParameters: null, multiValueQueryStringParameters: null })
  })

  test("carries text as text and binary types as base64", async () => {
    const post = (type: string) => json("/api/v1/things/x", { method: "POST", body: "é", headers: { "content-type": type } })
    expect(await post("application/json")).toMatchObject({ body: "é", isBase64Encoded: false })
    expect(await post("image/png")).toMatchObject({ body: Buffer.from("é").toString("base64"), isBase64Encoded: true })
  })

  test("an exact segment goes before a parameter, and a greedy parameter takes the rest of the path", async () => {
    expect((await get("/api/v1/things/special")).status).toBe(502)
    expect(await json("/api/v1/files/a/b.txt", { method: "DELETE" })).toMatchObject({
      pathParameters: { path: "a/b.txt" },
      httpMethod: "DELETE",
    })
  })
})

describe("the answer", () => {
  test("is what the function says, with the gateway's request id", async () => {
    const answer = await says({ statusCode: 202, headers: { "x-a": "1", "content-type": "text/plain" }, body: "hello" })
    expect([answer.status, answer.headers.get("x-a"), await answer.text()]).toEqual([202, "1", "hello"])
    expect(answer.headers.get("x-amzn-requestid")).toMatch(/^[0-9a-f-]{36}$/)
  })

  test("repeats headers of many values, and renames those that the gateway keeps for itself", async () => {
    const answer = await says({
      statusCode: 200,
      multiValueHeaders: { "set-cookie": ["a=1", "b=2"] },
      headers: { "WWW-Authenticate": "Bearer" },
    })
    expect(answer.headers.getSetCookie()).toEqual(["a=1", "b=2"])
    expect(answer.headers.get("x-amzn-remapped-www-authenticate")).toBe("Bearer")
  })

  test("decodes base64 for a client that accepts the bytes, and for no other", async () => {
    const body = { statusCode: 200, body: Buffer.from("bytes").toString("base64"), isBase64Encoded: true }
    expect(await (await says(body, { accept: "application/octet-stream" })).text()).toBe("bytes")
    expect(await (await says(body, { accept: "text/plain" })).text()).toBe(body.body)
  })

  test.each([["text"], [null], [{ statusCode: "no" }], [{ statusCode: 200, body: { a: 1 } }], [{ statusCode: 200, extra: 1 }]])(
    "is a 502 when it is malformed: %j",
    async (malformed) => {
      const answer = await says(malformed)
      expect([answer.status, await answer.text()]).toEqual([502, '{"error":{"code":"internal"}}'])
    },
  )

  test("is a 502 without a word of what the function threw", async () => {
    const answer = await get("/api/v1/throws")
    expect([answer.status, await answer.text()]).toEqual([502, '{"error":{"code":"internal"}}'])
  })

  test("is a 504 when the function takes longer than the integration may", async () => {
    expect((await get("/api/v1/slow")).status).toBe(504)
  })
})

describe("what the gateway answers itself", () => {
  test.each([["GET /api/v1/nothing"], ["PATCH /api/v1/things/x"], ["GET /v1/things/x"], ["GET /api"]])(
    "%s is the API's own 404 with the request id",
    async (name) => {
      const [method, path] = name.split(" ") as [string, string]
      const answer = await get(path, { method })
      const requestId = answer.headers.get("x-request-id")
      expect(answer.status).toBe(404)
      expect(answer.headers.get("cache-control")).toBe("no-store")
      expect(await answer.json()).toEqual({ error: { code: "not_found", message: "Missing Authentication Token", requestId } })
    },
  )

  test("a body over 10 MB is a 413", async () => {
    const answer = await get("/api/v1/says", { method: "POST", body: Buffer.alloc(10 * 1024 ** 2 + 1) })
    expect([answer.status, await answer.json()]).toEqual([413, { message: "Request Too Long" }])
  })

  test("a path that cannot be decoded is a 400", async () => {
    expect((await get("/api/v1/things/%E0%A4%A")).status).toBe(400)
  })

  test("the root is the reference of the API", async () => {
    expect(await json("/?a=1")).toMatchObject({ path: "/v1/docs", queryStringParameters: { a: "1" } })
  })
})

describe("a streaming route", () => {
  const open = async (query: string, signal?: AbortSignal) => {
    const answer = await get(`/api/v1/streams?${query}`, { signal })
    const reader = answer.body!.getReader()
    const next = async () => new TextDecoder().decode((await reader.read()).value)
    return { answer, next }
  }

  test("sends head and chunks as the function writes them, and not later", async () => {
    const gate = join(fixture.data, "flows")
    const { answer, next } = await open(`gate=${gate}`)
    expect([answer.status, answer.headers.get("content-type"), answer.headers.get("x-path")]).toEqual([
      201,
      "text/event-stream",
      "/v1/streams",
    ])
    expect(await next()).toBe("first\n")
    expect(existsSync(gate)).toBe(false)
    writeFileSync(gate, "")
    expect(await next()).toBe("second\n")
    expect(await next()).toBe("")
  })

  test("runs on when the client leaves, as on AWS", async () => {
    const gate = join(fixture.data, "left")
    const client = new AbortController()
    const { next } = await open(`gate=${gate}`, client.signal)
    await next()
    client.abort()
    writeFileSync(gate, "")
    await expect.poll(() => existsSync(`${gate}.ended`)).toBe(true)
  })

  test("an error in the middle breaks the connection, so that half an answer is not taken for a whole one", async () => {
    const gate = join(fixture.data, "breaks")
    const { next } = await open(`gate=${gate}&breaks=1`)
    await next()
    writeFileSync(gate, "")
    await expect(next()).rejects.toThrow()
  })

  test("takes an answer that is plain text", async () => {
    expect(await (await get("/api/v1/streams?plain=all")).text()).toBe("all")
  })

  test.each([["/api/v1/headless"], ["/api/v1/no-stream"]])("%s is a 502: status and headers never came", async (path) => {
    expect((await get(path)).status).toBe(502)
  })
})
