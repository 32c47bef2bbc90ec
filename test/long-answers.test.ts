import { randomInt, randomUUID } from "node:crypto"
import { beforeAll, expect, test } from "vitest"
import { newAccount, shared } from "./app.ts"
import { items } from "./aws.ts"
import { hashOf } from "./container.ts"
import { agentBody, newAgent, newConversation, newFile, newRepository } from "./make.ts"

// An answer that is too long for a row is kept in the bucket, by every function that makes such answers.

const app = shared()
const ids: Record<string, string> = {}
let account: Awaited<ReturnType<typeof newAccount>>

/** Characters of which no two are alike, so that packing them helps little. */
const noise = (length: number) => String.fromCodePoint(...Array.from({ length }, () => randomInt(0x4e00, 0x9fa5)))
const long = noise(2_000)
const url = `https://hooks.example.com/${long}`

beforeAll(async () => {
  account = await newAccount(app)
  const agent = await newAgent(account, { basePrompt: long })
  const { task } = await newConversation(account, agent.id, { instructions: long })
  const { webhook } = (await account.send("POST /webhooks", { url, eventTypes: ["task.woken"] })).body
  const { id: deliveryId } = (await account.send(`POST /webhooks/${webhook.id}/test`)).body
  const [{ id: fileId }, { id: repositoryId }] = await Promise.all([newFile(account), newRepository(account)])
  Object.assign(ids, { agentId: agent.id, taskId: task.id, deliveryId, fileId, repositoryId })
})

test.each<[string, (ids: Record<string, string>) => object | undefined]>([
  ["POST /agents", () => agentBody({ basePrompt: long })],
  ["POST /agents/{agentId}/tasks", () => ({ instructions: long })],
  ["POST /agents/{agentId}/conversations", () => ({ instructions: long, message: "Hello." })],
  ["POST /agents/{agentId}/reference-files", ({ fileId }) => ({ fileIds: [fileId] })],
  [
    "POST /agents/{agentId}/repositories",
    ({ repositoryId }) => ({ repositories: [{ repositoryId, tag: "main", mountingPoint: "website" }] }),
  ],
  ["POST /conversations/{taskId}/messages", () => ({ content: long })],
  ["POST /containers", () => ({ name: "Tools", containerImage: "debian:12", description: long })],
  ["POST /ssh-keys", () => ({ name: "Deploy key", description: long })],
  ["POST /webhooks", () => ({ url })],
  ["POST /webhook-deliveries/{deliveryId}/resend", () => undefined],
])("%s", async (route, bodyOf) => {
  const key = randomUUID()
  const send = () =>
    account.send(
      route.replace(/\{(\w+)\}/, (_, id) => ids[id]!),
      bodyOf(ids),
      { "idempotency-key": key },
    )
  const first = await send()
  expect(first.status).toBeLessThan(300)
  expect(await items(app, `${account.accountId}#idempotency#${hashOf(key)}`)).toMatchObject([
    { answer: expect.stringMatching(/^s3:answers\//) },
  ])
  const second = await send()
  expect(second.headers.get("idempotent-replayed")).toBe("true")
  expect(second.body).toEqual(first.body)
})
