import { subscribe, unsubscribe } from "node:diagnostics_channel"
import { once } from "node:events"
import type { IncomingMessage, ServerResponse } from "node:http"
import { connect } from "node:net"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { limits } from "#core/limits.ts"
import { newAccount } from "#test/app.ts"
import { items } from "#test/aws.ts"
import { claimedContainer } from "#test/container.ts"
import { type OwnStack, ownStack } from "#test/stack.ts"
import { moveTime } from "#test/time.ts"

// A stream whose client has stopped reading, so that the server can write no more.

const time = moveTime()
let app: OwnStack
let account: Awaited<ReturnType<typeof newAccount>>

beforeAll(async () => {
  app = await ownStack({}, undefined, { idle: true })
  account = await newAccount(app)
})
afterAll(async () => {
  await app.stop()
  time.release()
})

/** A stream of which nothing is read but its beginning, and the server's end of it. */
const unread = async (taskId: string, key: string) => {
  const path = `/api/v1/conversations/${taskId}/events?stream=true`
  const asked = new Promise<ServerResponse>((resolve) => {
    const look = (message: unknown) => {
      const { request, response } = message as { request: IncomingMessage; response: ServerResponse }
      if (request.url !== path) return
      unsubscribe("http.server.request.start", look)
      resolve(response)
    }
    subscribe("http.server.request.start", look)
  })
  const { hostname, port } = new URL(app.apiUrl)
  const socket = connect({ host: hostname, port: Number(port) })
  socket.on("error", () => undefined)
  socket.write(`GET ${path} HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${key}\r\n\r\n`)
  const [head] = (await once(socket, "data")) as [Buffer]
  socket.pause()
  expect(head.toString()).toMatch(/^HTTP\/1.1 200 /)
  return { socket, response: await asked }
}

const messages = 12

test("a client that stops reading in the middle is cut off once the stream's time is over, and its place is given back", async () => {
  const { task } = await claimedContainer(app, account, { conversation: {} })
  // Six bytes for each character of JSON: together more than sockets hold, so that the server can write no more.
  const content = "\u0001".repeat(limits.text)
  for (let n = 1; n <= messages; n++) await account.send(`POST /conversations/${task.id}/messages`, { content })
  const places = () => items(app, `${account.accountId}#streams`, "stream")
  const { socket, response } = await unread(task.id, account.apiKey)
  await vi.waitFor(() => expect(response.writableNeedDrain).toBe(true), { timeout: 20_000 })
  expect(await places()).toHaveLength(1)
  // However many chunks there were, one listens.
  expect(response.listenerCount("close")).toBeLessThan(5)

  time.advance(300_000)
  // A place whose time is over can be taken by another stream, but it is only gone when it was given back.
  await vi.waitFor(async () => expect(await places()).toEqual([]), { timeout: 20_000 })
  const chunks: Buffer[] = []
  socket.on("data", (chunk) => chunks.push(chunk))
  socket.resume()
  await once(socket, "close")
  expect(response.destroyed).toBe(true)
  const got = Buffer.concat(chunks)
  expect(got.length).toBeLessThan(messages * JSON.stringify(content).length)
  // Neither the farewell of a stream nor the end of an answer.
  expect(got.subarray(-100).toString()).not.toMatch(/retry:|\r\n0\r\n\r\n$/)
})
