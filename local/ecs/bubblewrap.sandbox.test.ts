import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { homedir } from "node:os"
import { join } from "node:path"
import type { Task } from "@aws-sdk/client-ecs"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { isAlive, killHost, makeEcs, patient } from "./fixture.ts"
import { detectIsolation } from "./isolation.ts"

/** What holds for tasks in bubblewrap, on machines that have it. */

let aws: Awaited<ReturnType<typeof makeEcs>>

beforeEach(async () => {
  aws = await makeEcs("bubblewrap")
  await aws.open()
})

afterEach(() => aws.remove())

const ended = (task: Task) => expect.poll(() => aws.told(task), { timeout: 10_000 }).toEqual(["RUNNING", "STOPPED"])

/** Runs a script to its end; the answer is what it said. */
const sayings = async (script: string): Promise<unknown[]> => {
  const task = await aws.run(`const attempt = (act) => { try { return act() } catch (error) { return error.code } }; ${script}`)
  await ended(task)
  return aws.said(task)
}

const serverThatSays = async (text: string) => {
  const server = createServer((_, response) => response.end(text))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return server
}
const portOf = (server: Server) => (server.address() as AddressInfo).port

const commandLines = () =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && existsSync(`/proc/${name}/cmdline`))
    .map((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8"))

describe("a task in bubblewrap", () => {
  it("is what detectIsolation finds on this machine, unless nothing is wanted", async () => {
    expect(await detectIsolation("auto")).toEqual({ isolation: "bubblewrap" })
    expect(await detectIsolation("none")).toEqual({ isolation: "none" })
  })

  it("is given up with a reason under auto where there is no bwrap, and with an error where it was asked for", async () => {
    const path = process.env.PATH
    process.env.PATH = aws.data
    try {
      expect(await detectIsolation("auto")).toEqual({
        isolation: "none",
        reason: expect.stringContaining("bwrap is not on the PATH"),
      })
      await expect(detectIsolation("bubblewrap")).rejects.toThrow(/bwrap is not on the PATH/)
    } finally {
      process.env.PATH = path
    }
  })

  it("sees only its own processes, and is their first", async () => {
    const script = 'say([process.pid, fs.readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name)).length])'
    expect(await sayings(script)).toEqual([[1, 1]])
  })

  it("writes to its workspace, its home and /tmp, all of which it owns, and to nothing else", async () => {
    const script = `
      const write = (path) => attempt(() => { fs.writeFileSync(path + "/file", ""); return "written" })
      say(["/workspace", process.env.HOME, "/tmp"].map(write))
      say(["/", "/usr", "/etc", "/opt/dormouse", "/var"].map(write))
      say(fs.statSync("/workspace").uid === process.getuid())
    `
    const [own, others, owner] = await sayings(script)
    expect(own).toEqual(["written", "written", "written"])
    expect(others).toEqual(Array(5).fill("EROFS"))
    expect(owner).toBe(true)
  })

  it("sees neither the data folder, nor homes, nor what services of this machine keep in /run", async () => {
    const paths = [aws.data, homedir(), "/root", "/home/cloud", "/var/run/secrets"]
    writeFileSync(join(aws.data, "secret"), "secret")
    const script = `
      say(${JSON.stringify(paths)}.map((path) => attempt(() => fs.readdirSync(path))))
      say([fs.readdirSync("/run"), fs.readdirSync("/home"), fs.readdirSync("/tmp")])
      say(attempt(() => fs.readFileSync("/etc/shadow", "utf8").length > 0))
    `
    const [hidden, rest, shadow] = await sayings(script)
    expect(hidden).toEqual(paths.map(() => "ENOENT"))
    expect(rest).toEqual([["dormouse"], ["dormouse"], []])
    expect(["EACCES", "ENOENT"]).toContain(shadow)
  })

  it("has a data folder hidden that lies inside what it sees", async () => {
    await aws.remove()
    const place = "/var/tmp/dormouse-sandbox-test"
    mkdirSync(place, { recursive: true })
    try {
      writeFileSync(join(place, "secret"), "secret")
      aws = await makeEcs("bubblewrap")
      await aws.open()
      expect(await sayings(`say(attempt(() => fs.readdirSync("${place}")))`)).toEqual(["ENOENT"])
    } finally {
      rmSync(place, { recursive: true })
    }
  })

  it("can run another bubblewrap inside, with its own /proc", async () => {
    const script = `
      const { execFileSync } = await import("node:child_process")
      const words = ["--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--bind", "/workspace", "/workspace"]
      const inner = "touch /workspace/inner && ls /proc | grep -c '^[0-9]'"
      say(execFileSync("bwrap", [...words, "sh", "-c", inner], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }).trim())
      say(fs.existsSync("/workspace/inner"))
    `
    const [processes, wrote] = await sayings(script)
    expect(Number(processes)).toBeGreaterThan(0)
    expect(Number(processes)).toBeLessThan(6)
    expect(wrote).toBe(true)
  })

  it("has a user with a name, and variables that no command line of this machine shows", async () => {
    const task = await aws.run(
      `const os = await import("node:os"); say(os.userInfo().username); say("a-secret-word"); ${patient}`,
    )
    await expect.poll(() => aws.said(task)).toEqual(["dormouse", "a-secret-word", "ready"])
    expect(commandLines().filter((line) => line.includes("a-secret-word"))).toEqual([])
    expect(commandLines().some((line) => line.includes("/opt/dormouse/main.mjs"))).toBe(true)
  })

  it("shares the network and the clock of this machine", async () => {
    const server = createServer((_, response) => response.end("from outside"))
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const { port } = server.address() as AddressInfo
    const task = await aws.run(`
      say(await (await fetch("http://127.0.0.1:${port}")).text())
      const read = () => fs.readFileSync(process.env.DORMOUSE_CLOCK, "utf8").trim()
      const timer = setInterval(() => { if (read() === "5000") { say(read()); clearInterval(timer) } }, 10)
    `)
    await expect.poll(() => aws.said(task)).toEqual(["from outside"])
    aws.time.advance(5000)
    await ended(task)
    expect(aws.said(task)).toEqual(["from outside", "5000"])
    server.close()
  })

  it("without an address of its own reaches nothing of this machine's network but what its doors lead to, and ends as its command does", async () => {
    const [inside, outside] = await Promise.all(["through the door", "from outside"].map(serverThatSays))
    const socket = join(aws.data, "door.sock")
    const behind = createServer((_, response) => response.end("through the door"))
    await new Promise<void>((resolve) => behind.listen({ path: socket, writableAll: true }, resolve))
    aws.options.doors.push({ port: portOf(inside!), socket })
    const elsewhere = "/var/lib/dormouse-sandbox-test.sock"
    const service = createServer((_, response) => response.end("a service of this machine"))
    rmSync(elsewhere, { force: true })
    await new Promise<void>((resolve) => service.listen({ path: elsewhere, writableAll: true }, resolve))
    const script = `
      const ask = (port) => fetch("http://127.0.0.1:" + port).then((answer) => answer.text(), ({ cause }) => cause.code)
      say([await ask(${portOf(inside!)}), await ask(${portOf(outside!)})])
      const net = await import("node:net")
      say([await new Promise((resolve) => net.connect("${elsewhere}").on("connect", resolve).on("error", ({ code }) => resolve(code)))])
      const os = await import("node:os")
      say(Object.keys(os.networkInterfaces()))
      process.on("SIGTERM", () => { say("asked to stop"); process.exit(7) })
      say("ready")
      setInterval(() => undefined, 1000)
    `
    const awsvpcConfiguration = { subnets: ["subnet-1"], assignPublicIp: "DISABLED" as const }
    const task = await aws.run(script, { networkConfiguration: { awsvpcConfiguration } })
    await expect.poll(() => aws.said(task), { timeout: 10_000 }).toContain("ready")
    expect(aws.said(task).slice(0, 3)).toEqual([["through the door", "ECONNREFUSED"], ["ENOENT"], ["lo"]])
    await aws.stop(task)
    await ended(task)
    expect(aws.said(task)).toContain("asked to stop")
    expect(aws.events.at(-1)!.detail.containers).toContainEqual(expect.objectContaining({ name: "agent", exitCode: 7 }))
    for (const server of [inside!, outside!, behind, service]) server.close()
  })

  it("without a network ends when its command is killed, as the command does", async () => {
    const awsvpcConfiguration = { subnets: ["subnet-1"], assignPublicIp: "DISABLED" as const }
    const task = await aws.run('process.kill(process.pid, "SIGKILL")', { networkConfiguration: { awsvpcConfiguration } })
    await ended(task)
    expect(aws.events.at(-1)!.detail.containers).toContainEqual(expect.objectContaining({ name: "agent", exitCode: 137 }))
  })

  it("is refused more processes than a container may have, by the kernel", async () => {
    const script = `
      const { spawnSync } = await import("node:child_process")
      const { stderr } = spawnSync("sh", ["-c", "for i in $(seq 1200); do sleep 60 >/dev/null 2>&1 & done"], { encoding: "utf8" })
      say([/fork/i.test(stderr)])
      process.exit(0)
    `
    expect(await sayings(script)).toEqual([[true]])
  })

  it("dies with the host", async () => {
    await aws.close()
    const { task, processes } = await killHost(aws, patient)
    expect(processes.length).toBeGreaterThan(1)
    await expect.poll(() => processes.filter(isAlive)).toEqual([])
    await aws.open()
    expect(aws.told(task)).toEqual(["STOPPED"])
  })
})
