import { createServer, request as httpRequest } from "node:http"
import type { AddressInfo } from "node:net"
import { expect, onTestFinished, test } from "vitest"
import { startModelProxy } from "./model-proxy.ts"

const store = () => Promise.reject(new Error("Nothing here is large enough to be stored"))

/** A proxy before a gateway that streams "first", then waits for `goOn`, then "second". */
const start = async () => {
  const seen: { url?: string; headers: Record<string, unknown>; body: string; gone: boolean }[] = []
  const { promise: goOn, resolve: letGoOn } = Promise.withResolvers<void>()
  const gateway = createServer(async (request, response) => {
    let body = ""
    for await (const part of request.setEncoding("utf8")) body += part
    const entry = { url: request.url, headers: request.headers, body, gone: false }
    seen.push(entry)
    response.on("close", () => {
      entry.gone = !response.writableEnded
    })
    response.writeHead(200, { "content-type": "text/event-stream" }).write("first")
    await goOn
    response.end("second")
  })
  await new Promise<void>((resolve) => gateway.listen(0, "127.0.0.1", resolve))
  const api = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}/api`
  const proxy = await startModelProxy({ api, runToken: "run-token", provider: "anthropic", store, onWait: () => undefined })
  onTestFinished(() => {
    proxy.close()
    gateway.close()
    gateway.closeAllConnections()
  })
  return { proxy, seen, letGoOn }
}

/** A request whose path is sent as it stands. */
const ask = (origin: string, path: string, headers: Record<string, string>, method = "POST"): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(origin)
    const request = httpRequest({ hostname, port, path, method, headers }, (response) => {
      resolve(response.statusCode)
      response.destroy()
    })
    request.on("error", reject).end("{}")
  })

test("a request goes on with the run token in place of the placeholder key, and its answer comes back as it is made", async () => {
  const { proxy, seen, letGoOn } = await start()
  const headers = { "x-api-key": proxy.key, authorization: `Bearer ${proxy.key}`, "anthropic-version": "2023-06-01" }
  const response = await fetch(`${proxy.origin}/v1/messages?beta=true`, { method: "POST", headers, body: '{"a":1}' })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()

  expect((await reader?.read())?.value).toBe("first")
  letGoOn()
  expect((await reader?.read())?.value).toBe("second")
  expect(seen[0]).toMatchObject({ url: "/api/agent/models/anthropic/v1/messages?beta=true", body: '{"a":1}' })
  expect(seen[0]?.headers).toMatchObject({ authorization: "Bearer run-token", "anthropic-version": "2023-06-01" })
  expect(JSON.stringify(seen[0]?.headers)).not.toContain(proxy.key)
})

test("when the agent goes away, the gateway's answer is let go", async () => {
  const { proxy, seen } = await start()
  const gone = new AbortController()
  const headers = { "x-api-key": proxy.key }
  await fetch(`${proxy.origin}/v1/messages`, { method: "POST", headers, body: "{}", signal: gone.signal })
  gone.abort()

  await expect.poll(() => seen[0]?.gone).toBe(true)
})

test.each([
  "/v1/messages/../../../../tasks/run_1/complete",
  "/../../tasks/run_1/complete",
  "/v1/%2e%2e/%2e%2e/tasks/run_1/complete",
  "/v1/messages/batches",
  "//elsewhere.example/v1/messages",
  "/v1/messages?x=/../..",
  "/",
])("the run token is not to be had for anything but models: %s", async (path) => {
  const { proxy, seen } = await start()

  expect(await ask(proxy.origin, path, { "x-api-key": proxy.key })).toBe(404)
  expect(seen).toEqual([])
})

test("only who knows the key is served, and only by POST", async () => {
  const { proxy, seen } = await start()

  expect(await ask(proxy.origin, "/v1/messages", {})).toBe(401)
  expect(await ask(proxy.origin, "/v1/messages", { "x-api-key": "another" })).toBe(401)
  expect(await ask(proxy.origin, "/v1/messages", { "x-api-key": proxy.key }, "GET")).toBe(404)
  expect(seen).toEqual([])
})
