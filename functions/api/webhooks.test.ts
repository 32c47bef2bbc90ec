import { marshall } from "@aws-sdk/util-dynamodb"
import { Webhook as Standard } from "standardwebhooks"
import { Webhook as Svix } from "svix"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { newAccount, shared } from "#test/app.ts"
import { invoke, items } from "#test/aws.ts"
import { claimedContainer } from "#test/container.ts"
import { newAgent, newConversation, newTask } from "#test/make.ts"
import { answering, type Received, type Receiver, startReceiver } from "#test/receiver.ts"

const app = shared()
let receiver: Receiver
let account: Awaited<ReturnType<typeof newAccount>>

beforeAll(async () => {
  receiver = await startReceiver({ "/broken": answering(500) })
  account = await newAccount(app, { creditUsd: 50 })
})

afterAll(() => receiver.close())

const create = async (path: string, rest: object = {}) => {
  const { status, body } = await account.send("POST /webhooks", { url: `${receiver.url}${path}`, ...rest })
  expect(status).toBe(201)
  return body as { webhook: Row; secret: string }
}
type Row = Record<string, string>
const read = async (webhookId?: string) => (await account.send(`GET /webhooks/${webhookId}`)).body
const deliveries = async (query = "") => (await account.send(`GET /webhook-deliveries${query}`)).body.data
const arrived = async (path: string, count = 1) => {
  await expect.poll(() => receiver.at(path).length, { timeout: 20_000 }).toBeGreaterThanOrEqual(count)
  return receiver.at(path)
}
const verified = (secret: string, { body, headers }: Received) =>
  new Standard(secret).verify(body, headers as Record<string, string>) as { type: string; timestamp: string; data: object }

describe("POST /webhooks", () => {
  test("201: an active webhook with the twelve events of the contract, and a secret that is never shown again", async () => {
    const { webhook, secret } = await create("/all")
    expect(webhook).toEqual({
      id: expect.stringMatching(/^whk_/),
      url: `${receiver.url}/all`,
      eventTypes: [
        "task.created",
        "task.turn.queued",
        "task.turn.started",
        "task.message.created",
        "task.awaiting_input",
        "task.turn.completed",
        "task.hibernating",
        "task.woken",
        "task.finished",
        "task.failed",
        "task.cancelled",
        "task.expired",
      ],
      isActive: true,
      secretPrefix: secret.slice(0, 10),
      createdAt: expect.any(String),
      updatedAt: null,
    })
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
    expect(await read(webhook.id)).toEqual(webhook)
    expect((await account.send("GET /webhooks")).body.data).toContainEqual(webhook)
    const rows = JSON.stringify(await items(app, account.accountId))
    expect(rows).toContain(webhook.id)
    expect(rows).not.toContain(secret.slice(10))
    await account.send(`DELETE /webhooks/${webhook.id}`)
  })

  test.each([
    ["no URL", { url: "example" }],
    ["another scheme", { url: "ftp://example.com" }],
    ["a password", { url: "https://me:secret@example.com" }],
    ["an event that there is not", { url: "https://example.com", eventTypes: ["task.exploded"] }],
    ["the test event", { url: "https://example.com", eventTypes: ["webhook.test"] }],
    ["no event", { url: "https://example.com", eventTypes: [] }],
    ["a URL longer than any", { url: `https://example.com/${"x".repeat(2048)}` }],
  ])("422 invalid_request: %s", async (_, body) => {
    const answer = await account.send("POST /webhooks", body)
    expect(answer).toMatchObject({ status: 422, body: { error: { code: "invalid_request" } } })
    expect(answer.body.error.issues[0].path).toMatch(/^(url|eventTypes)/)
  })

  test("422 webhook_limit_reached: after twenty, even where all are made at once; one that is deleted makes room", async () => {
    const other = await newAccount(app)
    const make = () => other.send("POST /webhooks", { url: "https://example.com/" })
    const answers = await Promise.all(Array.from({ length: 25 }, make))
    const refused = answers.filter(({ status }) => status !== 201)
    expect(refused.map(({ status, body }) => [status, body.error.code])).toEqual(Array(5).fill([422, "webhook_limit_reached"]))
    const { data } = (await other.send("GET /webhooks")).body
    expect(data).toHaveLength(20)
    expect((await other.send(`DELETE /webhooks/${data[0].id}`)).status).toBe(204)
    expect((await make()).status).toBe(201)
  })
})

describe("what a webhook receives", () => {
  test("the events that it wants, with the ids, the status, the sequence and the metadata of the task, signed", async () => {
    const { webhook, secret } = await create("/created", { eventTypes: ["task.created"] })
    const { id: agentId } = await newAgent(account)
    const metadata = { order: 7, note: "x".repeat(5_000) }
    const task = await newTask(account, agentId, { metadata })
    const [request] = await arrived("/created")
    const [event] = (await items(app, `${account.accountId}#${task.id}`, "event#")).filter(({ type }) => type === "task.created")
    expect(verified(secret, request!)).toEqual({
      type: "task.created",
      timestamp: event!.occurredAt,
      data: {
        accountId: account.accountId,
        taskId: task.id,
        agentId,
        mode: "autonomous",
        status: "pending",
        turnNumber: null,
        sequence: 1,
        metadata,
      },
    })
    expect(request!.headers).toMatchObject({ "webhook-id": event!.eventId, "content-type": "application/json" })
    await expect
      .poll(() => deliveries(`?webhookId=${webhook.id}`), { timeout: 20_000 })
      .toMatchObject([
        {
          id: expect.stringMatching(/^dlv_/),
          webhookId: webhook.id,
          webhookUrl: webhook.url,
          eventId: event!.eventId,
          eventType: "task.created",
          taskId: task.id,
          status: "delivered",
          attemptCount: 1,
          retryCount: 0,
          lastStatusCode: 204,
          lastError: null,
          nextRetryAt: null,
        },
      ])
    expect(receiver.at("/created")).toHaveLength(1)
    await account.send(`DELETE /webhooks/${webhook.id}`)
  })

  test("the metadata of a task even where its end is told only after it was deleted", async () => {
    const { task, send } = await claimedContainer(app, account, { task: { metadata: { order: 7 } } })
    await send("complete", { result: null })
    const events = await items(app, `${account.accountId}#${task.id}`, "event#")
    await account.send(`DELETE /tasks/${task.id}`)
    const { webhook, secret } = await create("/late", { eventTypes: ["task.finished"] })
    const dynamodb = { SequenceNumber: "100", NewImage: marshall(events.at(-1)!) }
    await invoke(app, "dormouse-reactions-publish", { Records: [{ eventID: "late", eventName: "INSERT", dynamodb }] })
    const [request] = await arrived("/late")
    expect(verified(secret, request!)).toMatchObject({
      type: "task.finished",
      data: { taskId: task.id, metadata: { order: 7 } },
    })
    await account.send(`DELETE /webhooks/${webhook.id}`)
  })

  test("task.mode_switched where it names it, and not where it names nothing", async () => {
    const { webhook: asks } = await create("/asks", { eventTypes: ["task.mode_switched"] })
    expect(asks.eventTypes).toEqual(["task.mode_switched"])
    const { webhook } = await create("/names-nothing")
    const { task } = await newConversation(account, (await newAgent(account)).id)
    await account.send(`POST /conversations/${task.id}/autonomous`, { enabled: true })
    const [request] = await arrived("/asks")
    expect(JSON.parse(request!.body)).toMatchObject({ type: "task.mode_switched", data: { taskId: task.id } })
    await account.send(`POST /tasks/${task.id}/cancel`)
    const types = async () => (await deliveries(`?webhookId=${webhook.id}&limit=100`)).map((row: Row) => row.eventType)
    await expect.poll(types, { timeout: 20_000 }).toContain("task.cancelled")
    expect(await types()).not.toContain("task.mode_switched")
    for (const { id } of [asks, webhook]) await account.send(`DELETE /webhooks/${id}`)
  })

  test("other events from the moment on in which it wants others", async () => {
    const { webhook } = await create("/changed", { eventTypes: ["task.created"] })
    const { id: agentId } = await newAgent(account)
    const first = await newTask(account, agentId)
    await arrived("/changed")
    const changed = await account.send(`PATCH /webhooks/${webhook.id}`, { eventTypes: ["task.cancelled"] })
    expect(changed.body.eventTypes).toEqual(["task.cancelled"])
    await newTask(account, agentId)
    await account.send(`POST /tasks/${first.id}/cancel`)
    await expect.poll(() => receiver.at("/changed").length, { timeout: 20_000 }).toBe(2)
    const told = receiver.at("/changed").map(({ body }) => JSON.parse(body))
    expect(told.map(({ type, data }) => [type, data.taskId])).toEqual([
      ["task.created", first.id],
      ["task.cancelled", first.id],
    ])
    await account.send(`DELETE /webhooks/${webhook.id}`)
  })

  test("nothing of another account", async () => {
    const other = await newAccount(app)
    const { body } = await other.send("POST /webhooks", { url: `${receiver.url}/other` })
    const { webhook } = await create("/mine", { eventTypes: ["task.created"] })
    await newTask(account, (await newAgent(account)).id)
    await arrived("/mine")
    expect(receiver.at("/other")).toEqual([])
    expect((await other.send("GET /webhook-deliveries")).body.data).toEqual([])
    expect((await account.send(`GET /webhook-deliveries?webhookId=${body.webhook.id}`)).status).toBe(404)
    await account.send(`DELETE /webhooks/${webhook.id}`)
  })
})

describe("POST /webhooks/{webhookId}/test", () => {
  test("200: a webhook.test arrives, whatever the webhook has subscribed to, and verifies with the libraries of others", async () => {
    const { webhook, secret } = await create("/test", { eventTypes: ["task.woken"] })
    const { status, body } = await account.send(`POST /webhooks/${webhook.id}/test`)
    expect([status, body]).toMatchObject([200, { eventType: "webhook.test", status: "pending", taskId: null, attemptCount: 0 }])
    const [request] = await arrived("/test")
    expect(verified(secret, request!)).toMatchObject({ type: "webhook.test", data: { accountId: account.accountId } })
    expect(new Svix(secret).verify(request!.body, request!.headers as Record<string, string>)).toMatchObject({
      type: "webhook.test",
    })
    expect(request!.headers["webhook-id"]).toBe(body.eventId)
    expect(Math.abs(Number(request!.headers["webhook-timestamp"]) - Date.now() / 1000)).toBeLessThan(60)
    for (const changed of [`${request!.body} `, request!.body.replace("test", "tent")]) {
      expect(() => verified(secret, { ...request!, body: changed })).toThrow()
    }
    await account.send(`DELETE /webhooks/${webhook.id}`)
  })

  test("422 webhook_inactive", async () => {
    const { webhook } = await create("/inactive")
    await account.send(`PATCH /webhooks/${webhook.id}`, { isActive: false })
    const { status, body } = await account.send(`POST /webhooks/${webhook.id}/test`)
    expect([status, body.error.code]).toEqual([422, "webhook_inactive"])
    await account.send(`DELETE /webhooks/${webhook.id}`)
  })
})

describe("POST /webhooks/{webhookId}/rotate-secret", () => {
  test("200: both secrets sign from now on, and the one before the last does not any more", async () => {
    const { webhook, secret: first } = await create("/rotated")
    const rotate = async () => (await account.send(`POST /webhooks/${webhook.id}/rotate-secret`)).body
    const { secret: second, webhook: rotated } = await rotate()
    expect(rotated).toMatchObject({ id: webhook.id, secretPrefix: second.slice(0, 10), updatedAt: expect.any(String) })
    await account.send(`POST /webhooks/${webhook.id}/test`)
    const [request] = await arrived("/rotated")
    for (const secret of [first, second]) expect(verified(secret, request!)).toMatchObject({ type: "webhook.test" })

    const { secret: third } = await rotate()
    await account.send(`POST /webhooks/${webhook.id}/test`)
    const [, later] = await arrived("/rotated", 2)
    for (const secret of [second, third]) expect(verified(secret, later!)).toMatchObject({ type: "webhook.test" })
    expect(() => verified(first, later!)).toThrow()
    await account.send(`DELETE /webhooks/${webhook.id}`)
  })
})

describe("PATCH /webhooks/{webhookId}", () => {
  test("200: another address takes the same secret; what is turned off receives nothing", async () => {
    const { webhook, secret } = await create("/before")
    const { status, body } = await account.send(`PATCH /webhooks/${webhook.id}`, { url: `${receiver.url}/after` })
    expect([status, body]).toMatchObject([200, { url: `${receiver.url}/after`, secretPrefix: webhook.secretPrefix }])
    await account.send(`POST /webhooks/${webhook.id}/test`)
    const [request] = await arrived("/after")
    expect(verified(secret, request!)).toMatchObject({ type: "webhook.test" })
    expect(receiver.at("/before")).toEqual([])
    await account.send(`PATCH /webhooks/${webhook.id}`, { isActive: false })
    expect(await read(webhook.id)).toMatchObject({ isActive: false })
    await account.send(`DELETE /webhooks/${webhook.id}`)
  })
})

describe("DELETE /webhooks/{webhookId}", () => {
  test("204: it is gone with its secret, and the records of its deliveries stay", async () => {
    const { webhook } = await create("/deleted")
    const { body: delivery } = await account.send(`POST /webhooks/${webhook.id}/test`)
    await arrived("/deleted")
    expect((await account.send(`DELETE /webhooks/${webhook.id}`)).status).toBe(204)
    expect((await account.send(`GET /webhooks/${webhook.id}`)).status).toBe(404)
    expect((await account.send("GET /webhooks")).body.data).not.toContainEqual(expect.objectContaining({ id: webhook.id }))
    expect((await items(app, account.accountId, "secret#")).filter(({ kind }) => kind === "webhook-secret")).toEqual([])
    expect((await deliveries("?limit=100")).map(({ id }: { id: string }) => id)).toContain(delivery.id)
    const resent = await account.send(`POST /webhook-deliveries/${delivery.id}/resend`)
    expect(resent).toMatchObject({ status: 422, body: { error: { code: "webhook_inactive" } } })
  })
})

describe("GET /webhook-deliveries", () => {
  test("200: the ten latest, the newest first, of all webhooks or of one", async () => {
    const other = await newAccount(app)
    const made = async (path: string) => (await other.send("POST /webhooks", { url: `${receiver.url}${path}` })).body.webhook.id
    const [one, two] = [await made("/one"), await made("/two")]
    const sent: string[] = []
    for (let i = 0; i < 12; i++) sent.unshift((await other.send(`POST /webhooks/${i % 2 ? one : two}/test`)).body.id)
    const ids = async (query = "") =>
      (await other.send(`GET /webhook-deliveries${query}`)).body.data.map(({ id }: { id: string }) => id)
    expect(await ids()).toEqual(sent.slice(0, 10))
    expect(await ids("?limit=2")).toEqual(sent.slice(0, 2))
    expect(await ids(`?webhookId=${one}&limit=100`)).toEqual(sent.filter((_, i) => i % 2 === 0))
    expect((await other.send("GET /webhook-deliveries?limit=0")).status).toBe(422)
  })
})

describe("POST /webhook-deliveries/{deliveryId}/resend", () => {
  test("200: a new delivery of the same event, byte for byte", async () => {
    const { webhook } = await create("/resent")
    const { body: first } = await account.send(`POST /webhooks/${webhook.id}/test`)
    await arrived("/resent")
    const { status, body: second } = await account.send(`POST /webhook-deliveries/${first.id}/resend`)
    expect([status, second]).toMatchObject([200, { eventId: first.eventId, status: "pending", webhookId: webhook.id }])
    expect(second.id).not.toBe(first.id)
    const [before, after] = await arrived("/resent", 2)
    expect(after!.body).toBe(before!.body)
    expect(after!.headers["webhook-id"]).toBe(before!.headers["webhook-id"])
    await account.send(`DELETE /webhooks/${webhook.id}`)
  })

  test("404 delivery_not_found: another account's delivery does not exist for you", async () => {
    const { webhook } = await create("/foreign")
    const { body } = await account.send(`POST /webhooks/${webhook.id}/test`)
    const other = await newAccount(app)
    const answer = await other.send(`POST /webhook-deliveries/${body.id}/resend`)
    expect(answer).toMatchObject({ status: 404, body: { error: { code: "delivery_not_found" } } })
  })
})

describe("an answer that is no success", () => {
  test("is written down, and tried again later", async () => {
    const { webhook } = await create("/broken")
    await account.send(`POST /webhooks/${webhook.id}/test`)
    await expect
      .poll(() => deliveries(`?webhookId=${webhook.id}`), { timeout: 10_000 })
      .toMatchObject([
        {
          status: "retrying",
          attemptCount: 1,
          lastStatusCode: 500,
          lastError: "The receiver answered 500.",
          deliveredAt: null,
          nextRetryAt: expect.any(String),
        },
      ])
    await account.send(`PATCH /webhooks/${webhook.id}`, { isActive: false })
    await expect
      .poll(() => deliveries(`?webhookId=${webhook.id}`), { timeout: 20_000 })
      .toMatchObject([{ status: "cancelled", lastError: "The webhook was turned off or deleted.", nextRetryAt: null }])
  })
})
