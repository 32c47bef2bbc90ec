import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { apiOf } from "../demo/api.ts"
import { startModelServer } from "../test/model-server.ts"
import { benchAgent, startOnce } from "./stack.ts"

// `npm run bench`: how long `npm start` takes until it is ready, what the idle stack holds in memory, and how long a task takes from
// its dispatch to its first request to the model. Wall time on this machine: for a look, never for a test.

const data = mkdtempSync(join(tmpdir(), "dormouse-bench-"))
const apiKey = "ac_live_benchBenchBenchBench"

const megabytes = (pid: number) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024

/** Milliseconds from the call that dispatches a task to the model's first request, and until the task has ended. */
async function oneTask(url: string, asked: () => Promise<unknown>) {
  const api = apiOf(url, apiKey)
  const { id } = await api.post("/agents", benchAgent)
  const began = performance.now()
  const first = asked()
  const task = await api.post(`/agents/${id}/tasks`, { instructions: "Say hello." })
  await first
  const toModel = performance.now() - began
  while (!["finished", "failed"].includes((await api.get(`/tasks/${task.id}`)).status))
    await new Promise((resolve) => setTimeout(resolve, 20))
  return { toModel, toEnd: performance.now() - began }
}

let heard: () => void = () => undefined
const model = await startModelServer(() => {
  heard()
  return { blocks: [{ text: "Hello." }] }
})
const round = (value: number) => Math.round(value)

for (const which of ["first", "second"]) {
  const { child, url, milliseconds } = await startOnce({ data, apiKey, env: { ANTHROPIC_BASE_URL: model.url } })
  console.log(`${which} start: ready after ${round(milliseconds)} ms, ${round(megabytes(child.pid!))} MB resident when idle`)
  for (const task of ["cold", "warm"]) {
    const { toModel, toEnd } = await oneTask(url, () => new Promise<void>((resolve) => (heard = resolve)))
    console.log(
      `  ${task} task: first model request after ${round(toModel)} ms, ended after ${round(toEnd)} ms; ${round(megabytes(child.pid!))} MB resident`,
    )
  }
  child.kill("SIGTERM")
  await new Promise((resolve) => child.once("exit", resolve))
}
await model.close()
rmSync(data, { recursive: true, force: true })
