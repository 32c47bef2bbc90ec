import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { platform } from "node:os"

/** Tells a process from a later one with the same number. */

export interface Stat {
  state: string
  parent: number
  group: number
  session: number
  threads: number
  /** Pages of memory that it holds, shared ones included. */
  pages: number
  /** Clock ticks from the machine's start to the process's. */
  started: number
}

/** What the kernel says of a process; nothing when there is none, or no /proc. */
export const readStat = (pid: number): Stat | undefined => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8")
    // The command stands in brackets and may hold anything, so the fields are counted from its end.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ")
    const [parent = 0, group = 0, session = 0] = fields.slice(1, 4).map(Number)
    const [threads = 0, , started = 0, , pages = 0] = fields.slice(17, 22).map(Number)
    return { state: fields[0] ?? "", parent, group, session, threads, started, pages }
  } catch {
    return undefined
  }
}

const bootId = () => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()

const onLinux = (pid: number): string | undefined => {
  const stat = readStat(pid)
  return stat && stat.state !== "Z" ? `${bootId()} ${stat.started}` : undefined
}

const elsewhere = (pid: number): string | undefined => {
  try {
    return execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim() || undefined
  } catch {
    return undefined
  }
}

/** What no other process with this number will ever have, or nothing when there is no such process. */
export const identityOf = (pid: number): string | undefined => (platform() === "linux" ? onLinux(pid) : elsewhere(pid))

const environmentHas = (pid: number, variable: string): boolean => {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(variable)
  } catch {
    return false
  }
}

/**
 * Processes of a group whose leader is gone, known by a variable of their environment (`NAME=value`), so that a group of somebody
 * else with the same number is never taken for it. Linux only; elsewhere there are none.
 */
export const orphansOf = (group: number, variable: string): number[] => {
  if (platform() !== "linux") return []
  const pids = readdirSync("/proc").map(Number).filter(Number.isInteger)
  return pids.filter((pid) => readStat(pid)?.group === group && environmentHas(pid, variable))
}

/** Sends a signal to a process (or, with a negative number, to a group) that may have ended already. */
export const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name)
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error
  }
}
