import { Readable } from "node:stream"
import { NodeHttpHandler } from "@smithy/node-http-handler"
import { AwsError, type JsonService } from "#local/service.ts"

/** Hands every request of the SDK to the embedded AWS without a network in between. */

export interface Request {
  headers: Record<string, string | undefined>
  method: string
  path: string
  query?: Record<string, string>
  body?: string | Uint8Array
}

export interface Reply {
  response: { statusCode: number; headers: Record<string, string>; body: Readable }
}

/** A request on its way to AWS: `send` takes it there. */
export type Intercept = (request: Request, send: () => Promise<Reply>) => Promise<Reply>

/** `TransactWriteItems`, `SendTaskSuccess` … */
export const operationOf = ({ headers, method }: Request) => headers["x-amz-target"]?.split(".").at(-1) ?? `${method} object`

const decoder = new TextDecoder()

export const textOf = (body: string | Uint8Array = "") => (typeof body === "string" ? body : decoder.decode(body))

const reply = (statusCode: number, text: string, headers: Record<string, string> = {}): Reply => ({
  response: { statusCode, headers, body: Readable.from([Buffer.from(text)]) },
})

const regionOf = ({ headers }: Request) => /\/\d{8}\/([a-z0-9-]+)\//.exec(headers.authorization ?? "")?.[1] ?? "us-east-1"

const callService = async (services: JsonService[], request: Request): Promise<Reply> => {
  const target = request.headers["x-amz-target"]!
  const [name, operation] = target.split(".") as [string, string]
  const service = services.find((one) => one.target === name)!
  const input = JSON.parse(textOf(request.body) || "{}") as Record<string, unknown>
  try {
    const answer = await service.call(operation, input, { accessKeyId: "operator", region: regionOf(request) })
    return reply(200, JSON.stringify(answer))
  } catch (error) {
    if (!(error instanceof AwsError)) throw error
    const { code, message, status, extra } = error
    return reply(status, JSON.stringify({ __type: code, message, ...extra }), { "x-amzn-errortype": code })
  }
}

const xml = (name: string, content = "") => reply(200, `<${name}>${content}</${name}>`, { "content-type": "application/xml" })

/** Of a bucket nothing but what the control plane asks for: what is there, how large it is, and that it goes. */
const callBucket = (bucket: Map<string, number>, { method, path, query = {}, body }: Request): Reply => {
  const key = path.split("/").slice(2).join("/")
  const size = bucket.get(key)
  if (method === "HEAD") return size === undefined ? reply(404, "") : reply(200, "", { "content-length": `${size}` })
  if (method === "GET" && "list-type" in query) {
    const found = [...bucket].filter(([name]) => name.startsWith(query.prefix!))
    const contents = found.map(([name, bytes]) => `<Contents><Key>${name}</Key><Size>${bytes}</Size></Contents>`)
    return xml("ListBucketResult", contents.join(""))
  }
  if (method === "POST" && "delete" in query) {
    for (const [, name] of textOf(body).matchAll(/<Key>(.*?)<\/Key>/g)) bucket.delete(name!)
    return xml("DeleteResult")
  }
  if (method !== "DELETE") throw new Error(`The bucket of this world does not know ${method} ${path}`)
  bucket.delete(key)
  return reply(204, "")
}

/** Takes over the requests of every client of this process. The answer takes that back. */
export const takeRequests = (services: JsonService[], bucket: Map<string, number>, intercept: Intercept) => {
  const handler = NodeHttpHandler.prototype as unknown as { handle: (request: Request) => Promise<Reply> }
  const original = handler.handle
  handler.handle = (request) =>
    intercept(request, async () =>
      request.headers["x-amz-target"] ? callService(services, request) : callBucket(bucket, request),
    )
  return () => {
    handler.handle = original
  }
}
