import { createHash } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListQueuesCommand,
  PurgeQueueCommand,
  ReceiveMessageCommand,
  type ReceiveMessageCommandInput,
  SendMessageBatchCommand,
  SendMessageCommand,
  type SendMessageCommandInput,
  SQSClient,
} from "@aws-sdk/client-sqs"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { serveJson } from "#test/json-services.ts"
import { moveTime } from "#test/time.ts"
import type { QueueWiring } from "../wiring.ts"
import { openSqs, type Sqs } from "./service.ts"

const arnOf = (name: string) => `arn:aws:sqs:us-east-1:123456789012:${name}`
const queue = (name: string, rest: Partial<QueueWiring> = {}): QueueWiring => ({
  name,
  arn: arnOf(name),
  region: "us-east-1",
  visibilitySeconds: 30,
  delaySeconds: 0,
  waitSeconds: 0,
  retentionSeconds: 345_600,
  ...rest,
})
const queues = [
  queue("work", { deadLetter: { arn: arnOf("dead"), maxReceives: 3 } }),
  queue("dead"),
  queue("slow", { delaySeconds: 60 }),
]

let folder: string
let time: ReturnType<typeof moveTime>
let sqs: Sqs
let served: Awaited<ReturnType<typeof serveJson>>
let client: SQSClient
let logged: string[]

const open = async () => {
  sqs = openSqs({ path: join(folder, "queues.sqlite"), queues, log: (line) => logged.push(line) })
  served = await serveJson(sqs)
  client = new SQSClient(served.client)
}

const close = async () => {
  client.destroy()
  sqs.close()
  await served.close()
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "dormouse-queues-"))
  time = moveTime()
  logged = []
  await open()
})

afterEach(async () => {
  await close()
  time.release()
  rmSync(folder, { recursive: true, force: true })
})

const url = (name: string) => `https://sqs.us-east-1.amazonaws.com/123456789012/${name}`
const send = (body: string, rest: Partial<SendMessageCommandInput> = {}) =>
  client.send(new SendMessageCommand({ QueueUrl: url("work"), MessageBody: body, ...rest }))
const receive = async (rest: Partial<ReceiveMessageCommandInput> = {}) => {
  const input = { QueueUrl: url("work"), MaxNumberOfMessages: 10, MessageSystemAttributeNames: ["All" as const], ...rest }
  return (await client.send(new ReceiveMessageCommand(input))).Messages ?? []
}
const bodies = async (rest: Partial<ReceiveMessageCommandInput> = {}) => (await receive(rest)).map(({ Body }) => Body)
const remove = (ReceiptHandle?: string) => client.send(new DeleteMessageCommand({ QueueUrl: url("work"), ReceiptHandle }))
const counts = async (name = "work") => {
  const { Attributes } = await client.send(new GetQueueAttributesCommand({ QueueUrl: url(name), AttributeNames: ["All"] }))
  return [Attributes?.ApproximateNumberOfMessages, Attributes?.ApproximateNumberOfMessagesNotVisible].map(Number)
}

describe("sending and receiving", () => {
  test("a message arrives as it was sent, with what SQS says of it", async () => {
    const { MessageId } = await send("über 🐭", {
      MessageAttributes: {
        kind: { DataType: "String", StringValue: "news" },
        raw: { DataType: "Binary", BinaryValue: Buffer.from([1, 2]) },
      },
      MessageGroupId: "one",
    })
    const [message] = await receive({ MessageAttributeNames: ["All"] })
    expect(message).toMatchObject({
      MessageId,
      Body: "über 🐭",
      MD5OfBody: createHash("md5").update("über 🐭").digest("hex"),
      MessageAttributes: { kind: { StringValue: "news" }, raw: { BinaryValue: new Uint8Array([1, 2]) } },
      Attributes: { ApproximateReceiveCount: "1", MessageGroupId: "one", SentTimestamp: expect.stringMatching(/^\d{13}$/) },
    })
  })

  test("MD5OfMessageAttributes is SQS's own sum", async () => {
    const { MD5OfMessageAttributes } = await send("x", {
      MessageAttributes: { name: { DataType: "String", StringValue: "value" } },
    })
    expect(MD5OfMessageAttributes).toBe(sumOf("name", "String", "value"))
  })

  test("a batch answers for each entry", async () => {
    const Entries = ["a", "b"].map((Id) => ({ Id, MessageBody: Id }))
    const { Successful } = await client.send(new SendMessageBatchCommand({ QueueUrl: url("work"), Entries }))
    expect(Successful?.map(({ Id }) => Id)).toEqual(["a", "b"])
    const messages = await receive()
    expect(messages.map(({ Body }) => Body)).toEqual(["a", "b"])
    const { Successful: gone, Failed } = await client.send(
      new DeleteMessageBatchCommand({
        QueueUrl: url("work"),
        Entries: [
          { Id: "a", ReceiptHandle: messages[0]!.ReceiptHandle },
          { Id: "b", ReceiptHandle: "nonsense" },
        ],
      }),
    )
    expect([gone?.map(({ Id }) => Id), Failed]).toMatchObject([["a"], [{ Id: "b", Code: "ReceiptHandleIsInvalid" }]])
  })

  test("queues are found by name, and say what they are", async () => {
    expect((await client.send(new GetQueueUrlCommand({ QueueName: "work" }))).QueueUrl).toBe(url("work"))
    expect((await client.send(new ListQueuesCommand({ QueueNamePrefix: "s" }))).QueueUrls).toEqual([url("slow")])
    const { Attributes } = await client.send(new GetQueueAttributesCommand({ QueueUrl: url("work"), AttributeNames: ["All"] }))
    expect(Attributes).toMatchObject({
      QueueArn: arnOf("work"),
      VisibilityTimeout: "30",
      RedrivePolicy: expect.stringContaining("dead"),
    })
  })

  test("a purged queue is empty", async () => {
    await send("a")
    await client.send(new PurgeQueueCommand({ QueueUrl: url("work") }))
    expect(await counts()).toEqual([0, 0])
  })
})

/** The sum of one text attribute, written down from SQS's documentation. */
const sumOf = (name: string, type: string, value: string) => {
  const part = (text: string) => Buffer.concat([Buffer.from([0, 0, 0, text.length]), Buffer.from(text)])
  return createHash("md5")
    .update(Buffer.concat([part(name), part(type), Buffer.from([1]), part(value)]))
    .digest("hex")
}

describe("time", () => {
  test("a message that was received comes back after the visibility timeout, one that was deleted never", async () => {
    await send("a")
    await send("b")
    const [first] = await receive()
    await remove(first!.ReceiptHandle)
    expect(await bodies()).toEqual([])
    time.advance(31_000)
    expect(await receive()).toMatchObject([{ Body: "b", Attributes: { ApproximateReceiveCount: "2" } }])
  })

  test("a receipt deletes nothing once the message was received again", async () => {
    await send("a")
    const [early] = await receive()
    time.advance(31_000)
    await receive()
    await remove(early!.ReceiptHandle)
    expect(await counts()).toEqual([0, 1])
  })

  test("visibility can be changed while a message is in flight, and only then", async () => {
    await send("a")
    const [message] = await receive()
    const change = (VisibilityTimeout: number) =>
      client.send(
        new ChangeMessageVisibilityCommand({ QueueUrl: url("work"), ReceiptHandle: message!.ReceiptHandle, VisibilityTimeout }),
      )
    await change(300)
    time.advance(31_000)
    expect(await bodies()).toEqual([])
    await change(0)
    await expect(change(10)).rejects.toMatchObject({ name: "MessageNotInflight" })
    expect(await bodies()).toEqual(["a"])
  })

  test("a delayed message comes when its time has come: its own, or the queue's", async () => {
    await send("later", { DelaySeconds: 900 })
    await send("soon", { QueueUrl: url("slow") })
    expect([await bodies(), await bodies({ QueueUrl: url("slow") })]).toEqual([[], []])
    time.advance(61_000)
    expect(await bodies({ QueueUrl: url("slow") })).toEqual(["soon"])
    time.advance(840_000)
    expect(await bodies()).toEqual(["later"])
  })

  test("a long poll answers as soon as a message is there, delayed or new, and empty at its end", async () => {
    const began = performance.now()
    const waiting = bodies({ WaitTimeSeconds: 20 })
    await send("a")
    expect(await waiting).toEqual(["a"])
    await send("b", { DelaySeconds: 5 })
    const delayed = bodies({ WaitTimeSeconds: 20 })
    time.advance(5_000)
    expect(await delayed).toEqual(["b"])
    const empty = bodies({ WaitTimeSeconds: 20 })
    // The call has to have arrived before its time can pass.
    await counts()
    time.advance(20_000)
    expect(await empty).toEqual([])
    expect(performance.now() - began).toBeLessThan(5_000)
  })

  test("what nobody fetches is forgotten after the retention period", async () => {
    await send("a")
    time.advance(345_601_000)
    expect(await bodies()).toEqual([])
    expect(await counts()).toEqual([0, 0])
  })
})

describe("what goes wrong", () => {
  test("a message that is never deleted goes to the dead-letter queue after its last receive, and is not lost", async () => {
    const { MessageId } = await send("poison")
    for (let i = 0; i < 3; i++) {
      expect(await bodies()).toEqual(["poison"])
      time.advance(31_000)
    }
    expect(await bodies()).toEqual([])
    expect(await receive({ QueueUrl: url("dead") })).toMatchObject([
      { MessageId, Body: "poison", Attributes: { DeadLetterQueueSourceArn: arnOf("work") } },
    ])
    expect(logged).toEqual([expect.stringContaining(MessageId!)])
  })

  test("everything survives a restart: what waits, what is in flight, what is delayed", async () => {
    await send("waits")
    await send("flies")
    await send("later", { DelaySeconds: 60 })
    await receive({ MaxNumberOfMessages: 1 })
    await close()
    await open()
    expect(await bodies()).toEqual(["flies"])
    time.advance(61_000)
    expect((await bodies()).toSorted()).toEqual(["flies", "later", "waits"])
  })

  test.each<[string, () => Promise<unknown>]>([
    ["QueueDoesNotExist", () => send("a", { QueueUrl: url("nowhere") })],
    ["InvalidMessageContents", () => send("\u0000")],
    ["MissingParameter", () => send("")],
    ["InvalidParameterValue", () => send("a", { DelaySeconds: 901 })],
    ["InvalidParameterValue", () => send("a".repeat(1024 ** 2 + 1))],
    ["InvalidParameterValue", () => receive({ MaxNumberOfMessages: 11 })],
    ["ReceiptHandleIsInvalid", () => remove("nonsense")],
    ["EmptyBatchRequest", () => batch([])],
    ["TooManyEntriesInBatchRequest", () => batch(Array.from({ length: 11 }, (_, i) => String(i)))],
    ["BatchEntryIdsNotDistinct", () => batch(["a", "a"])],
    [
      "InvalidAttributeName",
      () => client.send(new GetQueueAttributesCommand({ QueueUrl: url("work"), AttributeNames: ["Nonsense" as "All"] })),
    ],
  ])("%s", async (name, call) => {
    await expect(call()).rejects.toMatchObject({ name })
  })
})

const batch = (ids: string[]) =>
  client.send(new SendMessageBatchCommand({ QueueUrl: url("work"), Entries: ids.map((Id) => ({ Id, MessageBody: "x" })) }))

describe("groups of a standard queue", () => {
  test("one group with a long backlog does not keep the others waiting", async () => {
    for (let i = 0; i < 20; i++) await send(`noisy ${i}`, { MessageGroupId: "noisy" })
    await send("quiet", { MessageGroupId: "quiet" })
    await send("single")
    expect((await bodies({ MaxNumberOfMessages: 3 })).toSorted()).toEqual(["noisy 0", "quiet", "single"])
  })

  test("a group with many messages in flight comes last", async () => {
    for (let i = 0; i < 5; i++) await send(`busy ${i}`, { MessageGroupId: "busy" })
    await receive({ MaxNumberOfMessages: 3 })
    await send("fresh", { MessageGroupId: "fresh" })
    expect(await bodies({ MaxNumberOfMessages: 1 })).toEqual(["fresh"])
  })
})
