import { randomUUID } from "node:crypto"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { newAccount, shared } from "#test/app.ts"
import { items } from "#test/aws.ts"
import { type Receiver, startReceiver } from "#test/receiver.ts"

// Changes of one webhook at the same moment: they take turns, and nobody is told of the others who did not ask.

const app = shared()
let receiver: Receiver
let account: Awaited<ReturnType<typeof newAccount>>

beforeAll(async () => {
  receiver = await startReceiver()
  account = await newAccount(app)
})

afterAll(() => receiver.close())

const create = async (path: string, rest: object = {}) => {
  const { status, body } = await account.send("POST /webhooks", { url: `${receiver.url}${path}`, ...rest })
  expect(status).toBe(201)
  return body as { webhook: Record<string, string>; secret: string }
}

describe("POST /webhooks/{webhookId}/rotate-secret", () => {
  test("200: of several at once each makes one, and only the last two are kept", async () => {
    const other = await newAccount(app)
    const { webhook } = (await other.send("POST /webhooks", { url: `${receiver.url}/often` })).body
    const rotate = () => other.send(`POST /webhooks/${webhook.id}/rotate-secret`)
    const answers = await Promise.all(Array.from({ length: 6 }, rotate))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    expect(new Set(answers.map(({ body }) => body.secret)).size).toBe(6)
    expect(await items(app, other.accountId, "secret#")).toHaveLength(2)
    await other.send(`POST /webhooks/${webhook.id}/test`)
    await expect.poll(() => receiver.at("/often").length, { timeout: 20_000 }).toBe(1)
    const { "webhook-signature": signatures } = receiver.at("/often")[0]!.headers
    expect(String(signatures).split(" ")).toHaveLength(2)
  })

  test("200: with an Idempotency-Key the same secret is answered again, also where others came before it", async () => {
    const { webhook } = await create("/keyed")
    const rotate = (key: string) =>
      account.send(`POST /webhooks/${webhook.id}/rotate-secret`, undefined, { "idempotency-key": key })
    const keys = Array.from({ length: 4 }, () => randomUUID())
    const answers = await Promise.all(keys.map(rotate))
    expect(answers.map(({ status }) => status)).toEqual(keys.map(() => 200))
    for (const [i, key] of keys.entries()) expect((await rotate(key)).body).toEqual(answers[i]!.body)
    await account.send(`DELETE /webhooks/${webhook.id}`)
  })
})

describe("PATCH /webhooks/{webhookId}", () => {
  test("200: of several changes at once none is lost", async () => {
    const { webhook } = await create("/several", { eventTypes: ["task.woken"] })
    const url = `${receiver.url}/changed-together`
    const changes = [{ url }, { isActive: false }, { eventTypes: ["task.failed"] }, { url }, { isActive: false }, { url }]
    const answers = await Promise.all(changes.map((change) => account.send(`PATCH /webhooks/${webhook.id}`, change)))
    expect(answers.map(({ status }) => status)).toEqual(changes.map(() => 200))
    const { body } = await account.send(`GET /webhooks/${webhook.id}`)
    expect(body).toMatchObject({ url, isActive: false, eventTypes: ["task.failed"] })
    await account.send(`DELETE /webhooks/${webhook.id}`)
  })

  test("200 or 412 precondition_failed: of changes at the same moment that ask for one state, only one is made", async () => {
    const { webhook } = await create("/conditional")
    const tag = (await account.send(`GET /webhooks/${webhook.id}`)).headers.get("etag")!
    const change = (path: string) =>
      account.send(`PATCH /webhooks/${webhook.id}`, { url: `${receiver.url}/${path}` }, { "if-match": tag })
    const answers = await Promise.all(["a", "b", "c", "d"].map(change))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412, 412, 412])
    await account.send(`DELETE /webhooks/${webhook.id}`)
  })
})

describe("DELETE /webhooks/{webhookId}", () => {
  test("twice: one is answered 204 and the other 404, and the place is free once", async () => {
    const other = await newAccount(app)
    const made = async () => (await other.send("POST /webhooks", { url: "https://example.com/" })).body.webhook?.id
    const [id] = await Promise.all(Array.from({ length: 20 }, made))
    const answers = await Promise.all([1, 2].map(() => other.send(`DELETE /webhooks/${id}`)))
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 404])
    expect([await made(), await made()]).toEqual([expect.any(String), undefined])
  })

  test("and changes: it is gone, and whoever came late is told so", async () => {
    const { webhook } = await create("/deleted-meanwhile")
    const change = (isActive: boolean) => account.send(`PATCH /webhooks/${webhook.id}`, { isActive })
    const [removed, ...changed] = await Promise.all([
      account.send(`DELETE /webhooks/${webhook.id}`),
      ...[true, false, true, false].map(change),
    ])
    expect(removed.status).toBe(204)
    for (const { status } of changed) expect([200, 404]).toContain(status)
    expect((await account.send(`GET /webhooks/${webhook.id}`)).status).toBe(404)
  })
})
