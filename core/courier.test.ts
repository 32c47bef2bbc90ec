import { DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { newAccount } from "#test/app.ts"
import { configOf, items } from "#test/aws.ts"
import { startBreakingAws } from "#test/breaking-aws.ts"
import { useAwsOf } from "#test/core-env.ts"
import { answering, type Receiver, startReceiver } from "#test/receiver.ts"
import { type OwnStack, ownStack, withoutConsumers } from "#test/stack.ts"
import { moveTime } from "#test/time.ts"

// The functions that announce and deliver crash at every call that they make. Nobody else reads the queues of this stack.

const time = moveTime()
let app: OwnStack
let aws: Awaited<ReturnType<typeof startBreakingAws>>
let receiver: Receiver
let account: Awaited<ReturnType<typeof newAccount>>
let Courier: typeof import("./courier.ts")
let Fanout: typeof import("./fanout.ts")

beforeAll(async () => {
  app = await ownStack({}, undefined, {
    idle: true,
    rewire: withoutConsumers,
  })
  aws = await startBreakingAws(app.awsUrl)
  useAwsOf({ ...app, awsUrl: aws.url }, "dormouse-reactions-deliver")
  process.env.AWS_MAX_ATTEMPTS = "1"
  Courier = await import("./courier.ts")
  Fanout = await import("./fanout.ts")
  receiver = await startReceiver()
  account = await newAccount(app)
})

afterAll(async () => {
  await app.stop()
  await aws.close()
  await receiver.close()
  time.release()
})

const queue = (name: string) => `https://sqs.us-east-1.amazonaws.com/000000000000/dormouse-${name}`

/** Works off what is in the queues, as the function does: what fails stays there. Answers how often it failed. */
const work = async (): Promise<number> => {
  const sqs = new SQSClient({ ...configOf(app), useQueueUrlAsEndpoint: false })
  let failures = 0
  for (const QueueUrl of [queue("deliveries"), queue("slow-deliveries")]) {
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }))
    for (const { Body, ReceiptHandle } of Messages) {
      try {
        const message = JSON.parse(Body!)
        await Courier.deliver(message, await Courier.gather([message]))
        await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }))
      } catch {
        failures++
      }
    }
  }
  return failures
}

const newWebhook = async (path: string) => {
  const { body } = await account.send("POST /webhooks", { url: `${receiver.url}${path}` })
  return body.webhook.id as string
}
const deliveriesTo = async (webhookId: string) =>
  (await items(app, `${account.accountId}#deliveries`)).filter((one) => one.webhookId === webhookId)
const remove = (webhookId: string) => account.send(`DELETE /webhooks/${webhookId}`)

let events = 0
const announce = () =>
  Fanout.fanOut({
    "detail-type": "task.finished",
    detail: {
      id: `evt_${++events}`,
      accountId: account.accountId,
      taskId: "tsk_one",
      agentId: "agt_one",
      mode: "autonomous",
      status: "finished",
      turnNumber: null,
      sequence: events,
      // More than a row holds, so that the body lies in S3.
      metadata: { text: "x".repeat(6_000) },
      occurredAt: new Date(Date.UTC(2026, 0, 1) + events).toISOString(),
    },
  })
const announceAgain = () => {
  events--
  return announce()
}

const manners = ["before", "after"] as const

/** How many calls this work makes when nothing breaks. */
const callsOf = async (action: () => Promise<unknown>) => {
  const before = aws.calls.length
  await action()
  return aws.calls.slice(before)
}

/** Lets some minutes pass, and works off everything that has become due. */
const letTimePass = async (minutes: number) => {
  time.advance(minutes * 60_000)
  // The scheduler looks at a clock that is moved every twenty milliseconds.
  await new Promise((resolve) => setTimeout(resolve, 60))
  await work()
}

describe("an event that is announced while the function crashes", () => {
  test("has its delivery in the end, once, whichever call was the last", async () => {
    const webhookId = await newWebhook("/announced")
    const calls = await callsOf(announce)
    expect(calls.length).toBeGreaterThanOrEqual(4)
    let made = 1
    for (const how of manners) {
      for (let n = 1; n <= calls.length; n++) {
        aws.breakAt(n, how)
        await expect(announce(), `${how} call ${n}`).rejects.toThrow()
        aws.mend()
        await announceAgain()
        expect(await deliveriesTo(webhookId), `${how} call ${n}`).toHaveLength(++made)
      }
    }
    while ((await deliveriesTo(webhookId)).some(({ status }) => status !== "delivered")) await work()
    expect(new Set(receiver.at("/announced").map(({ headers }) => headers["webhook-id"])).size).toBe(made)
    await remove(webhookId)
  })
})

describe("a delivery whose function crashes", () => {
  // What comes before the attempt is the same for all: the second and the third one crash at what is written and sent after it. The third is
  // handed over to the slow queue, and attempted anew there.
  test.each([
    ["/good", 1, 4],
    ["/bad", 4, 5],
    ["/slow", 4, 9],
  ])("at every call that it makes is not lost: %s", async (path, first, last) => {
    const timesTold = (id: unknown) => receiver.at(path).filter(({ headers }) => headers["webhook-id"] === id).length
    // The third retry succeeds.
    receiver.behaviours["/bad"] = (request, response) =>
      answering(timesTold(request.headers["webhook-id"]) > 3 ? 204 : 503)(request, response)
    // The first request to it is left without an answer for as long as the ordinary queue waits.
    receiver.behaviours["/slow"] = (request, response) =>
      timesTold(request.headers["webhook-id"]) === 1 ? time.advance(3_100) : answering(204)(request, response)
    const webhookId = await newWebhook(path)
    // The first delivery of a function asks for the secret; from then on it is known.
    await announce()
    await work()
    await announce()
    const calls = await callsOf(work)
    expect(calls).toHaveLength(last)
    for (const how of manners) {
      for (let n = first; n <= last; n++) {
        await announce()
        aws.breakAt(n, how)
        expect(await work(), `${how} call ${n}: ${calls[n - 1]}`).toBeGreaterThan(0)
        aws.mend()
        await letTimePass(4)
      }
    }
    for (let i = 0; i < 4; i++) await letTimePass(path === "/bad" ? 35 : 4)
    const all = await deliveriesTo(webhookId)
    expect(all).toHaveLength(2 + 2 * (last - first + 1))
    expect(all.filter(({ status }) => status !== "delivered")).toEqual([])
    if (path === "/slow") expect(all.map(({ eventId }) => timesTold(eventId)).filter((times) => times < 2)).toEqual([])
    await remove(webhookId)
  })
})

describe("deliveries that receivers have accepted", () => {
  const take = async () => {
    const sqs = new SQSClient({ ...configOf(app), useQueueUrlAsEndpoint: false })
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl: queue("deliveries"), MaxNumberOfMessages: 10 }),
    )
    for (const { ReceiptHandle } of Messages)
      await sqs.send(new DeleteMessageCommand({ QueueUrl: queue("deliveries"), ReceiptHandle }))
    return Messages.map(({ Body }) => JSON.parse(Body!) as Parameters<typeof Courier.deliver>[0])
  }
  /** Makes three deliveries side by side, as a batch of the function does, and answers what is told and stored of them. */
  const deliverThree = async (path: string) => {
    const webhookId = await newWebhook(path)
    // They are accepted in the same moment.
    const held: (() => void)[] = []
    receiver.behaviours[path] = (request, response) => {
      held.push(() => answering(204)(request, response))
      if (held.length === 3) for (const accept of held) accept()
    }
    for (let i = 0; i < 3; i++) await announce()
    const messages = await take()
    expect(messages).toHaveLength(3)
    const gathered = await Courier.gather(messages)
    let lines: Awaited<ReturnType<typeof Courier.deliver>>[] = []
    const calls = await callsOf(async () => {
      lines = await Promise.all(messages.map((message) => Courier.deliver(message, gathered)))
    })
    const rows = await deliveriesTo(webhookId)
    await remove(webhookId)
    const written = calls.map((call) => call.split(".")[1]).filter((name) => /Update|Statement/.test(name ?? ""))
    return { rows, lines, written }
  }
  /** What differs between two deliveries of the same kind. */
  const same = (row: Record<string, unknown>) => ({
    ...row,
    ...Object.fromEntries(
      ["sk", "deliveryId", "eventId", "webhookId", "webhookUrl", "payload", "createdAt", "deliveredAt", "expiresAt"].map(
        (name) => [name, expect.anything()],
      ),
    ),
    deliveriesByWebhookPk: expect.anything(),
    deliveriesByWebhookSk: expect.anything(),
  })

  test("are written down by fewer calls than there are, as each would be by itself", async () => {
    const together = await deliverThree("/together")
    expect(together.written.length).toBeLessThan(3)
    expect(new Set(together.written)).toEqual(new Set(["BatchExecuteStatement"]))
    aws.substitute("BatchExecuteStatement", 400, { __type: "AccessDeniedException", message: "No" })
    const alone = await deliverThree("/alone")
    aws.substitute("BatchExecuteStatement")
    expect(alone.written.filter((name) => name === "UpdateItem")).toHaveLength(3)
    expect(alone.lines.map(({ recordError }) => recordError)).toEqual(Array(3).fill("AccessDeniedException: No"))
    for (const { rows, lines } of [together, alone]) {
      expect(lines.map(({ outcome }) => outcome)).toEqual(["delivered", "delivered", "delivered"])
      expect(rows).toHaveLength(3)
      for (const row of rows) expect(row).toEqual(same(alone.rows[0]!))
    }
    expect(together.rows[0]).toMatchObject({ status: "delivered", attemptCount: 1, lastStatusCode: 204 })
    expect(together.rows[0]).not.toHaveProperty("sweepPk")
  })

  test("are written down one by one where DynamoDB had no time for one of them", async () => {
    const busy = { Responses: [{ Error: { Code: "ThrottlingError", Message: "Later" } }] }
    aws.substitute("BatchExecuteStatement", 200, busy)
    const { rows, lines } = await deliverThree("/busy")
    aws.substitute("BatchExecuteStatement")
    expect(rows.map(({ status }) => status)).toEqual(["delivered", "delivered", "delivered"])
    expect(lines.map(({ recordError }) => recordError)).toContain("Error: ThrottlingError: Later")
  })
})
