import type { LookupAddress, LookupOptions } from "node:dns"
import { createServer as createHttpServer, type RequestListener } from "node:http"
import { createServer as createHttpsServer } from "node:https"
import { type AddressInfo, createServer, isIPv6 } from "node:net"
import { getCACertificates, setDefaultCACertificates } from "node:tls"
import { gzipSync } from "node:zlib"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest"
import { vectors } from "#test/egress-vectors.ts"
import { selfSigned } from "#test/self-signed.ts"
import { moveTime } from "#test/time.ts"

type Done = (error: Error | null, addresses: LookupAddress[]) => void

/** What names are looked up as, in place of the system's resolver: each look-up takes the next answer, and the last one stays. */
const answers = new Map<string, string[][]>()
const lookups: string[] = []

vi.mock("node:dns", async (original) => {
  const real = await original<typeof import("node:dns")>()
  const lookup = (host: string, options: LookupOptions, done: Done) => {
    lookups.push(host)
    const known = answers.get(host)
    if (!known) return real.lookup(host, { ...options, all: true }, done)
    const now = known.length > 1 ? known.shift()! : known[0]!
    done(
      null,
      now.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 })),
    )
  }
  return { ...real, lookup }
})

const { fault, post, Unreachable } = await import("./egress.ts")

/** Takes connections to every address of this machine, and must not see any. */
const canary = createServer((socket) => {
  seen++
  socket.destroy()
})
let seen = 0
let port = 0
const servers: { close(): unknown; closeAllConnections(): void }[] = []

beforeAll(async () => {
  await new Promise<void>((resolve) => canary.listen(0, "::", resolve))
  port = (canary.address() as AddressInfo).port
})

beforeEach(() => {
  process.env.WEBHOOK_TARGETS = "public"
  seen = 0
})

afterEach(() => {
  answers.clear()
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

afterAll(() => void canary.close())

const send = (url: string) => post(url, { "content-type": "text/plain" }, "hello")
const serve = async (listener: RequestListener) => {
  const server = createHttpServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

describe("a stack that sends to the public internet", () => {
  test("refuses every one of at least 120 ways to reach something else, and dials none of them", async () => {
    const all = vectors(port)
    expect(all.length).toBeGreaterThanOrEqual(120)
    for (const { url, answers: list } of all) if (list) answers.set(new URL(url).hostname, [list])
    const outcomes = await Promise.all(all.map(({ url }) => send(url).catch((error: unknown) => error)))
    const reached = all.filter((_, i) => !(outcomes[i] instanceof Unreachable))
    expect(reached).toEqual([])
    expect(outcomes.filter((error) => !/public|https|URL|user name|port/.test(String(error)))).toEqual([])
    expect(seen).toBe(0)
  })

  test("judges every look-up anew: a name that led somewhere public before leads nowhere else", async () => {
    answers.set("rebound.example", [["192.0.2.1"], ["127.0.0.1"]])
    for (let i = 0; i < 2; i++)
      await expect(send(`https://rebound.example:${port}/`)).rejects.toThrow("not an address of the public")
    expect(lookups.filter((host) => host === "rebound.example")).toHaveLength(2)
    expect(seen).toBe(0)
  })

  test.each([
    "https://example.com",
    "https://example.com:8443/a?b#c",
    "https://8.8.8.8/",
    "https://[2606:4700::1111]/",
    "https://müller.example/",
  ])("has nothing against %s", (url) => expect(fault(url)).toBeUndefined())
})

describe("a stack that sends anywhere", () => {
  beforeEach(() => {
    process.env.WEBHOOK_TARGETS = "any"
  })

  test.each(["127.0.0.1", "2130706433", "0x7f.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "attacker.example"])(
    "dials %s: so the canary can be seen",
    async (host) => {
      answers.set("attacker.example", [["127.0.0.1"]])
      await expect(send(`http://${host}:${port}/`)).rejects.toThrow(Unreachable)
      expect(seen).toBe(1)
    },
  )

  test("says of another scheme what it would take", () => {
    expect(fault("ftp://example.com")).toBe("The URL must begin with https:// or http://")
    process.env.WEBHOOK_TARGETS = "public"
    expect(fault("http://example.com")).toBe("The URL must begin with https://")
  })

  test("does not follow a redirect", async () => {
    const url = await serve((_, response) => response.writeHead(307, { location: `http://127.0.0.1:${port}/` }).end())
    expect(await send(url)).toMatchObject({ status: 307 })
    expect(seen).toBe(0)
  })

  test("asks no proxy, whatever the environment says", async () => {
    const proxy = `http://127.0.0.1:${port}`
    const names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"]
    for (const name of [...names, "NODE_USE_ENV_PROXY"]) vi.stubEnv(name, name === "NODE_USE_ENV_PROXY" ? "1" : proxy)
    const url = await serve((_, response) => response.writeHead(204).end())
    expect(await send(url)).toMatchObject({ status: 204 })
    expect(seen).toBe(0)
    vi.unstubAllEnvs()
  })

  test("sends the body and its length, and asks for nothing packed", async () => {
    let told: unknown
    const url = await serve((request, response) => {
      told = [request.method, request.headers["content-length"], request.headers["accept-encoding"]]
      response.writeHead(204).end()
    })
    await send(url)
    expect(told).toEqual(["POST", "5", "identity"])
  })

  test("keeps a connection for the next request, and takes another one where the receiver has let go of it", async () => {
    const sockets = new Map<unknown, number>()
    const url = await serve(({ socket }, response) => {
      const times = (sockets.get(socket) ?? 0) + 1
      sockets.set(socket, times)
      if (times > 2) socket.destroy()
      else response.writeHead(204).end()
    })
    for (let i = 0; i < 3; i++) expect(await send(url)).toMatchObject({ status: 204 })
    expect([...sockets.values()]).toEqual([3, 1])
  })

  test("hands on what the receiver asks for", async () => {
    const url = await serve((_, response) => response.writeHead(503, { "retry-after": "120" }).end())
    expect(await send(url)).toEqual({ status: 503, retryAfter: "120" })
  })

  test("does not trust a certificate that nobody has signed, and trusts one of an authority that the machine knows", async () => {
    let requests = 0
    const server = createHttpsServer(selfSigned, (_, response) => {
      requests++
      response.writeHead(204).end()
    })
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const url = `https://localhost:${(server.address() as AddressInfo).port}/`
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0")
    await expect(send(url)).rejects.toThrow("TLS failed: DEPTH_ZERO_SELF_SIGNED_CERT.")
    vi.unstubAllEnvs()
    expect(requests).toBe(0)
    const known = getCACertificates("default")
    setDefaultCACertificates([selfSigned.cert])
    expect(await send(url)).toMatchObject({ status: 204 })
    setDefaultCACertificates(known)
  })

  test("speaks to no server that cannot speak TLS", async () => {
    const url = await serve((_, response) => response.writeHead(204).end())
    await expect(send(url.replace("http:", "https:"))).rejects.toThrow("TLS failed")
  })

  test.each([
    ["an answer without an end", Buffer.alloc(16 * 1024, "x")],
    ["a packed answer that would unpack to a gigabyte", gzipSync(Buffer.alloc(64 * 1024 ** 2))],
  ])("reads at most 64 KB of %s", async (_, chunk) => {
    let written = 0
    let closed: () => void
    const over = new Promise<void>((resolve) => (closed = resolve))
    const url = await serve((_request, response) => {
      response.writeHead(200, { "content-encoding": "gzip" })
      const write = () => {
        written += chunk.length
        if (response.write(chunk)) setImmediate(write)
        else response.once("drain", write)
      }
      response.on("close", () => closed())
      write()
    })
    expect(await send(url)).toMatchObject({ status: 200 })
    await over
    // What the sockets of both sides hold comes on top.
    expect(written).toBeLessThan(16 * 1024 ** 2)
  })

  test.each([
    ["refuses the connection", async () => "http://127.0.0.1:1/", "The connection was refused."],
    [
      "closes the connection",
      () => serve((request) => void request.socket.destroy()),
      "The connection was closed before an answer came.",
    ],
    ["has a name that does not exist", async () => "http://no.such.name.invalid/", /host/],
    ["speaks no HTTP", () => serve((request) => void request.socket.end("nonsense\r\n\r\n")), /The request failed/],
    [
      "sends headers without an end",
      () => serve((request) => void request.socket.write(`HTTP/1.1 200 OK\r\n${"x: y\r\n".repeat(20_000)}`)),
      /The request failed/,
    ],
  ])("says so when the receiver %s", async (_, url, sentence) => {
    await expect(send(await url())).rejects.toThrow(sentence)
  })
})

describe("time", () => {
  const time = moveTime()
  beforeEach(() => {
    process.env.WEBHOOK_TARGETS = "any"
  })
  afterAll(() => time.release())

  const whileWaiting = async <Result>(url: string, then: (sent: Promise<Result>) => Promise<unknown>, arrived: Promise<void>) => {
    const sent = send(url) as Promise<Result>
    sent.catch(() => undefined)
    await arrived
    time.advance(14_000)
    await new Promise((resolve) => setTimeout(resolve, 50))
    time.advance(1_001)
    await then(sent)
  }

  test.each([
    ["nothing", ""],
    ["half of its headers", "HTTP/1.1 200 OK\r\nx: "],
  ])("is up after 15 seconds where the receiver has sent %s", async (_, text) => {
    let came: () => void = () => undefined
    const arrived = new Promise<void>((resolve) => (came = resolve))
    const url = await serve((request) => {
      request.socket.write(text)
      came()
    })
    await whileWaiting(
      url,
      (sent) => expect(sent).rejects.toMatchObject({ message: "No answer within 15 seconds.", isTimeout: true }),
      arrived,
    )
  })

  test("is up after 15 seconds where the body has no end, and the status counts", async () => {
    let came: () => void = () => undefined
    const arrived = new Promise<void>((resolve) => (came = resolve))
    const url = await serve((_, response) => {
      response.writeHead(200).write("x")
      came()
    })
    await whileWaiting(url, (sent) => expect(sent).resolves.toMatchObject({ status: 200 }), arrived)
  })
})
