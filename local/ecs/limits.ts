import { accessSync, constants } from "node:fs"
import { platform } from "node:os"
import { delimiter, join } from "node:path"

/** How much of this machine a container may take, and who sees to it. */

export interface Limits {
  /** Mebibytes, as the task definition has them. */
  memory: number
  /** Processes and threads. */
  processes: number
}

/** Most processes and threads of one container. */
export const mostProcesses = 1024

export const containerPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Path of a program on a PATH, if it is there. */
export const findProgram = (name: string, path: string): string | undefined =>
  path
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find(isExecutable)

/**
 * The words before a command inside a sandbox that make the kernel refuse it more processes. None where `prlimit` is not installed.
 * They count for the user namespace of the container alone, so that containers do not take them from each other.
 */
export const limitedBy = ({ processes }: Limits): string[] => {
  const prlimit = findProgram("prlimit", containerPath)
  return prlimit ? [prlimit, `--nproc=${processes}`, "--core=0", "--"] : []
}

/** What the log of a task says about its limits. */
export const sayLimits = (limits: Limits, isSandboxed: boolean): string => {
  if (platform() !== "linux") return "Neither memory nor processes of this task are limited on this machine."
  const held = isSandboxed && limitedBy(limits).length > 0
  const { memory, processes } = limits
  return held
    ? `This task may use ${memory} MB of memory, by measuring it twice a second, and ${processes} processes and threads, by a limit of the kernel.`
    : `This task may use ${memory} MB of memory and ${processes} processes and threads, by measuring them twice a second.`
}
