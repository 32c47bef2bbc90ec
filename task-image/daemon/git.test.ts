import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type GitServer, startGitServer } from "../../test/git-server.ts"
import { hostile } from "../../test/hostile.ts"
import { lastWords, runCommand } from "./command.ts"
import { clone, GitFailed, gitEnvironment } from "./git.ts"

const folder = mkdtempSync(join(tmpdir(), "dormouse-git-test-"))
const canary = join(folder, "canary")
const wrong = hostile(canary)
let host: GitServer
let commit: string
let made = 0

beforeAll(async () => {
  host = await startGitServer()
  commit = host.make("acme/website.git", { "page.txt": "first" }, (run) => {
    run("tag", "v1")
    run("checkout", "--quiet", "-b", "feature/new")
    run("commit", "--quiet", "--allow-empty", "--message=Second")
    run("update-ref", "refs/pull/7/head", "HEAD")
    run("checkout", "--quiet", "main")
  })
})

afterAll(() => {
  host.close()
  rmSync(folder, { recursive: true })
})

const attempt = async (url: string, ref: string) => {
  const place = join(folder, `clone-${++made}`)
  mkdirSync(place)
  const target = join(place, "target")
  await clone({ home: place, ssh: `sh -c 'touch ${canary}; exit 1'`, config: host.config, url, ref, target })
  return target
}

const headOf = (target: string) => readFileSync(join(target, ".git/HEAD"), "utf8").trim()

describe("a clone", () => {
  test.each([
    ["main", "ref: refs/heads/main"],
    ["refs/heads/main", "ref: refs/heads/main"],
    ["feature/new", "ref: refs/heads/feature/new"],
  ])("of the branch %s is on that branch, which follows the remote one", async (ref, head) => {
    const target = await attempt("https://git.example.com/acme/website.git", ref)
    expect(headOf(target)).toBe(head)
    expect(readFileSync(join(target, "page.txt"), "utf8")).toBe("first")
    expect(readFileSync(join(target, ".git/config"), "utf8")).toContain(`merge = ${head.slice(5)}`)
  })

  test("of a tag or a commit, whole or short, is at that commit", async () => {
    for (const ref of ["v1", "refs/tags/v1", commit, commit.slice(0, 10)])
      expect(headOf(await attempt("https://git.example.com/acme/website.git", ref)), ref).toBe(commit)
  })

  test("of a reference outside of branches and tags is at what it names", async () => {
    expect(headOf(await attempt("https://git.example.com/acme/website.git", "refs/pull/7/head"))).toMatch(/^[0-9a-f]{40}$/)
  })

  test("says what is not there", async () => {
    await expect(attempt("https://git.example.com/acme/website.git", "v9")).rejects.toThrow(
      "There is no branch, tag or commit v9 in it",
    )
    await expect(attempt("https://git.example.com/acme/nothing.git", "main")).rejects.toThrow(/nothing\.git.* not found/)
  })
})

describe("a host that cannot be reached now may be asked again", () => {
  const saidOf = async (url: string) => {
    const environment = gitEnvironment({ home: folder, ssh: "false", config: host.config })
    return lastWords(await runCommand(["git", "ls-remote", "--", url], { cwd: folder, environment }))
  }

  test("as git says it of this machine", async () => {
    const server = createServer((request, response) => response.writeHead(Number(request.url?.split("/")[1])).end())
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    for (const [path, isPassing] of [
      ["429", true],
      ["503", true],
      ["404", false],
      ["403", false],
    ] as const) {
      const said = await saidOf(`${url}/${path}/acme/website.git`)
      expect([said, new GitFailed(said).isPassing]).toEqual([said, isPassing])
    }
    await new Promise((resolve) => server.close(resolve))
    const said = await saidOf(`${url}/acme/website.git`)
    expect([said, new GitFailed(said).isPassing]).toEqual([said, true])
  })

  test.each([
    "fatal: unable to access 'https://x/': Failed to connect to x port 443 after 2 ms: Couldn't connect to server",
    "fatal: unable to access 'https://x/': Could not resolve host: x",
    "fatal: unable to access 'https://x/': OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to x:443",
    "ssh: Could not resolve hostname x: Temporary failure in name resolution",
  ])("as others do: %s", (said) => {
    expect(new GitFailed(said).isPassing).toBe(true)
  })
})

describe("what comes with a repository is not run", () => {
  test("no hooks, no filters, no submodules, and links stay links", async () => {
    host.make("acme/other.git", { "other.txt": "x" })
    const touch = `#!/bin/sh\ntouch ${canary}\n`
    host.make(
      "acme/hostile.git",
      {
        "hooks/post-checkout": { text: touch, executable: true },
        ".githooks/post-checkout": { text: touch, executable: true },
        ".gitattributes": "* filter=run\n*.txt diff=run merge=run\n",
        ".gitconfig": `[core]\n\thooksPath = .githooks\n[filter "run"]\n\tsmudge = touch ${canary}\n`,
        ".lfsconfig": `[lfs]\n\turl = ext::touch ${canary}\n`,
        passwd: { link: "/etc/passwd" },
        up: { link: "../../.." },
      },
      (run) => {
        run("update-index", "--add", "--cacheinfo", `160000,${commit},module`)
        run("config", "-f", ".gitmodules", "submodule.module.path", "module")
        run("config", "-f", ".gitmodules", "submodule.module.url", `ext::sh -c touch% ${canary}`)
        run("config", "-f", ".gitmodules", "submodule.module.update", `!touch ${canary}`)
        run("add", ".gitmodules")
        run("commit", "--quiet", "--message=Module")
      },
    )
    const target = await attempt("https://github.com/acme/hostile.git", "main")
    expect(lstatSync(join(target, "passwd")).isSymbolicLink()).toBe(true)
    expect(readdirSync(join(target, "module"))).toEqual([])
    expect(existsSync(join(target, ".git/hooks"))).toBe(false)
    expect(existsSync(join(target, ".git/modules"))).toBe(false)
    expect(existsSync(canary)).toBe(false)
  })
})

describe("git is given nothing that it could take for something else", () => {
  test(`${wrong.urls.length} addresses are refused before git sees them`, async () => {
    const before = host.requests.length
    for (const url of wrong.urls) await expect(attempt(url, "main"), url).rejects.toThrow("is not an address of a repository")
    expect(host.requests.length).toBe(before)
    expect(existsSync(canary)).toBe(false)
  })

  test(`${wrong.refs.length} references likewise`, async () => {
    const url = "https://git.example.com/acme/website.git"
    for (const ref of wrong.refs) await expect(attempt(url, ref), ref).rejects.toThrow("is not the name of a branch")
    expect(existsSync(canary)).toBe(false)
  })

  test("what git would be given without that check comes to nothing either", async () => {
    const local = wrong.urls.filter(
      (url) => /^(ext|fd|transport|file|git|http|ftp|data|-|ssh:\/\/(git@)?-)/i.test(url) && !/[\0@]/.test(url),
    )
    expect(local.length).toBeGreaterThan(12)
    const environment = gitEnvironment({ home: folder, ssh: "false" })
    for (const url of [...local, host.url]) {
      const ran = await runCommand(["git", "ls-remote", "--", url], { cwd: folder, environment })
      expect([url, ran.code]).toEqual([url, 128])
    }
    expect(existsSync(canary)).toBe(false)
  })
})
