import { spawn } from "node:child_process"
import { after } from "../../core/clock.ts"
import type { User } from "./isolation.ts"
import { createLines } from "./lines.ts"

type Options = {
  cwd: string
  /** The whole of it: nothing is inherited. */
  environment: Record<string, string>
  user?: User | undefined
  signal?: AbortSignal
  onLine?: (source: "stdout" | "stderr", line: string) => void
}

/** What came of a command. `missing`: there is no such program. */
export type Ran = { code: number | null; missing: boolean; stdout: string; stderr: string }

/** Of what a command says, no more is kept than anybody would read. */
const keptCharacters = 100_000

/** How long its descendants may hold on to its output, once it has ended itself. */
const lingerMs = 1000

/** Runs a command to its end, without input and without a shell. Aborted, it is killed with what it has started. */
export const runCommand = ([program = "", ...args]: string[], options: Options): Promise<Ran> =>
  new Promise((resolve, reject) => {
    const { cwd, environment, user, signal, onLine } = options
    if (signal?.aborted) return reject(signal.reason)
    const child = spawn(program, args, { ...user, cwd, env: environment, detached: true, stdio: ["ignore", "pipe", "pipe"] })
    const kill = () => killGroup(child.pid)
    signal?.addEventListener("abort", kill, { once: true })
    const said = { stdout: "", stderr: "" }
    for (const source of ["stdout", "stderr"] as const) {
      const lines = createLines((line) => onLine?.(source, line))
      const keep = (text: string) => {
        said[source] = (said[source] + text).slice(-keptCharacters)
        lines.push(text)
      }
      child[source].setEncoding("utf8").on("data", keep).on("end", lines.end)
    }
    const settle = (code: number | null, missing = false) => {
      signal?.removeEventListener("abort", kill)
      if (signal?.aborted) reject(signal.reason)
      else resolve({ code, missing, ...said })
    }
    child.on("error", (error: NodeJS.ErrnoException) => (error.code === "ENOENT" ? settle(null, true) : reject(error)))
    child.on("exit", () =>
      after(lingerMs, () => {
        child.stdout.destroy()
        child.stderr.destroy()
      }),
    )
    child.on("close", (code) => settle(code))
  })

const killGroup = (pid: number | undefined) => {
  try {
    if (pid) process.kill(-pid, "SIGKILL")
  } catch {
    // It has ended by itself meanwhile.
  }
}

/** The last words of a command, in one line: what a person needs to know of why it failed. */
export const lastWords = ({ stdout, stderr }: Pick<Ran, "stdout" | "stderr">): string =>
  (stderr.trim() || stdout.trim()).split("\n").slice(-3).join(" ").replace(/\s+/g, " ").slice(-500)
