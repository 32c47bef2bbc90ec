import { readdirSync, readFileSync } from "node:fs"
import { vi } from "vitest"
import type { App } from "./app.ts"
import { items } from "./aws.ts"

/** Kills the container of a task's latest attempt without a word, as a failing host would. */
export const killContainer = async (app: App, accountId: string, taskId: string) => {
  const runs = await items(app, `${accountId}#${taskId}`, "run#")
  const { runId } = runs.toSorted((a, b) => a.attempt - b.attempt).at(-1)!
  const pid = await vi.waitFor(() => {
    const found = processes().find(({ environment }) => environment.includes(`DORMOUSE_RUN_ID=${runId}`))
    if (!found) throw new Error(`No process has the run ${runId}`)
    return found.pid
  })
  process.kill(pid, "SIGKILL")
}

/** The processes whose environment may be read. */
const processes = () =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        return [{ pid: Number(name), environment: readFileSync(`/proc/${name}/environ`, "utf8").split("\0") }]
      } catch {
        // It ended while we looked, or is not ours to look at.
        return []
      }
    })
