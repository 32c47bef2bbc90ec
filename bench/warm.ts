import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { apiOf } from "../demo/api.ts"
import { startModelServer } from "../test/model-server.ts"
import { benchAgent, startOnce } from "./stack.ts"

// `npm run bench:warm`: how long it takes from a message to a conversation whose container is still there until the model is asked, which
// is where the turn begins. Wall time on this machine: for a look, never for a test.

const turns = 30
const data = mkdtempSync(join(tmpdir(), "dormouse-bench-"))
const apiKey = "ac_live_benchBenchBenchBench"

let asked: () => void = () => undefined
const model = await startModelServer(() => {
  asked()
  return { blocks: [{ text: "Yes." }] }
})
const { child, url } = await startOnce({ data, apiKey, env: { ANTHROPIC_BASE_URL: model.url } })
const api = apiOf(url, apiKey)

const { id: agentId } = await api.post("/agents", benchAgent)
const {
  task: { id },
} = await api.post(`/agents/${agentId}/conversations`, { instructions: "Answer.", message: "Are you there?" })
const isWaiting = async () => {
  while ((await api.get(`/tasks/${id}`)).status !== "awaiting_input") await new Promise((resolve) => setTimeout(resolve, 20))
}

const times: number[] = []
for (let turn = 0; turn < turns; turn++) {
  await isWaiting()
  const begun = new Promise<void>((resolve) => {
    asked = resolve
  })
  const from = performance.now()
  await api.post(`/conversations/${id}/messages`, { content: `And now, for time ${turn}?` })
  await begun
  times.push(performance.now() - from)
}
const sorted = times.toSorted((a, b) => a - b)
const at = (share: number) => Math.round(sorted[Math.min(turns - 1, Math.floor(turns * share))]!)
console.log(
  `From a message to the model's next request, in ${turns} warm turns: median ${at(0.5)} ms, p90 ${at(0.9)} ms, longest ${at(1)} ms`,
)

child.kill("SIGTERM")
await new Promise((resolve) => child.once("exit", resolve))
await model.close()
rmSync(data, { recursive: true, force: true })
