import dns, { type LookupAddress, type LookupOptions } from "node:dns"
import { type Agent, request as requestHttp } from "node:http"
import { request as requestHttps } from "node:https"
import { syncBuiltinESMExports } from "node:module"
import { isIP, isIPv6 } from "node:net"
import { vectorsByKind } from "./egress-vectors.ts"

/**
 * The vectors against us and against two packages that promise the same. Nothing is really dialled: what a socket would connect to is
 * written down, and the connection refused. So a vector is stopped when no socket was made for it, whatever its sender was told.
 */

type Done = (error: Error | null, address?: string | LookupAddress[], family?: number) => void

/** What names are looked up as, in place of a resolver. All others lead to the public internet. */
const names: Record<string, string[]> = {
  "metadata.google.internal": ["169.254.169.254"],
  "printer.local": ["192.168.1.20"],
}
const publicAddress = "93.184.215.14"

const answersOf = (host: string): string[] => {
  if (isIP(host)) return [host]
  if (/(^|\.)localhost\.?$/i.test(host)) return ["127.0.0.1"]
  return names[host] ?? [publicAddress]
}

function lookup(host: string, options: LookupOptions | Done, done?: Done) {
  const callback = typeof options === "function" ? options : done!
  const found = answersOf(host).map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }))
  const wantsAll = typeof options === "object" && options.all
  setImmediate(() => (wantsAll ? callback(null, found) : callback(null, found[0]!.address, found[0]!.family)))
}

const refused = -111
const dialled: string[] = []

/** Takes the place of the resolver and of the system call that connects, for this whole process. */
export function standIn() {
  Object.assign(dns, { lookup })
  syncBuiltinESMExports()
  const { TCP } = (process as unknown as { binding(name: string): { TCP: { prototype: object } } }).binding("tcp_wrap")
  const connect = (_request: unknown, address: string) => {
    dialled.push(address)
    return refused
  }
  Object.assign(TCP.prototype, { connect, connect6: connect })
}

/** Sends something to a URL. Whether and how it fails is nobody's business here. */
type Send = (url: string) => Promise<unknown>

/** The ordinary use of a package that offers an agent; without one, of Node. */
export const sendWith =
  (agentOf: (url: string) => Agent | undefined): Send =>
  (url) =>
    new Promise((resolve, reject) => {
      const send = url.toLowerCase().trim().startsWith("http:") ? requestHttp : requestHttps
      const request = send(url, { method: "POST", agent: agentOf(url) }, resolve)
      request.on("error", reject)
      request.end("hello")
    })

/** By kind of vector: how many were stopped, and how many there are. */
export type Figures = Record<string, { stopped: number; of: number }>

/** Tries every vector, one after the other. */
export async function stoppedBy(send: Send): Promise<Figures> {
  const figures: Figures = {}
  for (const [kind, vectors] of Object.entries(vectorsByKind(8443))) {
    let stopped = 0
    for (const { url, answers } of vectors) {
      if (answers) names[new URL(url).hostname] = answers
      dialled.length = 0
      await Promise.resolve(url)
        .then(send)
        .catch(() => undefined)
      if (dialled.length === 0) stopped++
    }
    figures[kind] = { stopped, of: vectors.length }
  }
  return figures
}
