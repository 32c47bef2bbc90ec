import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Webhook } from "standardwebhooks"
import { build } from "../build/bundle.ts"
import { appOf, newAccount } from "../test/app.ts"
import { type Aws, items } from "../test/aws.ts"
import { useAwsOf } from "../test/core-env.ts"
import { hanging, startReceiver } from "../test/receiver.ts"
import { ownStack } from "../test/stack.ts"

// `npm run bench:webhooks`: the processor time of a delivery beside that of a bare loop of signed requests, and how long a delivery takes
// beside a hundred receivers that hang and without them. Stack, receiver and function are processes of their own. Writes
// `golden/webhooks.json`.

type Ready = Aws & { apiUrl: string }
interface Cost {
  /** Of this process, for one delivery. */
  milliseconds: number
  /** Of all of them. */
  seconds: number
}

const deliveries = 500
const samples = 1_000

/** The stack. Where nobody empties its queues, the bench delivers by itself. */
async function beStack(isConsumed: boolean) {
  const data = mkdtempSync(join(tmpdir(), "dormouse-bench-"))
  const { apiUrl, awsUrl, credentials } = await ownStack({}, data, {
    idle: true,
    rewire: (wiring) => ({
      ...wiring,
      eventSources: wiring.eventSources.filter(({ source }) => isConsumed || !source.startsWith("arn:aws:sqs:")),
    }),
  })
  process.send?.({ apiUrl, awsUrl, credentials })
}

/** The receiver, which tells when each request to `/timed` came. */
async function beReceiver() {
  const { url } = await startReceiver({
    "/hangs": hanging,
    "/timed": (_, response) => {
      response.writeHead(204).end()
      process.send?.({ at: Date.now() })
    },
  })
  process.send?.({ url })
}

type Work = (batch: number[]) => Promise<unknown>

/** What pieces of work cost, ten at a time, as a function gets them. They take turns, so that each has the same machine. */
async function measured<Name extends string>(works: Record<Name, Work>): Promise<Record<Name, Cost>> {
  const names = Object.keys(works) as Name[]
  const costs = Object.fromEntries(names.map((name) => [name, { milliseconds: 0, seconds: 0 }])) as Record<Name, Cost>
  for (let i = 0; i < deliveries; i += 10) {
    for (const name of names) {
      const [began, before] = [performance.now(), process.cpuUsage()]
      await works[name](Array.from({ length: 10 }, (_, j) => i + j))
      const { user, system } = process.cpuUsage(before)
      costs[name].milliseconds += (user + system) / 1000 / deliveries
      costs[name].seconds += (performance.now() - began) / 1000
    }
  }
  return costs
}

type Handler = (event: object) => Promise<{ batchItemFailures: unknown[] }>

/** A function's own bundle, as Lambda would load it, given the messages of a queue. */
const functionOf = (name: string) => {
  const { handler } = createRequire(import.meta.url)(`../dist/functions/reactions/${name}/index.cjs`) as { handler: Handler }
  return async (bodies: object[]) => {
    const attributes = { ApproximateReceiveCount: "1" }
    const Records = bodies.map((body, i) => ({ messageId: String(i), body: JSON.stringify(body), attributes }))
    const { batchItemFailures } = await handler({ Records })
    if (batchItemFailures.length) throw new Error(`${name} failed with ${batchItemFailures.length} messages`)
  }
}

const detail = {
  taskId: "tsk_bench",
  agentId: "agt_bench",
  mode: "autonomous",
  status: "finished",
  turnNumber: null,
  metadata: { order: 7 },
}

/** What a delivery costs the function that makes it, and what the request alone costs. Nothing else runs in this process. */
async function beFunction(stack: Ready, receiver: string) {
  const app = appOf(stack)
  useAwsOf(app, "dormouse-reactions-deliver")
  const fanout = functionOf("fanout")
  const eventAt = (i: number, accountId: string) => ({
    "detail-type": "task.finished",
    detail: { ...detail, id: `evt_${i}`, accountId, sequence: i + 1, occurredAt: new Date(Date.now() + i).toISOString() },
  })
  const deliver = functionOf("deliver")
  const webhook = new Webhook(`whsec_${Buffer.alloc(32, 7).toString("base64")}`)
  const body = JSON.stringify({ type: "task.finished", timestamp: new Date().toISOString(), data: detail })
  const bare = (batch: number[]) =>
    Promise.all(
      batch.map(async (i) => {
        const [id, at] = [`evt_${i}`, new Date()]
        const headers = {
          "content-type": "application/json",
          "webhook-id": id,
          "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
          "webhook-signature": webhook.sign(id, at, body),
        }
        const { status } = await fetch(`${receiver}/plain`, { method: "POST", headers, body })
        if (status !== 204) throw new Error(`The receiver answered ${status}`)
      }),
    )
  const round = async () => {
    const { accountId, send } = await newAccount(app)
    await send("POST /webhooks", { url: `${receiver}/plain` })
    await measured({ fanout: (batch) => fanout(batch.map((i) => eventAt(i, accountId))) })
    const messages = (await items(app, `${accountId}#deliveries`)).map(({ webhookId, deliveryId }) => ({
      accountId,
      webhookId,
      deliveryId,
      attempt: 0,
      isSlow: false,
    }))
    return measured({ request: bare, delivery: (batch) => deliver(batch.map((i) => messages[i]!)) })
  }
  // The first rounds are for the compiler, as a function that delivers lives for hours.
  for (let i = 0; i < 10; i++) await round()
  process.send?.(await round())
}

const children: ChildProcess[] = []

async function child<Message>(...args: string[]) {
  const started = fork(import.meta.filename, args, { stdio: ["ignore", "ignore", "inherit", "ipc"] })
  children.push(started)
  const [message] = (await once(started, "message")) as [Message]
  return { ...message, process: started }
}

/** Milliseconds from the call that asks for a delivery to its arrival: half of them took no longer, and 99 in a hundred. */
async function latency(receiver: { process: ChildProcess }, tell: () => Promise<unknown>) {
  const times: number[] = []
  for (let i = 0; i < samples; i++) {
    const began = Date.now()
    const arrived = once(receiver.process, "message") as Promise<[{ at: number }]>
    await tell()
    times.push((await arrived)[0].at - began)
  }
  const sorted = times.toSorted((a, b) => a - b)
  return { p50: sorted[samples / 2]!, p99: sorted[Math.floor(samples * 0.99) - 1]! }
}

async function neighbours(receiver: { url: string; process: ChildProcess }) {
  const app = appOf(await child<Ready>("stack", "consumed"))
  const webhooksOf = async (path: string, count: number) => {
    const account = await newAccount(app)
    const made = await Promise.all(
      Array.from({ length: count }, () => account.send("POST /webhooks", { url: `${receiver.url}${path}` })),
    )
    return () => Promise.all(made.map(({ body }) => account.send(`POST /webhooks/${body.webhook.id}/test`)))
  }
  const tell = await webhooksOf("/timed", 1)
  await latency(receiver, tell)
  const alone = await latency(receiver, tell)
  for (let i = 0; i < 5; i++) await (await webhooksOf("/hangs", 20))()
  // Each of them holds up a function once, for three seconds, before it is known.
  await new Promise((resolve) => setTimeout(resolve, 25_000))
  return { alone, beside: await latency(receiver, tell) }
}

async function main() {
  await build(join(import.meta.dirname, ".."))
  const receiver = await child<{ url: string }>("receiver")
  const { process: idle, ...stack } = await child<Ready>("stack", "unread")
  const { request, delivery } = await child<Record<"request" | "delivery", Cost>>("function", JSON.stringify(stack), receiver.url)
  idle.kill()
  const show = (name: string, { milliseconds, seconds }: Cost) =>
    console.log(
      `${name.padEnd(26)} ${milliseconds.toFixed(2)} ms of processor time, ${(deliveries / seconds).toFixed(0)} a second`,
    )
  show("a signed request", request)
  show("a delivery", delivery)
  const { alone, beside } = await neighbours(receiver)
  for (const [name, { p50, p99 }] of Object.entries({ alone, "beside a hundred that hang": beside }))
    console.log(`${name.padEnd(26)} p50 ${p50} ms, p99 ${p99} ms`)
  const ratios = {
    cpuBesideSignedPost: delivery.milliseconds / request.milliseconds,
    throughputBesideSignedPost: request.seconds / delivery.seconds,
    p99BesideHanging: beside.p99 / alone.p99,
  }
  const rounded = Object.fromEntries(Object.entries(ratios).map(([name, ratio]) => [name, Number(ratio.toFixed(2))]))
  console.log(rounded)
  writeFileSync(join(import.meta.dirname, "golden", "webhooks.json"), `${JSON.stringify(rounded, null, 2)}\n`)
}

const [, , role, ...args] = process.argv
if (role === "stack") await beStack(args[0] === "consumed")
else if (role === "receiver") await beReceiver()
else if (role === "function") await beFunction(JSON.parse(args[0]!), args[1]!)
else
  await main().finally(() => {
    for (const one of children) one.kill()
  })
