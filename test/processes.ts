import { readdirSync, readFileSync } from "node:fs"

/** The processes whose environment may be read, each with its environment as `NAME=value`. */
export const processes = () =>
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

/** The values that a variable has in the environments of the processes of this machine, with the process that has it. */
export const marked = (variable: string) =>
  processes().flatMap(({ pid, environment }) => {
    const found = environment.find((entry) => entry.startsWith(`${variable}=`))
    return found ? [{ pid, value: found.slice(variable.length + 1) }] : []
  })

/** Resident memory of a process in MB; 0 where there is none. */
export const megabytes = (pid: number) => {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024
  } catch {
    return 0
  }
}
