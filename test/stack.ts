import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startStack } from "../local/stack.ts"
import type { App } from "./app.ts"

/** A stack of a test's own: to move its time, to look at its counters, to kill what it runs. */
export const ownStack = async (env: Record<string, string> = {}, data = mkdtempSync(join(tmpdir(), "dormouse-test-"))) => {
  const wiring = JSON.parse(readFileSync(join(import.meta.dirname, "../infra/wiring.json"), "utf8"))
  const stack = await startStack({ wiring, data, isolation: "none", env })
  const app: App = {
    apiUrl: stack.apiUrl,
    awsUrl: stack.awsUrl,
    operate: async (operation) => (await stack.invoke("dormouse-operate-operate", operation)) as Record<string, string>,
  }
  return {
    ...app,
    stack,
    data,
    stop: async () => {
      await stack.stop()
      rmSync(data, { recursive: true, force: true })
    },
  }
}

export type OwnStack = Awaited<ReturnType<typeof ownStack>>
