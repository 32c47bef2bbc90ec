import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { apiOf } from "../demo/api.ts"
import { startModelServer } from "../test/model-server.ts"

// `npm run bench`: how long `npm start` takes until it is ready, what the idle stack holds in memory, and how long a task takes from
// its dispatch to its first request to the model. Wall time on this machine: for a look, never for a test.

const root = join(import.meta.dirname, "..")
const data = mkdtempSync(join(tmpdir(), "dormouse-bench-"))
const apiKey = "ac_live_benchBenchBenchBench"

/** Starts the stack as a user does; answers when it says that it is ready. */
async function start(env: Record<string, string>) {
  const began = performance.now()
  const child = spawn(process.execPath, ["local/main.ts", "--port", "0", "--aws-port", "0", "--data", data], {
    cwd: root,
    env: { ...process.env, DORMOUSE_API_KEY: apiKey, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  })
  let said = ""
  for await (const chunk of child.stdout) {
    said += chunk
    const url = /ready at (http:\S+)/.exec(said)?.[1]
    if (url) return { child, url, milliseconds: performance.now() - began }
  }
  throw new Error(`The stack did not start:\n${said}`)
}

const megabytes = (pid: number) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024

const agent = {
  name: "Bench",
  runtime: { containerImage: "debian:12", agentRuntime: "pi" },
  basePrompt: "You answer.",
  defaults: {
    provider: "anthropic",
    providerApiKey: "sk-bench",
    model: "claude-sonnet-4-5",
    internetAccess: true,
    maxRuntimeSeconds: 600,
    outputPolicy: { mode: "any" },
    runtimeRegion: "any",
  },
}

/** Milliseconds from the call that dispatches a task to the model's first request, and until the task has ended. */
async function oneTask(url: string, asked: () => Promise<unknown>) {
  const api = apiOf(url, apiKey)
  const { id } = await api.post("/agents", agent)
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
  const { child, url, milliseconds } = await start({ ANTHROPIC_BASE_URL: model.url })
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
