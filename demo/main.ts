import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { styleText } from "node:util"
import { build } from "../build/bundle.ts"
import { sleep } from "../core/clock.ts"
import { startStack } from "../local/stack.ts"
import { startModelServer } from "../test/model-server.ts"
import { type Api, apiOf } from "./api.ts"
import { byHand } from "./by-hand.ts"
import { script } from "./script.ts"

// `npm run demo`: the main job before a newcomer's eyes. A scripted server speaks in the model's place, in the provider's own wire
// format; everything else is what is deployed.

const root = join(import.meta.dirname, "..")
const data = mkdtempSync(join(tmpdir(), "dormouse-demo-"))
const apiKey = "ac_live_demoDemoDemoDemo"

const say = (text = "") => console.log(text)
const step = (text: string) => say(`\n${styleText("bold", `▸ ${text}`)}`)

const model = await startModelServer(script)
await build(root)
const stack = await startStack({
  wiring: JSON.parse(readFileSync(join(root, "infra/wiring.json"), "utf8")),
  data,
  env: { ANTHROPIC_BASE_URL: model.url },
})

try {
  await stack.invoke("dormouse-operate-operate", { operation: "ensureAccount", apiKey, name: "Demo", creditUsd: 5 })
  await show(apiOf(stack.apiUrl, apiKey))
  say(byHand("http://localhost:3000"))
} finally {
  await stack.stop()
  await model.close()
  rmSync(data, { recursive: true, force: true })
}

async function show(api: Api) {
  step("An agent is a prompt, an image and its limits: POST /agents")
  const agent = await api.post("/agents", {
    name: "Reporter",
    runtime: { containerImage: "debian:12", agentRuntime: "pi" },
    basePrompt: "You look at the facts before you write, and you write short reports.",
    defaults: {
      provider: "anthropic",
      providerApiKey: "sk-ant-the-container-never-sees-this",
      model: "claude-sonnet-4-5",
      internetAccess: true,
      maxRuntimeSeconds: 600,
      outputPolicy: { mode: "named", files: [{ name: "report.md" }] },
      runtimeRegion: "any",
    },
  })
  say(`  ${agent.id}, version ${agent.currentVersion.number}`)

  step("A task is a piece of work for it: POST /agents/{agentId}/tasks")
  const { id } = await api.post(`/agents/${agent.id}/tasks`, { instructions: "Report on this machine in output/report.md." })
  say(`  ${id}`)

  step("It runs in its own container; status and log as they come:")
  const task = await follow(api, id)

  step("What came of it: GET /tasks/{taskId}")
  say(`  ${task.status}: ${task.result ?? task.error}`)
  const { inputTokens, outputTokens, costUsd } = task.tokenUsage ?? { inputTokens: 0, outputTokens: 0, costUsd: 0 }
  say(
    `  container $${task.costUsd} for ${Math.round(task.containerMinutes * 60)} s; model ${inputTokens} + ${outputTokens} tokens, $${costUsd}`,
  )

  const files = await api.get(`/tasks/${id}/files`)
  for (const file of files.data) {
    step(`Its output file ${file.filename}: GET /tasks/{taskId}/files/{fileId}`)
    say((await api.text(`/tasks/${id}/files/${file.id}`)).replace(/^/gm, "  "))
  }
  if (task.status !== "finished") process.exitCode = 1
}

/** Prints each change of status and each line of the log once, until the task has ended. Answers the task. */
async function follow(api: Api, taskId: string) {
  let status = ""
  let shown = 0
  for (;;) {
    const task = await api.get(`/tasks/${taskId}`)
    if (task.status !== status) say(`  ${styleText("cyan", task.status)}`)
    status = task.status
    const { data: lines } = await api.get(`/tasks/${taskId}/logs?limit=100`)
    for (const line of lines.slice(0, lines.length - shown).reverse())
      say(`  ${styleText("dim", line.source.padEnd(12))} ${line.message}`)
    shown = lines.length
    if (["finished", "failed"].includes(status)) return task
    await sleep(200)
  }
}
