import { mkdtempSync, readFileSync } from "node:fs"
import { rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { findBubblewrap, startSandboxed } from "./bubblewrap.ts"
import { type Launch, nodePath } from "./launch.ts"
import { mostProcesses } from "./limits.ts"

export type Isolation = "bubblewrap" | "none"

export interface Detected {
  isolation: Isolation
  /** Why bubblewrap is not used although it was wanted. */
  reason?: string
}

/** Runs a container that does nothing. The answer is what went wrong, if anything did. */
const tryBubblewrap = async (): Promise<string | undefined> => {
  if (!findBubblewrap()) return "bwrap is not on the PATH; install bubblewrap to isolate tasks"
  const folder = mkdtempSync(join(tmpdir(), "dormouse-isolation-"))
  const log = join(folder, "log")
  const command = [nodePath, "-e", "require('fs').writeFileSync('/workspace/works', '')"]
  const launch: Launch = {
    taskId: "isolation",
    command,
    environment: {},
    folder,
    taskImage: import.meta.dirname,
    data: folder,
    limits: { memory: 512, processes: mostProcesses },
    log,
  }
  try {
    const { exitCode } = await startSandboxed(launch).exited
    return exitCode === 0 ? undefined : `bwrap does not work here: ${readFileSync(log, "utf8").trim() || `exit code ${exitCode}`}`
  } catch (error) {
    return `bwrap does not work here: ${String(error)}`
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * How tasks can be isolated on this machine, by really trying it. `auto` falls back to none, with the reason; `bubblewrap` throws
 * where it does not work, since who asks for isolation must not go without.
 */
export const detectIsolation = async (wanted: "auto" | Isolation): Promise<Detected> => {
  if (wanted === "none") return { isolation: "none" }
  const reason = await tryBubblewrap()
  if (!reason) return { isolation: "bubblewrap" }
  if (wanted === "bubblewrap") throw new Error(reason)
  return { isolation: "none", reason }
}
