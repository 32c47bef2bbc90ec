import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

/** A server that receives webhooks, as a customer runs one. */

export interface Received {
  path: string
  headers: IncomingHttpHeaders
  body: string
  /** When it came, by the real clock. */
  at: number
}

type Behaviour = (request: Received, response: ServerResponse) => void

/** Answers 204 to everything unless a path behaves otherwise. */
export const startReceiver = async (behaviours: Record<string, Behaviour> = {}) => {
  const received: Received[] = []
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = []
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
    incoming.on("end", () => {
      const path = incoming.url ?? ""
      const request = { path, headers: incoming.headers, body: Buffer.concat(chunks).toString(), at: performance.now() }
      received.push(request)
      const behaviour = behaviours[path]
      if (behaviour) behaviour(request, response)
      else response.writeHead(204).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    received,
    behaviours,
    /** What came to a path. */
    at: (path: string) => received.filter((one) => one.path === path),
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

export type Receiver = Awaited<ReturnType<typeof startReceiver>>

/** A behaviour that answers with a status. */
export const answering =
  (status: number, headers: Record<string, string> = {}): Behaviour =>
  (_, response) =>
    void response.writeHead(status, headers).end()

/** A behaviour that never answers. */
export const hanging: Behaviour = () => undefined
