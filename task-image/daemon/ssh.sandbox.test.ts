import { execFileSync, spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir, userInfo } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { keyPairOf } from "../../core/openssh.ts"
import { type GitServer, startGitServer } from "../../test/git-server.ts"
import { clone } from "./git.ts"
import { withKeys } from "./ssh.ts"

// A real sshd on loopback, and OpenSSH's word on the keys that are made here.

const folder = mkdtempSync(join(tmpdir(), "dormouse-sshd-"))
const keys = [keyPairOf(randomBytes(32), "ssh_1"), keyPairOf(randomBytes(32), "ssh_2")] as const
let host: GitServer
let sshd: ReturnType<typeof spawn>
let port: number

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address() as { port: number }
      server.close(() => resolve(address.port))
    })
  })

beforeAll(async () => {
  host = await startGitServer()
  host.make("acme/private.git", { "page.txt": "behind a key" })
  port = await freePort()
  writeFileSync(join(folder, "host-key"), keyPairOf(randomBytes(32), "host").privateKey, { mode: 0o600 })
  writeFileSync(join(folder, "authorized"), `${keys[0].publicKey}\n`)
  const config = [
    `Port ${port}`,
    "ListenAddress 127.0.0.1",
    `HostKey ${folder}/host-key`,
    `AuthorizedKeysFile ${folder}/authorized`,
    `PidFile ${folder}/pid`,
    "StrictModes no",
    "UsePAM no",
    "PermitRootLogin prohibit-password",
  ]
  writeFileSync(join(folder, "config"), config.join("\n"))
  // Where Debian's sshd leaves its rights behind.
  if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true })
  sshd = spawn("/usr/sbin/sshd", ["-D", "-e", "-f", join(folder, "config")], { stdio: ["ignore", "ignore", "pipe"] })
  let said = ""
  sshd.stderr!.setEncoding("utf8").on("data", (text: string) => {
    said += text
  })
  await vi.waitFor(() => expect(said).toContain("listening"), { timeout: 10_000 })
})

afterAll(() => {
  sshd.kill()
  host.close()
  rmSync(folder, { recursive: true })
})

test("ssh-keygen reads the private half, and finds the public one in it", () => {
  const file = join(folder, "key")
  writeFileSync(file, keys[0].privateKey, { mode: 0o600 })
  expect(execFileSync("/usr/bin/ssh-keygen", ["-y", "-f", file], { encoding: "utf8" }).trim()).toBe(keys[0].publicKey)
})

const cloneWith = async (privateKeys: string[], target: string) => {
  const url = `ssh://${userInfo().username}@127.0.0.1:${port}${host.root}/acme/private.git`
  const seen: string[] = []
  await withKeys(privateKeys, undefined, async (place) => {
    seen.push(place.home)
    await clone({ ...place, url, ref: "main", target: join(folder, target) })
  }).finally(() => seen.push(String(seen[0] && existsSync(seen[0]))))
  return seen[1]
}

test("a repository is cloned with the one of the keys that opens it, and the keys are gone afterwards", async () => {
  expect(await cloneWith([keys[1].privateKey, keys[0].privateKey], "opened")).toBe("false")
  expect(readFileSync(join(folder, "opened/page.txt"), "utf8")).toBe("behind a key")
  expect(readFileSync(join(folder, "opened/.git/config"), "utf8")).not.toContain("key-1")
})

test("another key, or none, opens nothing, and leaves nothing behind", async () => {
  const left = () =>
    readdirSync(tmpdir()).filter((name) => name.startsWith("dormouse-git-") && !name.startsWith("dormouse-git-server"))
  const before = left()
  await expect(cloneWith([keys[1].privateKey], "closed")).rejects.toThrow(/Permission denied/)
  await expect(cloneWith([], "closed")).rejects.toThrow(/Permission denied/)
  expect(left()).toEqual(before)
})
