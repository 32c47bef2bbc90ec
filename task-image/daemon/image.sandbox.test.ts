import { execFile } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { expect, onTestFinished, test } from "vitest"
import { selfSigned } from "../../test/self-signed.ts"

// What is said where the image has git and trusts nobody: real git, in a view of this machine without its certificates.

const git = pathToFileURL(join(import.meta.dirname, "git.ts")).href

/** What comes of cloning from a host on this machine, where some of its folders are hidden. */
const clone = async (hidden: string[]) => {
  const folder = mkdtempSync(join(tmpdir(), "dormouse-certificates-"))
  const host = createServer(selfSigned, (_, response) => response.writeHead(404).end()).listen(0, "127.0.0.1")
  onTestFinished(() => {
    host.close()
    rmSync(folder, { recursive: true })
  })
  await new Promise((resolve) => host.once("listening", resolve))
  const url = `https://localhost:${(host.address() as AddressInfo).port}/acme/website.git`
  const wanted = { url, ref: "main", home: folder, ssh: "ssh", target: join(folder, "website") }
  const program = `
    import { clone } from ${JSON.stringify(git)}
    await clone(${JSON.stringify(wanted)}).catch((error) => console.log(error.message))`
  const view = ["--dev-bind", "/", "/", ...hidden.flatMap((path) => ["--tmpfs", path])]
  const words = [...view, process.execPath, "--input-type=module", "-e", program]
  return new Promise<string>((resolve, reject) =>
    execFile("bwrap", words, { env: { PATH: process.env.PATH } }, (error, said) => (error ? reject(error) : resolve(said))),
  )
}

test("an image without CA certificates is told from a host that nobody vouches for", async () => {
  expect(await clone(["/etc/ssl"])).toContain("The container's image has no CA certificates, which https needs")
  expect(await clone([])).toMatch(/certificate/i)
  expect(await clone([])).not.toContain("CA certificates")
})
