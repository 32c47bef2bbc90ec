import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { newAccount } from "./app.ts"
import { items } from "./aws.ts"
import { newAgent, newTask } from "./make.ts"
import { startModelServer } from "./model-server.ts"
import { type OwnStack, ownStack } from "./stack.ts"
import { untilEnded } from "./until.ts"

// One task from the API call to its output file, all parts real but the model.

const report = "# Report\n\nAll is well: ä, 漢字, 🐭.\n"

const script = [
  {
    blocks: [{ text: "I write the report." }, { tool: "write", args: { path: "output/report.md", content: report } }],
    usage: { input: 1200, output: 80, cacheRead: 300, cacheWrite: 50 },
  },
  { blocks: [{ text: "The report is in report.md." }], usage: { input: 1400, output: 12 } },
]

let app: OwnStack
let model: Awaited<ReturnType<typeof startModelServer>>
let account: Awaited<ReturnType<typeof newAccount>>
// biome-ignore lint/suspicious/noExplicitAny: bodies are read as a user's script would read them.
let task: any

beforeAll(async () => {
  model = await startModelServer(script)
  app = await ownStack({ ANTHROPIC_BASE_URL: model.url })
  account = await newAccount(app, { creditUsd: 5 })
  const agent = await newAgent(account)
  const { id } = await newTask(account, agent.id, {
    instructions: "Report on the state of things in output/report.md.\n\nBe short.",
    metadata: { ticket: "T-17" },
    overrides: { outputPolicy: { mode: "named", files: [{ name: "report.md" }] } },
  })
  task = await untilEnded(account, id)
})

afterAll(async () => {
  await app?.stop()
  await model?.close()
})

describe("a task that writes a report", () => {
  test("finishes with the agent's answer and its times in order", () => {
    expect(task).toMatchObject({
      status: "finished",
      title: "Report on the state of things in output/report.md.",
      result: "The report is in report.md.",
      error: null,
      metadata: { ticket: "T-17" },
      execution: { provider: "anthropic", model: "claude-sonnet-4-5", weakModel: "claude-sonnet-4-5" },
    })
    expect([task.createdAt, task.startedAt, task.completedAt].toSorted()).toEqual([
      task.createdAt,
      task.startedAt,
      task.completedAt,
    ])
  })

  test("leaves its output file, byte for byte, under the name that the policy asked for", async () => {
    const { body } = await account.send(`GET /tasks/${task.id}/files`)
    expect(body.data).toMatchObject([{ filename: "report.md", outputName: "report.md", sizeBytes: Buffer.byteLength(report) }])
    const download = await account.send(`GET /tasks/${task.id}/files/${body.data[0].id}`)
    expect(download.body).toBe(report)
    expect(download.headers.get("content-disposition")).toContain('filename="report.md"')
  })

  test("tells in its log what happened, newest line first", async () => {
    const { body } = await account.send(`GET /tasks/${task.id}/logs?limit=100`)
    // biome-ignore lint/suspicious/noExplicitAny: a line as a script reads it.
    const lines = body.data.map(({ source, message }: any) => `${source}: ${message}`).reverse()
    expect(lines.join("\n")).toMatch(
      /daemon: Claimed run[\s\S]*daemon: Workspace is ready[\s\S]*agent_stdout: I write the report\.[\s\S]*write[\s\S]*The report is in report\.md\./,
    )
    // biome-ignore lint/suspicious/noExplicitAny: a line as a script reads it.
    expect(body.data.every(({ attemptNumber }: any) => attemptNumber === 1)).toBe(true)
  })

  test("counts the tokens that the model said it used, and what they cost", () => {
    expect(task.tokenUsage).toMatchObject({ inputTokens: 2600, outputTokens: 92, cacheReadTokens: 300, cacheWriteTokens: 50 })
    expect(task.tokenUsage.costUsd).toBeGreaterThan(0)
  })

  test("is charged by the second, and the ledger adds up to the balance", async () => {
    const seconds = Math.ceil((Date.parse(task.completedAt) - Date.parse(task.startedAt)) / 1000)
    const micros = Math.round((seconds * 50_000) / 60)
    expect(task).toMatchObject({ costUsd: micros / 1e6, containerMinutes: seconds / 60 })

    const ledger = await items(app, `${account.accountId}#ledger`)
    expect(ledger.map(({ kind, amountMicros }) => [kind, amountMicros])).toEqual([
      ["charge", -micros],
      ["credit", 5_000_000],
      ["release", 500_000],
      ["reservation", -500_000],
    ])
    const { body } = await account.send("GET /account")
    expect(body.creditBalance).toBe((5_000_000 - micros) / 1e6)
  })

  test("has its events numbered without a gap, each announced on the bus", async () => {
    const events = await items(app, `${account.accountId}#${task.id}`, "event#")
    expect(events.map(({ sequence, type, status }) => [sequence, type, status])).toEqual([
      [1, "task.created", "pending"],
      [2, "task.turn.queued", "pending"],
      [3, "task.turn.started", "running"],
      [4, "task.turn.completed", "finished"],
      [5, "task.finished", "finished"],
    ])
    for (const { type } of events) await expect.poll(() => app.stack.counters.events.get(String(type))).toBe(1)
  })

  test("gave the model the key, and the container nothing of it", () => {
    expect(model.requests.map(({ headers }) => headers["x-api-key"])).toEqual([
      "sk-test-key-of-the-customer",
      "sk-test-key-of-the-customer",
    ])
    expect(JSON.stringify(model.requests.map(({ headers }) => headers))).not.toMatch(/DORMOUSE|bearer/i)
  })
})

describe("what it took", () => {
  test("two state transitions, and the units of the golden file for every step whose number is fixed", async () => {
    await expect.poll(() => app.stack.counters.transitions).toBe(2)
    const units = Object.fromEntries(
      [...app.stack.counters.units]
        .filter(([step]) => steps.some((name) => step === name))
        .map(([step, { write }]) => [step, write])
        .toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
    )
    await expect(
      `${JSON.stringify({ transitions: app.stack.counters.transitions, writeUnits: units }, null, 2)}\n`,
    ).toMatchFileSnapshot("../bench/golden/journey.json")
  })

  test("at most 120 write units in all, log and heartbeats included", () => {
    const written = [...app.stack.counters.units].filter(([step]) => !setUp.some((name) => step.startsWith(name)))
    expect(written.reduce((sum, [, { write }]) => sum + write, 0)).toBeLessThanOrEqual(120)
  })
})

/** Making the account and the agent is not part of a task's price. */
const setUp = ["dormouse-operate-operate", "dormouse-api-agents", "local"]

/** Log batches and heartbeats depend on how long things took; these do not. */
const steps = [
  "dormouse-api-tasks TransactWriteItems",
  "dormouse-lifecycle-run TransactWriteItems",
  "dormouse-agent-tasks TransactWriteItems",
  "dormouse-agent-outputs PutItem",
  "dormouse-gateway-models TransactWriteItems",
]
