import { spawn } from "node:child_process"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import type { AddressInfo } from "node:net"
import { createServer } from "node:net"
import { join } from "node:path"
import { expect, test } from "vitest"
import { newAccount, shared } from "./app.ts"
import { newAgent, newTask } from "./make.ts"

const root = join(import.meta.dirname, "..")
const guide = readFileSync(join(root, "docs/webhooks.md"), "utf8")
const code = /<!-- receiver[^>]*-->\n```js\n(.*?)```/s.exec(guide)?.[1] ?? ""

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

test("the receiver of the guide, run as it stands there, takes what is ours and refuses what is not", async () => {
  const account = await newAccount(shared())
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/`
  const { secret } = (await account.send("POST /webhooks", { url, eventTypes: ["task.created", "task.turn.queued"] })).body
  // Beside the packages, so that it finds the library that it imports.
  const file = join(root, `guide-receiver-${port}.mjs`)
  writeFileSync(file, code)
  const child = spawn(process.execPath, [file], { env: { ...process.env, PORT: String(port), WEBHOOK_SECRET: secret } })
  let said = ""
  child.stdout.on("data", (chunk: Buffer) => (said += chunk))
  child.stderr.on("data", (chunk: Buffer) => (said += chunk))
  try {
    await expect
      .poll(() => fetch(url, { method: "POST", body: "{}" }).then(({ status }) => status, String), { timeout: 10_000 })
      .toBe(400)
    const { id } = await newTask(account, (await newAgent(account)).id)
    await expect
      .poll(() => said.trim().split("\n").toSorted(), { timeout: 20_000 })
      .toEqual([`task.created ${id} 1`, `task.turn.queued ${id} 2`])
  } finally {
    child.kill()
    rmSync(file)
  }
})
