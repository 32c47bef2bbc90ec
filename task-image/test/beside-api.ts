import { createHash } from "node:crypto"
import { request as forward, type IncomingMessage, type ServerResponse } from "node:http"
import { storedRequestHeader } from "../../core/protocol.ts"
import type { Stage } from "./container-api.ts"

/** What a container finds beside the API: the store behind presigned addresses, and the model gateway. */

export const sha256 = (text: string) => createHash("sha256").update(text).digest("hex")

export const tokenOf = ({ headers }: IncomingMessage) => String(headers.authorization).replace("Bearer ", "")

export const readText = async (request: IncomingMessage) => {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part)
  return Buffer.concat(parts).toString("utf8")
}

/** An object of a checkpoint, which is written once. */
export const serveObject = async ({ objects, play }: Stage, request: IncomingMessage, response: ServerResponse, name: string) => {
  await play.transfer(name)
  if (request.method === "GET") return response.writeHead(objects.has(name) ? 200 : 404).end(objects.get(name))
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part)
  const isNew = !objects.has(name)
  if (isNew) objects.set(name, Buffer.concat(parts))
  return response.writeHead(isNew ? 200 : 412).end()
}

/** A file of the store, by an address that was signed. */
export const serveStore = async (stage: Stage, request: IncomingMessage, response: ServerResponse, id: string) => {
  if (request.method === "GET") {
    const content = Buffer.from(stage.files?.[id] ?? "")
    response.writeHead(200).write(content.subarray(0, 1))
    await stage.play.transfer(id)
    return response.end(content.subarray(1))
  }
  const text = await readText(request)
  const trouble = stage.play.storeTrouble()
  if (typeof trouble === "string") return response.destroy()
  if (trouble) return response.writeHead(trouble).end()
  const isAsAgreed = request.headers["x-signed"] === "yes" && Buffer.byteLength(text) === stage.prepared.get(id)?.size_bytes
  if (isAsAgreed) stage.stored.set(id, text)
  return response.writeHead(isAsAgreed ? 200 : 403).end()
}

/** The model gateway, which puts the key into a request and passes it on. */
export const serveModels = async (stage: Stage, request: IncomingMessage, response: ServerResponse, path: string) => {
  if (sha256(tokenOf(request)) !== stage.runTokenHash) return response.writeHead(401).end()
  const { authorization: _, host: __, "content-length": ___, "x-api-key": key, ...passed } = request.headers
  const { [storedRequestHeader]: id, ...headers } = passed
  if (key) stage.seen.violations.push("The gateway was sent an x-api-key")
  const sent = await readText(request)
  const stored = id === undefined ? undefined : stage.stored.get(String(id))
  stage.seen.modelRequests.push({
    bytes: Buffer.byteLength(sent),
    stored: stored === undefined ? undefined : Buffer.byteLength(stored),
  })
  const upstream = forward(stage.modelUrl + path, { method: request.method, headers: { ...headers, "x-api-key": "sk-real" } })
  upstream.on("response", (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.on("error", () => response.destroy()).pipe(response)
  })
  upstream.on("error", () => response.destroy())
  response.on("close", () => upstream.destroy())
  return upstream.end(stored ?? sent)
}
