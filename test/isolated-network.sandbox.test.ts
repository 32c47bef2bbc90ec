import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { newAccount } from "./app.ts"
import { type ChildStack, childStack } from "./child-stack.ts"
import { newAgent, newTask } from "./make.ts"
import { startModelServer } from "./model-server.ts"
import { untilEnded } from "./until.ts"

// A task that must not reach the internet runs through, and its agent tries every way out.

const data = mkdtempSync(join(tmpdir(), "dormouse-isolated-"))
/** Stands for whatever else listens on this machine. */
let calls = 0
const neighbour = createServer((_, response) => {
  calls += 1
  response.end("the neighbour")
})

const attempt = (apiUrl: string, awsUrl: string, port: number) => `
node -e '
const ask = (name, url, init) => fetch(url, init).then(async (a) => console.log(name, a.status, await a.text()), (e) => console.log(name, e.cause.code))
const all = async () => {
  await ask("neighbour", "http://127.0.0.1:${port}/")
  await ask("address", "http://192.0.2.1/")
  await ask("name", "http://example.com/")
  await ask("account", "${apiUrl}/api/v1/account")
  await ask("claim", "${apiUrl}/api/agent/tasks/claim-next", { method: "POST" })
  await ask("bucket", "${awsUrl}/dormouse-data-000000000000/secret")
  await ask("table", "${awsUrl}/", { method: "POST", headers: { "x-amz-target": "DynamoDB_20120810.ListTables" }, body: "{}" })
}
all()' >output/found.txt 2>&1`

let stack: ChildStack
let model: Awaited<ReturnType<typeof startModelServer>>
let found: string
let task: { status: string }

beforeAll(async () => {
  await new Promise<void>((resolve) => neighbour.listen(0, "127.0.0.1", resolve))
  const { port } = neighbour.address() as AddressInfo
  model = await startModelServer((_, n) => {
    const { apiUrl, awsUrl } = stack.app()
    return { blocks: n === 0 ? [{ tool: "bash", args: { command: attempt(apiUrl, awsUrl, port) } }] : [{ text: "No way out." }] }
  })
  stack = childStack({ data, env: { ANTHROPIC_BASE_URL: model.url }, isolation: "bubblewrap" })
  await stack.start()
  const account = await newAccount(stack.app())
  const agent = await newAgent(account)
  const { id } = await newTask(account, agent.id, { overrides: { internetAccess: false } })
  task = await untilEnded(account, id, 90_000)
  const { body } = await account.send(`GET /tasks/${id}/files`)
  found = (await account.send(`GET /tasks/${id}/files/${body.data[0].id}`)).body
}, 120_000)

afterAll(async () => {
  await stack?.kill()
  await model?.close()
  neighbour.close()
  rmSync(data, { recursive: true, force: true })
})

const line = (name: string) => found.split("\n").find((one) => one.startsWith(`${name} `))

describe("a task with internetAccess: false", () => {
  test("speaks with its model, and its output arrives", () => {
    expect(task).toMatchObject({ status: "finished" })
    expect(model.requests.length).toBe(2)
  })

  test("reaches nothing that listens on the machine, no address and no name outside", () => {
    expect([line("neighbour"), line("address")]).toEqual(["neighbour ECONNREFUSED", "address ENETUNREACH"])
    expect(line("name")).toMatch(/^name (EAI_AGAIN|ENOTFOUND)$/)
    expect(calls).toBe(0)
  })

  test("finds of the API what containers call, and nothing of what customers do", () => {
    expect(line("account")).toMatch(/^account 404 /)
    expect(line("claim")).toMatch(/^claim (401|422) /)
  })

  test("finds S3 alone of AWS, which refuses whoever has no signature", () => {
    expect(line("bucket")).toMatch(/^bucket 403 /)
    expect(line("table")).toMatch(/^table (400|403|405) /)
  })
})
