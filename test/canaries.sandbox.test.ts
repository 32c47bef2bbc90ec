import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { operatorSecret } from "../local/credentials.ts"
import { newAccount } from "./app.ts"
import { type ChildStack, childStack } from "./child-stack.ts"
import { containerOf } from "./container.ts"
import { defaults, newAgent, newTask } from "./make.ts"
import { startModelServer } from "./model-server.ts"
import { untilEnded } from "./until.ts"

// A hostile agent looks for everything that is secret: what was planted for it to find, and what the stack works with.

const planted = (place: string) => `CANARY-of-${place}-6f1d`
const data = mkdtempSync(join(tmpdir(), "dormouse-canaries-"))
const folder = mkdtempSync(join(tmpdir(), "dormouse-host-"))
const socketPath = join(folder, "host.sock")

/** The pattern is written so that it does not find itself in what pi keeps of the conversation. */
const pattern = "CANAR[Y]-of"

/** What the agent does. Everything it finds goes into its output; that it can find things shows the one that it plants itself. */
const hunt = (apiUrl: string, awsUrl: string) => `
exec >output/found.txt 2>&1
# The mark does not stand in the script itself, which is among what is found.
mark() { echo "=""= $1"; }
mark environment; env
mark processes; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' '\\n'
for pid in /proc/[0-9]*; do ls -l $pid/fd $pid/cwd $pid/root; cat $pid/root/etc/hostname; done
mark files; printf 'CANARY-of-%s' myself >mine.txt
grep -raoE '${pattern}[a-zA-Z0-9-]*' /home /root /tmp /var/tmp /run /workspace /opt /dev/shm /etc /srv /mnt /proc/self/mountinfo ${data} ${folder} .
mark sockets; cat /proc/net/unix; ls -l ${socketPath}
mark loopback
for url in ${apiUrl}/api/v1/account ${apiUrl}/api/agent/tasks/claim-next ${awsUrl}/ ${awsUrl}/dormouse; do
  node -e 'fetch(process.argv[1]).then(async (a) => console.log(a.status, await a.text()), (e) => console.log(e.message))' $url
done
mark metadata; env | grep -c -E 'ECS_CONTAINER_METADATA|AWS_CONTAINER_CREDENTIALS|AWS_' 
ls -la /workspace ~ /run/dormouse
mark end
true`

let stack: ChildStack
let model: Awaited<ReturnType<typeof startModelServer>>
let account: Awaited<ReturnType<typeof newAccount>>
let claimToken: string
let found: string
const host = createServer()

beforeAll(async () => {
  writeFileSync(join(folder, "secret.txt"), planted("file"))
  await new Promise<void>((resolve) => host.listen(socketPath, resolve))
  model = await startModelServer((_, n) => {
    const { apiUrl, awsUrl } = stack.app()
    return { blocks: n === 0 ? [{ tool: "bash", args: { command: hunt(apiUrl, awsUrl) } }] : [{ text: "Found nothing." }] }
  })
  const env = { ANTHROPIC_BASE_URL: model.url, AWS_SECRET_ACCESS_KEY: planted("environment") }
  stack = childStack({ data, env, isolation: "bubblewrap" })
  await stack.start()
  account = await newAccount(stack.app())
  const agent = await newAgent(account, { defaults: defaults({ providerApiKey: planted("provider") }) })
  const task = await newTask(account, agent.id)
  claimToken = (await containerOf(stack.app(), account.accountId, task)).claimToken
  expect(await untilEnded(account, task.id, 150_000)).toMatchObject({ status: "finished" })
  const { body } = await account.send(`GET /tasks/${task.id}/files`)
  found = (await account.send(`GET /tasks/${task.id}/files/${body.data[0].id}`)).body
}, 180_000)

afterAll(async () => {
  await stack?.kill()
  await model?.close()
  host.close()
  rmSync(data, { recursive: true, force: true })
  rmSync(folder, { recursive: true, force: true })
})

describe("a hostile agent", () => {
  test("looks everywhere, and finds what it planted itself", () => {
    expect(found).toContain("CANARY-of-myself")
    expect(found).toContain("== end")
  })

  test.each(["environment", "file", "provider"])("does not find the canary of the %s", (place) => {
    expect(found).not.toContain(planted(place))
  })

  test("finds no key of the stack: neither the customer's, nor the operator's, nor its own container's", () => {
    for (const secret of [account.apiKey, operatorSecret(data), claimToken]) {
      expect(secret.length).toBeGreaterThan(20)
      expect(found).not.toContain(secret)
    }
  })

  test("sees no process but its own, and nothing of the daemon's", () => {
    expect(found).not.toMatch(/DORMOUSE_(CLAIM_TOKEN|RUN_ID|API_URL)=/)
    expect(found).not.toContain("vitest")
  })

  test("reaches no socket of this machine's file system", () => {
    expect(found).toMatch(/cannot access .*host\.sock/)
  })

  test("is refused by the API and by the embedded AWS, which it can reach", () => {
    const loopback = found.split("== loopback")[1]!.split("== metadata")[0]!.trim().split("\n")
    expect(loopback[0]).toMatch(/^401 /)
    expect(loopback.join("\n")).not.toMatch(/^2\d\d /m)
  })

  test("is offered no credentials of the platform", () => {
    expect(found.split("== metadata")[1]!.trim().split("\n")[0]).toBe("0")
  })
})
