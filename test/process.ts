import { vi } from "vitest"
import type { App } from "./app.ts"
import { items } from "./aws.ts"
import { marked } from "./processes.ts"

/** Kills the container of a task's latest attempt without a word, as a failing host would. */
export const killContainer = async (app: App, accountId: string, taskId: string) => {
  const runs = await items(app, `${accountId}#${taskId}`, "run#")
  const { runId } = runs.toSorted((a, b) => a.attempt - b.attempt).at(-1)!
  const pid = await vi.waitFor(() => {
    const found = marked("DORMOUSE_RUN_ID").find(({ value }) => value === runId)
    if (!found) throw new Error(`No process has the run ${runId}`)
    return found.pid
  }, 10_000)
  process.kill(pid, "SIGKILL")
}
