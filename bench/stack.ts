import { spawn } from "node:child_process"
import { join } from "node:path"

/** What benches of the whole stack share. */

const root = join(import.meta.dirname, "..")

interface Start {
  data: string
  apiKey: string
  env: Record<string, string>
}

/** Starts the stack as a user does; answers when it says that it is ready. */
export async function startOnce({ data, apiKey, env }: Start) {
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

export const benchAgent = {
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
