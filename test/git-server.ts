import { execFileSync, spawn } from "node:child_process"
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

/** A git host on loopback: git's own server behind HTTP, with whatever repositories a test makes. */

interface File {
  text: string
  executable?: boolean
}

/** Texts of files by path; `{ link }` is a symbolic link. */
export type Files = Record<string, string | File | { link: string }>

const author = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]

const git = (cwd: string, ...args: string[]) =>
  execFileSync("git", args, {
    cwd,
    encoding: "utf8",
    env: { PATH: process.env.PATH, HOME: cwd, GIT_CONFIG_NOSYSTEM: "1" },
  }).trim()

const write = (folder: string, files: Files) => {
  for (const [path, file] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    if (typeof file === "string") writeFileSync(join(folder, path), file)
    else if ("link" in file) symlinkSync(file.link, join(folder, path))
    else writeFileSync(join(folder, path), file.text, { mode: file.executable ? 0o755 : 0o644 })
  }
}

/**
 * Starts the host. A daemon with `config` as its git configuration finds there what it asks of `https://git.example.com/` and
 * `https://github.com/`. `before` is waited for before a request is answered, and may answer a status to refuse it with.
 */
export const startGitServer = async (before: (url: string) => Promise<unknown> = async () => undefined) => {
  const root = mkdtempSync(join(tmpdir(), "dormouse-git-server-"))
  // The agent's user reads the configuration too.
  chmodSync(root, 0o755)
  const requests: string[] = []
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    void before(String(request.url)).then((status) =>
      typeof status === "number" ? response.writeHead(status).end() : serve(root, request, response),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const config = join(root, "config")
  writeFileSync(config, `[url "${url}"]\n\tinsteadOf = https://git.example.com/\n\tinsteadOf = https://github.com/\n`)

  /** Makes `owner/name.git` with a commit of these files on `main`; `more` may add to it in its work tree. Answers the commit. */
  const make = (
    name: string,
    files: Files,
    more: (run: (...args: string[]) => string, folder: string) => void = () => undefined,
  ) => {
    const folder = join(root, "work", name)
    mkdirSync(folder, { recursive: true })
    const run = (...args: string[]) => git(folder, ...author, ...args)
    run("init", "--quiet", "--initial-branch=main")
    write(folder, files)
    run("add", "--all")
    run("commit", "--quiet", "--message=First")
    const commit = run("rev-parse", "HEAD")
    more(run, folder)
    git(root, "clone", "--quiet", "--mirror", folder, join(root, name))
    return commit
  }
  const close = () => {
    server.close()
    server.closeAllConnections()
    rmSync(root, { recursive: true, force: true })
  }
  return { url, config, root, requests, make, close }
}

export type GitServer = Awaited<ReturnType<typeof startGitServer>>

const header = (request: IncomingMessage, name: string) => String(request.headers[name] ?? "")

/** Runs `git http-backend` as a web server would: CGI. */
const serve = (root: string, request: IncomingMessage, response: ServerResponse) => {
  const { pathname, search } = new URL(request.url ?? "/", "http://localhost")
  const backend = spawn("git", ["http-backend"], {
    stdio: ["pipe", "pipe", "ignore"],
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: "1",
      PATH_INFO: decodeURIComponent(pathname),
      QUERY_STRING: search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: header(request, "content-type"),
      HTTP_CONTENT_ENCODING: header(request, "content-encoding"),
      GIT_PROTOCOL: header(request, "git-protocol"),
    },
  })
  backend.stdin.on("error", () => undefined)
  request.pipe(backend.stdin)
  const parts: Buffer[] = []
  backend.stdout.on("data", (part: Buffer) => parts.push(part))
  backend.on("close", () => {
    const all = Buffer.concat(parts)
    const end = all.indexOf("\r\n\r\n")
    const lines = all.subarray(0, Math.max(0, end)).toString("latin1").split("\r\n")
    const headers = lines.map((line): [string, string] => [
      line.slice(0, line.indexOf(":")),
      line.slice(line.indexOf(":") + 1).trim(),
    ])
    const status = Number(headers.find(([name]) => name === "Status")?.[1]?.slice(0, 3) ?? (end < 0 ? 500 : 200))
    response.writeHead(status, Object.fromEntries(headers.filter(([name]) => name && name !== "Status")))
    response.end(all.subarray(end + 4))
  })
}
