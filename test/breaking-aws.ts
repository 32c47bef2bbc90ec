import { createServer, request } from "node:http"
import type { AddressInfo } from "node:net"

/**
 * AWS as it looks to a function that crashes: passes calls on until one of them, and from then on none comes back. That one is lost on
 * its way there, or on its way back.
 */
export const startBreakingAws = async (awsUrl: string) => {
  let left = Number.POSITIVE_INFINITY
  let isLostOnTheWayBack = false
  const calls: string[] = []
  const substitutes = new Map<string, { status: number; body: object }>()
  const { hostname, port: awsPort } = new URL(awsUrl)

  const server = createServer((incoming, outgoing) => {
    left--
    if (left < 0 || (left === 0 && !isLostOnTheWayBack)) return void incoming.socket.destroy()
    const breaks = left === 0
    calls.push(String(incoming.headers["x-amz-target"] ?? `${incoming.method} ${incoming.url}`))
    const substitute = substitutes.get(calls.at(-1)!.split(".")[1] ?? "")
    if (substitute) return void outgoing.writeHead(substitute.status).end(JSON.stringify(substitute.body))
    const { url: path, method, headers } = incoming
    const passedOn = request({ hostname, port: awsPort, path, method, headers }, (answer) => {
      if (breaks) return answer.resume().on("end", () => incoming.socket.destroy())
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
      return answer.pipe(outgoing)
    })
    passedOn.on("error", () => incoming.socket.destroy())
    incoming.pipe(passedOn)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Targets of the calls that were passed on, in their order. */
    calls,
    /** The nth call from now on is the last: it does not arrive, or its answer does not. */
    breakAt: (n: number, how: "before" | "after") => {
      left = n
      isLostOnTheWayBack = how === "after"
    },
    /** What calls of this operation are answered in AWS's place; nothing, to have them passed on again. */
    substitute: (operation: string, status?: number, body: object = {}) =>
      status ? substitutes.set(operation, { status, body }) : substitutes.delete(operation),
    /** Whether it has come to that. */
    isBroken: () => left <= 0,
    mend: () => {
      left = Number.POSITIVE_INFINITY
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
