import { readdirSync, readFileSync } from "node:fs"
import { endianness, platform } from "node:os"
import { every } from "#core/clock.ts"
import { readStat, type Stat, signal } from "./identity.ts"
import type { Limits } from "./limits.ts"

/** Measures what containers take, and ends those that take too much. */

const intervalMs = 500
const mebibyte = 1024 ** 2
/** The kernel refuses more than the limit where it holds it, and counts a process or two less than are seen from here. */
const slack = 64

const outOfMemory = "OutOfMemoryError: Container killed due to memory usage"
const outOfProcesses = (limit: number) => `Container killed: it had more than ${limit} processes and threads`

interface Process extends Stat {
  pid: number
  /** Bytes of memory that it holds, shared ones included. */
  resident: number
}

export interface Watched {
  /** First process of the container, as this machine counts. */
  pid: number
  limits: Limits
  /** Told once, after everything that the container had started was killed. */
  onExceeded: (reason: string) => void
}

/** Looks at the containers twice a second until the answer is called. Linux only; elsewhere nothing is looked at. */
export const watchContainers = (containers: () => Watched[]): (() => void) =>
  every(intervalMs, () => {
    const watched = platform() === "linux" ? containers() : []
    if (watched.length === 0) return
    const all = readProcesses()
    for (const container of watched) check(container, familyOf(container.pid, all))
  })

const check = ({ limits, onExceeded }: Watched, family: Process[]) => {
  const reason = excess(limits, family)
  if (!reason) return
  for (const { pid } of family) signal(pid, "SIGKILL")
  onExceeded(reason)
}

const excess = ({ memory, processes }: Limits, family: Process[]): string | undefined => {
  const limit = memory * mebibyte
  if (sum(family, ({ threads }) => threads) > processes + slack) return outOfProcesses(processes)
  // Pages that processes share are in the cheap sum more than once, so that only the exact one counts.
  if (sum(family, ({ resident }) => resident) > limit && sum(family, proportionalOf) > limit) return outOfMemory
  return undefined
}

const sum = <T>(all: T[], of: (one: T) => number) => all.reduce((total, one) => total + of(one), 0)

const readProcesses = (): Process[] => {
  const page = pageBytes()
  return readdirSync("/proc").flatMap((name) => {
    const stat = /^\d+$/.test(name) ? readStat(Number(name)) : undefined
    return stat ? [{ pid: Number(name), resident: stat.pages * page, ...stat }] : []
  })
}

/** A process and all that descend from it, or have not left its session: those stay of a container whose first process is gone. */
const familyOf = (pid: number, all: Process[]): Process[] => {
  const children = Map.groupBy(all, ({ parent }) => parent)
  const descendants = (of: number): Process[] => (children.get(of) ?? []).flatMap((child) => [child, ...descendants(child.pid)])
  const own = all.filter((one) => one.pid === pid || one.session === pid)
  return [...new Set(own.flatMap((one) => [one, ...descendants(one.pid)]))]
}

/** Bytes of a page of memory, which the kernel tells every process at its start. */
const pageBytes = (): number => {
  const vector = readFileSync("/proc/self/auxv")
  const read = (at: number) => Number(endianness() === "LE" ? vector.readBigUInt64LE(at) : vector.readBigUInt64BE(at))
  for (let at = 0; at + 16 <= vector.length; at += 16) if (read(at) === 6) return read(at + 8)
  return 4096
}

/** A process's share of the memory that it has with others; all of that where the kernel does not say. */
const proportionalOf = ({ pid, resident }: Process): number => {
  try {
    const kilobytes = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1]
    return kilobytes === undefined ? resident : Number(kilobytes) * 1024
  } catch {
    return resident
  }
}
