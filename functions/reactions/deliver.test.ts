import { readFileSync } from "node:fs"
import { join } from "node:path"
import { DeleteScheduleCommand, ListSchedulesCommand, SchedulerClient } from "@aws-sdk/client-scheduler"
import {
  GetQueueAttributesCommand,
  PurgeQueueCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs"
import { Webhook as Standard } from "standardwebhooks"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { millis } from "#core/clock.ts"
import { newAccount } from "#test/app.ts"
import { configOf, invoke, items } from "#test/aws.ts"
import { answering, hanging, type Received, type Receiver, startReceiver } from "#test/receiver.ts"
import { type OwnStack, ownStack, withoutSchedules } from "#test/stack.ts"
import { moveTime } from "#test/time.ts"

const time = moveTime()
const [second, minute, hour, day] = [1_000, 60_000, 3_600_000, 86_400_000]
let app: OwnStack
let receiver: Receiver
let account: Awaited<ReturnType<typeof newAccount>>

beforeAll(async () => {
  app = await ownStack({}, undefined, { idle: true, rewire: withoutSchedules })
  receiver = await startReceiver()
  account = await newAccount(app)
})

afterAll(async () => {
  await app.stop()
  await receiver.close()
  time.release()
})

const create = async (path: string, caller = account) =>
  (await caller.send("POST /webhooks", { url: `${receiver.url}${path}` })).body as { webhook: { id: string }; secret: string }
const sendTest = async (webhookId: string, caller = account) => (await caller.send(`POST /webhooks/${webhookId}/test`)).body
const deliveryOf = async (id: string) => {
  const { body } = await account.send("GET /webhook-deliveries?limit=100")
  return body.data.find((one: { id: string }) => one.id === id)
}
const webhookOf = async (id: string) => (await account.send(`GET /webhooks/${id}`)).body
const rowOf = async (id: string) => (await items(app, account.accountId, `webhook#${id}`))[0]!
const remove = (id: string) => account.send(`DELETE /webhooks/${id}`)
const patience = { timeout: 20_000, interval: 30 }
const attempted = async (deliveryId: string, attemptCount: number) => {
  await expect.poll(async () => (await deliveryOf(deliveryId)).attemptCount, patience).toBe(attemptCount)
  return deliveryOf(deliveryId)
}

/** A webhook whose receiver behaves like that, and a delivery that was attempted once. */
const failing = async (path: string, status: number, headers: Record<string, string> = {}) => {
  receiver.behaviours[path] = answering(status, headers)
  const { webhook, secret } = await create(path)
  const { id } = await sendTest(webhook.id)
  return { webhookId: webhook.id, secret, delivery: await attempted(id, 1) }
}

const waits = [5 * second, 5 * minute, 30 * minute, 2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour, 24 * hour]

describe("a receiver that never accepts", () => {
  test("is tried ten times over three days with the same event, then the delivery has failed; after five days it is turned off", async () => {
    let { delivery, webhookId, secret } = await failing("/never", 500)
    for (const [i, wait] of waits.entries()) {
      expect(delivery).toMatchObject({ status: "retrying", attemptCount: i + 1, retryCount: i, lastStatusCode: 500 })
      const left = Date.parse(delivery.nextRetryAt) - millis()
      expect(left).toBeLessThanOrEqual(wait * 1.1)
      expect(left).toBeGreaterThan(wait * 0.9 - 15 * second)
      time.advance(left + second)
      delivery = await attempted(delivery.id, i + 2)
    }
    expect(delivery).toMatchObject({ status: "failed", attemptCount: 10, retryCount: 9, nextRetryAt: null })
    const requests = receiver.at("/never")
    expect(requests).toHaveLength(10)
    expect(new Set(requests.map(({ body }) => body)).size).toBe(1)
    expect(new Set(requests.map(({ headers }) => headers["webhook-id"]))).toEqual(new Set([delivery.eventId]))
    for (const request of requests) expect(isSigned(secret, request)).toBe(true)
    expect(await webhookOf(webhookId)).toMatchObject({ isActive: true })

    // How long the ten attempts have taken is left to chance, since each wait is up to a tenth shorter or longer.
    const { failingSince } = await rowOf(webhookId)
    time.advance(Date.parse(failingSince) + 5 * day - millis())
    const { id } = await sendTest(webhookId)
    await attempted(id, 1)
    expect(await webhookOf(webhookId)).toMatchObject({ isActive: false })
    time.advance(minute)
    await expect.poll(async () => (await deliveryOf(id)).status, patience).toBe("cancelled")
    const { body: again } = await account.send(`PATCH /webhooks/${webhookId}`, { isActive: true })
    expect(again.isActive).toBe(true)
    expect(await rowOf(webhookId)).not.toHaveProperty("failingSince")
    await remove(webhookId)
  }, 120_000)
})

/** As a receiver would check it, at the time that the request says. */
const isSigned = (secret: string, { headers, body }: Received) => {
  const seconds = Number(headers["webhook-timestamp"])
  const signature = new Standard(secret).sign(String(headers["webhook-id"]), new Date(seconds * 1000), body)
  return String(headers["webhook-signature"]).split(" ").includes(signature)
}

describe("what a receiver answers", () => {
  test("410: it is turned off, and the delivery is not tried again", async () => {
    const { webhookId, delivery } = await failing("/gone", 410)
    expect(delivery).toMatchObject({ status: "failed", lastStatusCode: 410, nextRetryAt: null })
    expect(await webhookOf(webhookId)).toMatchObject({ isActive: false, updatedAt: expect.any(String) })
    await remove(webhookId)
  })

  test.each([
    [503, "3600", hour],
    [429, "10", 10 * second],
    [503, "1000000", day],
    [503, "nonsense", 5 * second],
  ])("%i with Retry-After %s: it is left alone for as long, a day at most", async (status, header, wait) => {
    const path = `/after-${status}-${header}`
    const { webhookId, delivery } = await failing(path, status, { "retry-after": header })
    const left = Date.parse(delivery.nextRetryAt) - millis()
    expect(left).toBeLessThanOrEqual(wait * 1.1)
    expect(left).toBeGreaterThan(wait * 0.9 - 15 * second)
    await remove(webhookId)
  })

  test("503 with Retry-After as a date: it is left alone until then", async () => {
    const until = Math.ceil(millis() / second) * second + hour
    const { webhookId, delivery } = await failing("/after-date", 503, { "retry-after": new Date(until).toUTCString() })
    expect(Math.abs(Date.parse(delivery.nextRetryAt) - until)).toBeLessThanOrEqual(second)
    await remove(webhookId)
  })

  test("3xx: a redirect is a failure, and is not followed", async () => {
    const { webhookId, delivery } = await failing("/moved", 308, { location: `${receiver.url}/elsewhere` })
    expect(delivery).toMatchObject({ status: "retrying", lastError: "The receiver answered 308. Redirects are not followed." })
    expect(receiver.at("/elsewhere")).toEqual([])
    await remove(webhookId)
  })

  test("each attempt goes where the webhook is by then, and the record says where that was", async () => {
    const { webhookId, delivery } = await failing("/left", 500)
    expect(delivery.webhookUrl).toBe(`${receiver.url}/left`)
    const moves: [path: string, status: number, result: string][] = [
      ["/moved-to", 503, "retrying"],
      ["/moved-again", 204, "delivered"],
    ]
    for (const [i, [path, status, result]] of moves.entries()) {
      receiver.behaviours[path] = answering(status)
      await account.send(`PATCH /webhooks/${webhookId}`, { url: `${receiver.url}${path}` })
      time.advance(10 * minute)
      expect(await attempted(delivery.id, i + 2)).toMatchObject({ status: result, webhookUrl: `${receiver.url}${path}` })
      expect(receiver.at(path)).toHaveLength(1)
    }
    await remove(webhookId)
  })

  test("2xx after failures: delivered, and the failures are forgotten", async () => {
    const { webhookId, delivery } = await failing("/recovers", 500)
    expect(await rowOf(webhookId)).toHaveProperty("failingSince")
    receiver.behaviours["/recovers"] = answering(200)
    time.advance(10 * second)
    expect(await attempted(delivery.id, 2)).toMatchObject({
      status: "delivered",
      lastStatusCode: 200,
      lastError: null,
      deliveredAt: expect.any(String),
    })
    expect(await rowOf(webhookId)).not.toHaveProperty("failingSince")
    await remove(webhookId)
  })

  test("nothing for three seconds: it has fifteen in the slow queue, and from then on until it answers in time", async () => {
    receiver.behaviours["/hangs"] = hanging
    const { webhook } = await create("/hangs")
    const { id } = await sendTest(webhook.id)
    await expect.poll(() => receiver.at("/hangs").length, patience).toBe(1)
    time.advance(3.1 * second)
    await expect.poll(() => receiver.at("/hangs").length, patience).toBe(2)
    expect(await rowOf(webhook.id)).toMatchObject({ isSlow: true })
    expect(await deliveryOf(id)).toMatchObject({ status: "pending", attemptCount: 0 })
    const [dropped, repeated] = receiver.at("/hangs")
    expect(repeated!.headers["webhook-id"]).toBe(dropped!.headers["webhook-id"])

    time.advance(14 * second)
    expect(await deliveryOf(id)).toMatchObject({ attemptCount: 0 })
    time.advance(2 * second)
    expect(await attempted(id, 1)).toMatchObject({
      status: "retrying",
      lastError: "No answer within 15 seconds.",
      lastStatusCode: null,
    })
    receiver.behaviours["/hangs"] = answering(204)
    time.advance(10 * second)
    expect(await attempted(id, 2)).toMatchObject({ status: "delivered", lastStatusCode: 204, lastError: null })
    expect(await rowOf(webhook.id)).not.toHaveProperty("isSlow")
    await remove(webhook.id)
  })

  test("nothing after a status: the record says what the last attempt has met, and no more", async () => {
    const { webhookId, delivery } = await failing("/breaks", 500)
    receiver.behaviours["/breaks"] = ({ headers: _ }, response) => void response.destroy()
    time.advance(10 * second)
    expect(await attempted(delivery.id, 2)).toMatchObject({
      lastStatusCode: null,
      lastError: "The connection was closed before an answer came.",
    })
    await remove(webhookId)
  })
})

describe("a secret that was rotated", () => {
  test("signs for 24 hours beside the new one, and not a moment longer", async () => {
    const { webhook, secret: old } = await create("/rotated")
    const { secret } = (await account.send(`POST /webhooks/${webhook.id}/rotate-secret`)).body
    time.advance(23 * hour)
    await sendTest(webhook.id)
    await expect.poll(() => receiver.at("/rotated").length, patience).toBe(1)
    time.advance(hour + second)
    await sendTest(webhook.id)
    await expect.poll(() => receiver.at("/rotated").length, patience).toBe(2)
    const [within, after] = receiver.at("/rotated") as [Received, Received]
    expect([isSigned(old, within), isSigned(secret, within)]).toEqual([true, true])
    expect([isSigned(old, after), isSigned(secret, after)]).toEqual([false, true])
    await remove(webhook.id)
  })
})

const sqs = () => new SQSClient({ ...configOf(app), useQueueUrlAsEndpoint: false })
const queue = (name: string) => `https://sqs.us-east-1.amazonaws.com/000000000000/dormouse-${name}`
const messagesIn = async (name: string) =>
  (await sqs().send(new ReceiveMessageCommand({ QueueUrl: queue(name), MaxNumberOfMessages: 10 }))).Messages ?? []
const delayed = async (name: string) => {
  const asked = { QueueUrl: queue(name), AttributeNames: ["ApproximateNumberOfMessagesDelayed" as const] }
  return (await sqs().send(new GetQueueAttributesCommand(asked))).Attributes?.ApproximateNumberOfMessagesDelayed
}

describe("messages", () => {
  test("one that comes twice is attempted once", async () => {
    const { webhook } = await create("/twice")
    const { id: deliveryId } = await sendTest(webhook.id)
    await attempted(deliveryId, 1)
    const message = { accountId: account.accountId, webhookId: webhook.id, deliveryId, attempt: 0, isSlow: false }
    const Records = [{ messageId: "one", body: JSON.stringify(message), attributes: { ApproximateReceiveCount: "1" } }]
    expect(await invoke(app, "dormouse-reactions-deliver", { Records })).toEqual({ batchItemFailures: [] })
    expect(receiver.at("/twice")).toHaveLength(1)
    await remove(webhook.id)
  })

  test("one that cannot be processed ends in the dead-letter queue, and keeps no other from being processed", async () => {
    await sqs().send(new SendMessageCommand({ QueueUrl: queue("deliveries"), MessageBody: '{"poison":true}' }))
    const { webhook } = await create("/beside")
    await attempted((await sendTest(webhook.id)).id, 1)
    const dead = async () => {
      time.advance(361 * second)
      return (await messagesIn("deliveries-dead")).map(({ Body }) => Body)
    }
    await expect.poll(dead, { timeout: 30_000, interval: 300 }).toEqual(['{"poison":true}'])
    await remove(webhook.id)
  })
})

const sweep = () => invoke(app, "dormouse-reactions-sweep", { source: "aws.events", "detail-type": "Scheduled Event" })

describe("a delivery that got lost", () => {
  test("with its message, which was deleted by hand, is found by the sweeper and delivered", async () => {
    const { webhookId, delivery } = await failing("/purged", 500)
    // The first retry waits in the queue for five seconds; the attempt is recorded before the next one is planned.
    await expect.poll(() => delayed("deliveries"), patience).toBe("1")
    await sqs().send(new PurgeQueueCommand({ QueueUrl: queue("deliveries") }))
    receiver.behaviours["/purged"] = answering(204)
    time.advance(10 * second)
    await sweep()
    expect(await deliveryOf(delivery.id)).toMatchObject({ status: "retrying", attemptCount: 1 })
    time.advance(15 * minute)
    await sweep()
    expect(await attempted(delivery.id, 2)).toMatchObject({ status: "delivered" })
    await remove(webhookId)
  })

  test("with its schedule, which was deleted by hand, is found by the sweeper and delivered", async () => {
    const { webhookId, delivery } = await failing("/lost", 500)
    time.advance(10 * second)
    await attempted(delivery.id, 2)
    time.advance(6 * minute)
    const { nextRetryAt } = await attempted(delivery.id, 3)
    // The third retry waits in the scheduler.
    const scheduler = new SchedulerClient(configOf(app))
    const GroupName = "dormouse-deliveries"
    const schedules = async () =>
      (await scheduler.send(new ListSchedulesCommand({ GroupName, NamePrefix: delivery.id }))).Schedules ?? []
    // The attempt is recorded before the next one is planned.
    await expect.poll(schedules, patience).toHaveLength(1)
    await scheduler.send(new DeleteScheduleCommand({ GroupName, Name: (await schedules())[0]!.Name }))

    receiver.behaviours["/lost"] = answering(204)
    time.advance(Date.parse(nextRetryAt) - millis() + 10 * minute)
    await sweep()
    expect(await deliveryOf(delivery.id)).toMatchObject({ status: "retrying", attemptCount: 3 })
    time.advance(10 * minute)
    await sweep()
    expect(await attempted(delivery.id, 4)).toMatchObject({ status: "delivered" })
    await remove(webhookId)
  })
})

describe("what is kept of a delivery", () => {
  test("is a wide line in the log for each attempt, and a record for thirty days", async () => {
    const { webhookId, delivery } = await failing("/kept", 503)
    receiver.behaviours["/kept"] = answering(204)
    time.advance(10 * second)
    await attempted(delivery.id, 2)
    const log = () =>
      readFileSync(join(app.data, "logs", "dormouse-reactions-deliver.log"), "utf8")
        .split("\n")
        .filter((line) => line.includes(delivery.id))
        .map((line) => JSON.parse(line))
    await expect.poll(() => log().length, patience).toBe(2)
    const common = {
      message: "attempt",
      accountId: account.accountId,
      webhookId,
      deliveryId: delivery.id,
      eventId: delivery.eventId,
      eventType: "webhook.test",
      messageId: expect.any(String),
      received: 1,
      milliseconds: expect.any(Number),
      ageMilliseconds: expect.any(Number),
      isSlow: false,
    }
    const [first, last] = log()
    expect(first).toMatchObject({ ...common, attempt: 0, statusCode: 503, outcome: "retrying", nextRetryAt: expect.any(String) })
    expect(last).toMatchObject({ ...common, attempt: 1, statusCode: 204, outcome: "delivered" })
    expect(log().map(({ error }) => error)).toEqual(["The receiver answered 503.", undefined])

    const rowOfDelivery = async () => (await items(app, `${account.accountId}#deliveries`, delivery.id))[0]
    const made = Date.parse((await rowOfDelivery())!.createdAt)
    expect((await rowOfDelivery())!.expiresAt).toBe(Math.floor(made / 1000) + (30 * day) / second)
    time.advance(29 * day)
    expect(await rowOfDelivery()).toBeDefined()
    time.advance(2 * day)
    await expect.poll(rowOfDelivery, patience).toBeUndefined()
    await remove(webhookId)
  })
})
