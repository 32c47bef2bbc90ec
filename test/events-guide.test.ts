import { readFileSync } from "node:fs"
import { EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge"
import { ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs"
import { afterAll, beforeAll, expect, test } from "vitest"
import { withSchema } from "../openapi/events-guide.ts"
import { configOf } from "./aws.ts"
import { type OwnStack, ownStack } from "./stack.ts"

const guide = readFileSync(new URL("../docs/events.md", import.meta.url), "utf8")
const patterns = [
  ...guide
    .split("## Patterns")[1]!
    .split("\n## ")[0]!
    .matchAll(/```json\n(.*?)```/gs),
].map(([, text]) => JSON.parse(text!) as Record<string, unknown>)

const detail = {
  accountId: "acc_02",
  taskId: "tsk_01",
  agentId: "agt_02",
  mode: "autonomous",
  status: "running",
  turnNumber: null,
  sequence: 1,
  metadata: {},
}
/** Which of the guide's patterns an event has to match. */
const events: { type: string; detail?: object; matches: number[] }[] = [
  { type: "task.failed", detail: { status: "failed" }, matches: [0, 4] },
  { type: "task.created", detail: { accountId: "acc_01", status: "pending" }, matches: [1] },
  { type: "task.awaiting_input", detail: { agentId: "agt_01", mode: "conversation", status: "awaiting_input" }, matches: [2] },
  { type: "task.awaiting_input", detail: { agentId: "agt_03", mode: "conversation", status: "awaiting_input" }, matches: [] },
  { type: "task.turn.started", detail: { metadata: { team: "red" } }, matches: [3] },
  { type: "task.turn.started", detail: { metadata: { team: "blue-two" } }, matches: [3] },
  { type: "task.turn.started", detail: { metadata: { team: "green" } }, matches: [] },
  { type: "task.finished", detail: { status: "finished" }, matches: [4] },
  { type: "task.cancelled", detail: { status: "cancelled" }, matches: [] },
]

const queueOf = (pattern: number) => `arn:aws:sqs:us-east-1:000000000000:sample-${pattern}`
let app: OwnStack

beforeAll(async () => {
  app = await ownStack({}, undefined, {
    idle: true,
    rewire: (wiring) => {
      const [arn, bus] = Object.entries(wiring.buses).find(([, { name }]) => name === "dormouse-domain")!
      const rules = patterns.map((pattern, i) => ({
        name: `sample-${i}`,
        arn: `${arn.replace("event-bus", "rule")}/sample-${i}`,
        pattern,
        targets: [{ arn: queueOf(i) }],
      }))
      const queues = patterns.map((_, i) => ({ ...wiring.queues[0]!, name: `sample-${i}`, arn: queueOf(i) }))
      return {
        ...wiring,
        buses: { ...wiring.buses, [arn]: { ...bus, rules: [...bus.rules, ...rules] } },
        queues: [...wiring.queues, ...queues],
      }
    },
  })
})

afterAll(() => app.stop())

test("the guide shows the detail as it is today; `npm run openapi` writes it anew", () => {
  expect(withSchema(guide)).toBe(guide)
})

test("the patterns of the guide find the events that they say, and no others", async () => {
  expect(patterns).toHaveLength(5)
  const Entries = events.map(({ type, detail: rest }, i) => ({
    EventBusName: "dormouse-domain",
    Source: "dormouse.tasks",
    DetailType: type,
    Detail: JSON.stringify({ ...detail, id: `evt_${i}`, occurredAt: "2026-01-01T00:00:00.000Z", ...rest }),
  }))
  await new EventBridgeClient(configOf(app)).send(new PutEventsCommand({ Entries }))
  const sqs = new SQSClient({ ...configOf(app), useQueueUrlAsEndpoint: false })
  const found = new Map<number, Set<string>>(patterns.map((_, i) => [i, new Set()]))
  const collect = async () => {
    for (const [pattern, ids] of found) {
      const QueueUrl = `https://sqs.us-east-1.amazonaws.com/000000000000/sample-${pattern}`
      const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }))
      for (const { Body } of Messages) ids.add(JSON.parse(Body!).detail.id)
    }
    return [...found].map(([, ids]) => [...ids].toSorted())
  }
  const wanted = patterns.map((_, i) => events.flatMap(({ matches }, event) => (matches.includes(i) ? [`evt_${event}`] : [])))
  await expect.poll(collect, { timeout: 10_000 }).toEqual(wanted)
})
