import { rmSync } from "node:fs"
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http"
import type { AddressInfo, ListenOptions } from "node:net"
import { AwsError } from "./service.ts"

export interface Port {
  number: number
  /** Hands all requests from now on to `handler`. Before that they are answered with 503 and when to try again. */
  serve(handler: RequestListener): void
  /** Takes no new connections and ends those that are there. */
  close(): Promise<void>
}

/** Takes a port of the loopback address; 0 is any free one. Rejects when it is taken already. */
export async function openPort(number: number): Promise<Port> {
  let handle: RequestListener = starting
  const server = makeServer((request, response) => handle(request, response))
  await listen(server, { port: number, host: "127.0.0.1" })
  return {
    number: (server.address() as AddressInfo).port,
    serve(handler) {
      handle = handler
    },
    close: closing(server),
  }
}

/** In the words of the API's own errors; the SDKs of AWS look at the status alone, and try again. */
const starting: RequestListener = (_request, response) => {
  const error = { code: "unavailable", message: "Dormouse is starting. Try again in a moment." }
  response.writeHead(503, { "content-type": "application/json", "retry-after": "1" }).end(JSON.stringify({ error }))
}

/** Serves at a socket in a file, in place of one that a crash has left there, to every user of this machine. Answers how to close it. */
export async function openSocket(path: string, handler: RequestListener): Promise<() => Promise<void>> {
  rmSync(path, { force: true })
  const server = makeServer(handler)
  await listen(server, { path, readableAll: true, writableAll: true })
  return closing(server)
}

function makeServer(handler: RequestListener): Server {
  const server = createServer(handler)
  // A stream may be open, and an upload under way, for longer than Node's five minutes.
  server.requestTimeout = 0
  // Longer than clients keep a connection that they do not use, so that no request meets one that is just being closed.
  server.keepAliveTimeout = 65_000
  return server
}

const listen = (server: Server, options: ListenOptions) =>
  new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(options, resolve)
  })

const closing = (server: Server) => () =>
  new Promise<void>((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })

/**
 * The whole body of a request; rejects with `RequestEntityTooLargeException` (413) once it passes `limit` bytes. What comes after
 * that is read and forgotten, since a client that is still sending would not see the answer.
 */
export const read = (request: IncomingMessage, limit: number): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    request.on("data", (chunk: Buffer) => {
      size += chunk.length
      if (size <= limit) return void chunks.push(chunk)
      chunks.length = 0
      reject(new AwsError("RequestEntityTooLargeException", `The request is larger than ${limit} bytes`, 413))
    })
    request.on("end", () => resolve(Buffer.concat(chunks)))
    request.on("error", reject)
  })
