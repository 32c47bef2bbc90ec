import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { newAccount } from "./app.ts"
import type { Task } from "./container.ts"
import { newTask } from "./make.ts"
import { type ModelRequest, type Step, startModelServer } from "./model-server.ts"
import { type OwnStack, ownStack } from "./stack.ts"
import { untilEnded } from "./until.ts"

// Each standard agent on a real task of its kind, all parts real but the model, and a fork of one with everything overridden.

let app: OwnStack
let model: Awaited<ReturnType<typeof startModelServer>>
let account: Awaited<ReturnType<typeof newAccount>>
const ofStandardAgents = new Map<string, Task>()

const write = (path: string, content: string) => ({ tool: "write", args: { path, content } })
const bash = (command: string) => ({ tool: "bash", args: { command } })

const slug = `#!/bin/sh\nprintf '%s' "$1" | tr 'A-Z ' 'a-z-'\n`
const slugTest = `[ "$(sh output/slug.sh 'Hello World')" = hello-world ] && echo "1 passed"\n`

const minutes = "# Minutes\n\nAda: ship on Friday.\n\nBo: ship on Monday.\n"
const summary = "# Summary\n\nThe minutes name two dates for the release: Friday (Ada) and Monday (Bo).\n"

const sales = "region,amount\nnorth,10\nsouth,32\nnorth,5\n"
const totals = `awk -F, 'NR > 1 { sum[$1] += $2 } END { for (r in sum) print r "," sum[r] }' sales.csv | sort > output/totals.csv`

/** What the model says in each task, by a word in its instructions. */
const scripts: Record<string, Step[]> = {
  slug: [
    { blocks: [write("output/slug.sh", slug), write("output/slug.test.sh", slugTest)] },
    { blocks: [bash("sh output/slug.test.sh | tee output/test.log")] },
    { blocks: [{ text: "The script makes slugs; its test passes." }] },
  ],
  minutes: [
    { blocks: [write("minutes.md", minutes)] },
    { blocks: [bash("grep -c ship minutes.md")] },
    { blocks: [write("output/summary.md", summary)] },
    { blocks: [{ text: "The minutes contradict each other about the date." }] },
  ],
  totals: [
    { blocks: [write("sales.csv", sales)] },
    { blocks: [write("output/totals.sh", `${totals}\n`)] },
    { blocks: [bash("sh output/totals.sh && cat output/totals.csv")] },
    { blocks: [{ text: "South leads with 32." }] },
  ],
  override: [{ blocks: [write("output/answer.txt", "42\n")] }, { blocks: [{ text: "42." }] }],
}

const kinds = [
  ["agt_standard_coding", "slug"],
  ["agt_standard_documents", "minutes"],
  ["agt_standard_data", "totals"],
] as const

const wordIn = ({ body }: ModelRequest) => Object.keys(scripts).find((word) => JSON.stringify(body).includes(`Task: ${word}`))
const requestsOf = (word: string) => model.requests.filter((request) => wordIn(request) === word)

beforeAll(async () => {
  model = await startModelServer((request) => {
    const word = wordIn(request) ?? ""
    return scripts[word]?.[requestsOf(word).length - 1] ?? { status: 500, error: `No step for ${word}` }
  })
  app = await ownStack({ ANTHROPIC_BASE_URL: model.url, OPENROUTER_BASE_URL: model.url })
  account = await newAccount(app)
  await account.send("PATCH /account", { providerApiKeys: { anthropic: "sk-account", openrouter: "sk-account-openrouter" } })
  await Promise.all(kinds.map(async ([agentId, word]) => ofStandardAgents.set(word, await ended(agentId, word))))
}, 180_000)

afterAll(async () => {
  await app?.stop()
  await model?.close()
})

const ended = async (agentId: string, word: string, more: object = {}) => {
  const { id } = await newTask(account, agentId, { instructions: `Task: ${word}`, ...more })
  return untilEnded(account, id)
}

/** The outputs of a task by their names. */
const outputsOf = async (taskId: string) => {
  const { body } = await account.send(`GET /tasks/${taskId}/files`)
  const read = async ({ id, filename }: { id: string; filename: string }) =>
    [filename, (await account.send(`GET /tasks/${taskId}/files/${id}`)).body] as const
  return Object.fromEntries(await Promise.all(body.data.map(read)))
}

describe("the standard agents", () => {
  test.each([
    ["agt_standard_coding", "slug", { "slug.sh": slug, "slug.test.sh": slugTest, "test.log": "1 passed\n" }],
    ["agt_standard_documents", "minutes", { "summary.md": summary }],
    ["agt_standard_data", "totals", { "totals.csv": "north,15\nsouth,32\n", "totals.sh": `${totals}\n` }],
  ])("%s does a task of its kind, with its own prompt and model and the account's key", async (agentId, word, outputs) => {
    const task = ofStandardAgents.get(word)
    expect(task).toMatchObject({ status: "finished", error: null, result: scripts[word]!.map(lastWords).at(-1) })
    expect(await outputsOf(task.id)).toEqual(outputs)

    const { currentVersion } = (await account.send(`GET /agents/${agentId}`)).body
    expect(task).toMatchObject({ agentVersionId: currentVersion.id, containerVersionId: currentVersion.containerVersionId })
    const [{ headers, body }] = requestsOf(word) as [ModelRequest]
    expect(headers["x-api-key"]).toBe("sk-account")
    expect(body.model).toBe(currentVersion.defaults.model)
    expect(systemOf(body)).toContain(JSON.stringify(currentVersion.basePrompt).slice(1, -1))
  })
})

describe("a fork with overrides", () => {
  test("runs on what the task says: its prompt in place of the agent's, its provider, its model, its outputs", async () => {
    const { body: fork } = await account.send("POST /agents/agt_standard_data/fork", { name: "Mine" })
    const overrides = {
      basePrompt: "You answer with one number.",
      provider: "openrouter",
      model: "acme/oracle",
      outputPolicy: { mode: "named", files: [{ name: "answer.txt" }] },
    }
    const task = await ended(fork.id, "override", { overrides })
    expect(task).toMatchObject({
      status: "finished",
      agentName: "Mine",
      result: "42.",
      overrides,
      execution: { provider: "openrouter", model: "acme/oracle", weakModel: "acme/oracle" },
    })
    expect(await outputsOf(task.id)).toEqual({ "answer.txt": "42\n" })
    const [{ url, headers, body }] = requestsOf("override") as [ModelRequest]
    expect(url).toBe("/api/v1/chat/completions")
    expect(headers.authorization).toBe("Bearer sk-account-openrouter")
    expect(body.model).toBe("acme/oracle")
    expect(systemOf(body)).toContain("You answer with one number.")
    expect(systemOf(body)).not.toContain("data analyst")
  })
})

const lastWords = (step: Step) => ("blocks" in step && step.blocks[0] && "text" in step.blocks[0] ? step.blocks[0].text : "")

/** What the model is told about itself, as JSON: each format has its own place for it. */
const systemOf = (body: Record<string, unknown>) => JSON.stringify(body.system ?? (body.messages as unknown[])[0])
