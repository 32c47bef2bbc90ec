import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import type { AddressInfo } from "node:net"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest"

const main = join(import.meta.dirname, "main.ts")
const folder = mkdtempSync(join(tmpdir(), "dormouse-main-"))
const started: ChildProcess[] = []

interface Program {
  child: ChildProcess
  output(): string
  errors(): string
  exited: Promise<number | null>
}

/** Starts the program as a user does; what it prints is kept. */
const run = (args: string[], env: Record<string, string> = {}): Program => {
  const child = spawn(process.execPath, [main, ...args], { env: { ...process.env, DORMOUSE_API_KEY: "", ...env } })
  started.push(child)
  const text = { stdout: "", stderr: "" }
  for (const name of ["stdout", "stderr"] as const) child[name].on("data", (chunk: Buffer) => (text[name] += chunk))
  const exited = once(child, "exit").then(([code]) => code as number | null)
  return { child, output: () => text.stdout, errors: () => text.stderr, exited }
}

const ready = async (args: string[], env?: Record<string, string>) => {
  const program = run(["--port", "0", "--aws-port", "0", "--isolation", "none", ...args], env)
  await vi.waitFor(() => expect(program.output() + program.errors()).toMatch(/Dormouse is ready at http:\/\/localhost:\d+\n$/), {
    timeout: 60_000,
    interval: 50,
  })
  const url = /ready at (\S+)\n$/.exec(program.output())![1]!
  return { ...program, url, key: /ac_live_\w+/.exec(program.output())?.[0] }
}

const account = async (url: string, key = "") => {
  const answer = await fetch(`${url}/api/v1/account`, { headers: { authorization: `Bearer ${key}` } })
  return (await answer.json()) as { id: string }
}

afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill("SIGKILL")
    await once(child, "exit")
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe("the command line", () => {
  test("--help says what there is, and nothing is started", async () => {
    const program = run(["--help"])
    expect(await program.exited).toBe(0)
    expect(program.output()).toMatch(/--aws-port N.*\n.*--data DIR/)
  })

  test.each([
    [["--prot", "1"], "--prot"],
    [["--port", "many"], "--port takes a number"],
    [["--port", "65536"], "--port takes a number"],
    [["--isolation", "docker"], "--isolation is one of auto, bubblewrap, none"],
  ])("%j is refused with the usage and code 2", async (args, words) => {
    const program = run(args)
    expect(await program.exited).toBe(2)
    expect(program.errors()).toContain(words)
    expect(program.errors()).toContain("Usage: npm start")
  })

  test("a port that is taken is said in one sentence, with code 1", async () => {
    const other = createServer().listen(0, "127.0.0.1")
    await once(other, "listening")
    const { port } = other.address() as AddressInfo
    const program = run(["--port", String(port), "--aws-port", "0", "--data", join(folder, "taken")])
    expect(await program.exited).toBe(1)
    expect(program.errors()).toBe(`Port ${port} is in use. Choose another one with --port, or 0 for any that is free.\n`)
    other.close()
  })
})

describe("a started program", () => {
  const data = join(folder, "data")
  let first: { id: string }
  let key: string

  beforeAll(async () => {
    const program = await ready(["--data", data])
    key = program.key!
    first = await account(program.url, key)
    expect(program.output()).toContain("WARNING: tasks run without isolation.")
    program.child.kill("SIGTERM")
    expect(await program.exited).toBe(0)
  })

  test("makes an account with a key once, and keeps the key where only its owner reads it", async () => {
    expect(first.id).toMatch(/^acc_/)
    expect(readFileSync(join(data, "api-key"), "utf8")).toBe(`${key}\n`)
    expect(statSync(join(data, "api-key")).mode & 0o777).toBe(0o600)
    expect(statSync(data).mode & 0o777).toBe(0o700)
    const again = await ready(["--data", data])
    expect(again.key).toBe(key)
    expect(await account(again.url, key)).toMatchObject({ id: first.id })
    again.child.kill("SIGINT")
    expect(await again.exited).toBe(0)
  })

  test("prints the operator's secret for AWS, which is this folder's own, and keeps it where only its owner reads it", async () => {
    const path = join(data, "aws-secret")
    const secret = readFileSync(path, "utf8").trim()
    expect(secret).toMatch(/^[\w-]{40}$/)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const again = await ready(["--data", data])
    expect(again.output()).toContain(`local / ${secret}\n`)
    const other = await ready(["--data", join(folder, "other")])
    expect(other.output()).toMatch(/local \/ [\w-]{40}\n/)
    expect(other.output()).not.toContain(secret)
  })

  test("takes the key from the environment, and does not print it", async () => {
    const given = `ac_live_${"k".repeat(43)}`
    const program = await ready(["--data", join(folder, "given")], { DORMOUSE_API_KEY: given })
    expect(await account(program.url, given)).toMatchObject({ name: "Local" })
    expect(program.output()).not.toContain(given)
  })

  test("refuses a key from the environment that is none, and ends", async () => {
    const program = run(["--port", "0", "--aws-port", "0", "--data", join(folder, "none")], { DORMOUSE_API_KEY: "mine" })
    expect(await program.exited).toBe(1)
    expect(program.errors()).toContain("DORMOUSE_API_KEY: A key is ac_live_ and 16 to 128 letters and digits")
  })

  test("refuses a folder that another one has, and takes one whose owner was killed", async () => {
    const holder = await ready(["--data", data])
    const second = run(["--port", "0", "--aws-port", "0", "--data", data])
    expect(await second.exited).toBe(1)
    expect(second.errors()).toBe(`The data folder ${data} is in use by another Dormouse\n`)
    holder.child.kill("SIGKILL")
    await holder.exited
    const heir = await ready(["--data", data])
    expect(await account(heir.url, key)).toMatchObject({ id: first.id })
  })
})
