import {
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { newAccount } from "./app.ts"
import { configOf, invoke, items } from "./aws.ts"
import { hanging, type Receiver, startReceiver } from "./receiver.ts"
import { type OwnStack, ownStack, withoutConsumers } from "./stack.ts"
import { moveTime } from "./time.ts"

// What the receivers of one account do to the deliveries of another. Nobody reads the queues of this stack but the test: it has one
// function at a time, and says when a wait is over, so that what is in the way of others can be counted.

const time = moveTime()
const patience = { timeout: 8_000, interval: 20 }
let app: OwnStack
let sqs: SQSClient
let receiver: Receiver

beforeAll(async () => {
  app = await ownStack({}, undefined, {
    idle: true,
    rewire: withoutConsumers,
  })
  sqs = new SQSClient({ ...configOf(app), useQueueUrlAsEndpoint: false })
  receiver = await startReceiver({ "/hangs": hanging })
})

afterAll(async () => {
  await app.stop()
  await receiver.close()
  time.release()
})

const queue = (name: string) => `https://sqs.us-east-1.amazonaws.com/000000000000/dormouse-${name}`

/** The next batch of a queue, as Lambda takes it. */
const take = async (name: string): Promise<Message[]> => {
  const input = { QueueUrl: queue(name), MaxNumberOfMessages: 10, VisibilityTimeout: 3_600 }
  return (await sqs.send(new ReceiveMessageCommand(input))).Messages ?? []
}

/** Gives a batch to the function, and lets the longest wait of the ordinary queue pass once all that it asks hang. Answers how many do. */
const workOff = async (batch: Message[]): Promise<number> => {
  const before = receiver.at("/hangs").length
  const Records = batch.map(({ MessageId, Body }) => ({
    messageId: MessageId,
    body: Body,
    attributes: { ApproximateReceiveCount: "1" },
  }))
  let isDone = false
  const done = invoke(app, "dormouse-reactions-deliver", { Records }).then((answer) => {
    isDone = true
    return answer
  })
  while (!isDone) {
    const hung = receiver.at("/hangs").length
    await new Promise((resolve) => setTimeout(resolve, 600))
    if (hung > before && hung === receiver.at("/hangs").length) {
      time.advance(3_000)
      await expect.poll(() => isDone, patience).toBe(true)
    }
  }
  expect(await done).toEqual({ batchItemFailures: [] })
  for (const { ReceiptHandle } of batch)
    await sqs.send(new DeleteMessageCommand({ QueueUrl: queue("deliveries"), ReceiptHandle }))
  return receiver.at("/hangs").length - before
}

/** Works off whatever is there. Answers how many requests hung. */
const workOffAll = async (): Promise<number> => {
  for (let hung = 0; ; ) {
    const batch = await take("deliveries")
    if (batch.length === 0) return hung
    hung += await workOff(batch)
  }
}

/** An account with so many webhooks of a path. `tell` has each of them told, and waits until all of that is in the queue. */
const newNeighbour = async (path: string, count: number) => {
  const account = await newAccount(app)
  const ids: string[] = []
  for (let i = 0; i < count; i++) {
    const { body } = await account.send("POST /webhooks", { url: `${receiver.url}${path}` })
    ids.push(body.webhook.id)
  }
  return {
    tell: () => Promise.all(ids.map((id) => account.send(`POST /webhooks/${id}/test`))),
    deliveries: () => items(app, `${account.accountId}#deliveries`),
  }
}

/** Waits until so many are in the queue. */
const waiting = async (count: number) => {
  const input = { QueueUrl: queue("deliveries"), AttributeNames: ["ApproximateNumberOfMessages" as const] }
  const length = async () => (await sqs.send(new GetQueueAttributesCommand(input))).Attributes!.ApproximateNumberOfMessages
  await expect.poll(length, { timeout: 20_000 }).toBe(String(count))
}

describe("an account with a hundred deliveries to receivers that hang", () => {
  test("holds up another account's for the one wait that is under way, and each of its receivers does so once", async () => {
    const noisy = await newNeighbour("/hangs", 20)
    const quiet = await newNeighbour("/healthy", 1)
    for (let i = 0; i < 5; i++) await noisy.tell()
    await waiting(100)
    await quiet.tell()
    await waiting(101)

    expect(await workOff(await take("deliveries"))).toBe(9)
    expect(receiver.at("/healthy")).toHaveLength(1)

    // The other 91 are in the slow queue in the end, most of them without a request.
    expect(await workOffAll()).toBeLessThanOrEqual(30)
    await noisy.tell()
    await waiting(20)
    expect(await workOffAll()).toBe(0)
    expect((await noisy.deliveries()).map(({ status, attemptCount }) => [status, attemptCount])).toEqual(
      Array(120).fill(["pending", 0]),
    )
  }, 60_000)
})

describe("ten accounts with ten webhooks each, all of which hang", () => {
  test("are waited for once each, and from then on hold up nobody", async () => {
    const noisy = await Promise.all(Array.from({ length: 10 }, () => newNeighbour("/hangs", 10)))
    const quiet = await newNeighbour("/healthy", 1)
    const before = receiver.at("/healthy").length
    await Promise.all(noisy.map(({ tell }) => tell()))
    await waiting(100)
    expect(await workOffAll()).toBe(100)

    await Promise.all(noisy.map(({ tell }) => tell()))
    await waiting(100)
    await quiet.tell()
    await waiting(101)
    expect(await workOffAll()).toBe(0)
    expect(receiver.at("/healthy")).toHaveLength(before + 1)
    for (const { deliveries } of noisy)
      expect((await deliveries()).map(({ status, attemptCount }) => [status, attemptCount])).toEqual(
        Array(20).fill(["pending", 0]),
      )
  }, 120_000)
})
