import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, watch, writeFileSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { build } from "../../build/bundle.ts"
import { apiOf } from "../../demo/api.ts"
import { startStack } from "../../local/stack.ts"
import { benchAgent } from "../stack.ts"
import type { System } from "./system.ts"

/** The whole of this project on the embedded AWS, with containers that do nothing but tell that they have begun. */

const root = join(import.meta.dirname, "../..")
const apiKey = "ac_live_benchBenchBenchBench"

/** In place of the daemon: says the token with which its run is claimed, and ends when it is told that its run has. */
const noOp = (told: string) => `
  run="${told}/$DORMOUSE_RUN_ID"
  mkfifo "$run.end"
  printf '%s' "$DORMOUSE_CLAIM_TOKEN" >"$run.new" && mv "$run.new" "$run"
  read -r _ <"$run.end"
`

const digest = async (text: string) =>
  Buffer.from(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))).toString("hex")

export const openOurs = async (): Promise<System> => {
  const data = mkdtempSync(join(tmpdir(), "dormouse-bench-"))
  const [bundles, told] = [join(data, "bundles"), join(data, "told")]
  for (const folder of [join(bundles, "task-image"), told]) mkdirSync(folder, { recursive: true })
  symlinkSync(join((await build(root)).folder, "functions"), join(bundles, "functions"))
  writeFileSync(join(bundles, "task-image", "start.sh"), noOp(told))
  const wiring = JSON.parse(readFileSync(join(root, "infra/wiring.json"), "utf8"))
  const stack = await startStack({ wiring, data, bundles, isolation: "none" })
  await stack.invoke("dormouse-operate-operate", { operation: "ensureAccount", apiKey, name: "Bench", creditUsd: 1000 })
  const api = apiOf(stack.apiUrl, apiKey)
  const { id: agentId } = await api.post("/agents", benchAgent)

  /** As the daemon of a run does. */
  const post = async (token: string, call: string, body: object) => {
    const response = await fetch(`${stack.apiUrl}/api/agent/tasks/${call}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    })
    if (!response.ok) throw new Error(`${call} answered ${response.status}: ${await response.text()}`)
    return response.json() as Promise<{ claim: { run: { attempt: number }; task: { id: string } } }>
  }
  const done = new Map<string, () => void>()
  const follow = async (runId: string) => {
    const token = `bench-${runId}`.padEnd(43, "0")
    const { claim } = await post(readFileSync(join(told, runId), "utf8"), "claim-next", { run_token_hash: await digest(token) })
    if (claim.run.attempt === 1) {
      const until = new Date(Date.now() + 86_400_000).toISOString()
      await post(token, `${runId}/release`, { to: "hibernate", until, reason: "To be woken." })
      await api.post(`/tasks/${claim.task.id}/wake`, { kind: "external_wake" })
    } else {
      await post(token, `${runId}/complete`, { result: "Done." })
      done.get(claim.task.id)?.()
    }
    await writeFile(join(told, `${runId}.end`), "\n")
  }
  const seen = new Set<string>()
  const watcher = watch(told, (_, name) => {
    if (!name || name.includes(".") || seen.has(name)) return
    seen.add(name)
    // What goes wrong ends the bench: nobody handles it.
    void follow(name)
  })
  const one = async () => {
    const { id } = await api.post(`/agents/${agentId}/tasks`, { instructions: "Do nothing." })
    await new Promise<void>((resolve) => done.set(id, resolve))
  }
  return {
    name: "Dormouse",
    one,
    close: async () => {
      watcher.close()
      await stack.stop()
      rmSync(data, { recursive: true, force: true })
    },
    counts: () => ({
      transitions: stack.counters.transitions,
      writeUnits: [...stack.counters.units.values()].reduce((sum, { write }) => sum + write, 0),
    }),
  }
}
