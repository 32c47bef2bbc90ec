import { chownSync, closeSync, mkdirSync, openSync } from "node:fs"
import { constants } from "node:os"
import { dirname, join } from "node:path"
import type { Limits } from "./limits.ts"

/** What it takes to run the container of a task on this machine. */
export interface Launch {
  taskId: string
  /** Entry point and command, as the container's definition has them. */
  command: string[]
  environment: Record<string, string>
  /** Folder of this task alone, removed after it has stopped. */
  folder: string
  /** Stands for `/opt/dormouse`, but for its `node`, which is the Node that runs this, and its `sh`, which is this machine's. */
  taskImage: string
  /** Folder of the embedded AWS, of which the container sees nothing but its own workspace. */
  data: string
  limits: Limits
  /** Where the container has no network: all that it reaches. */
  doors?: Door[]
  /** File that takes what the container writes to its outputs. */
  log: string
}

/** A loopback port inside a container without a network, and the socket of this machine that it leads to. */
export interface Door {
  port: number
  socket: string
}

export interface Exit {
  /** As a shell would put it: 137 for SIGKILL. */
  exitCode: number
}

/** A container that runs. */
export interface Running {
  /** 0 when it could not be started, as \`exited\` will say. */
  pid: number
  /** Lets it begin, once its process id is on disk. */
  begin(): void
  /** Asks it to stop, as ECS does. */
  terminate(): void
  /** Ends it and everything that it started. */
  kill(): void
  /** Rejects when it could not be started. */
  exited: Promise<Exit>
}

/** Where the daemon is inside a container. */
export const daemonFolder = "/opt/dormouse"
export const nodePath = `${daemonFolder}/node`
export const shellPath = `${daemonFolder}/sh`

/** Makes one of the private folders of a task. When root makes it for another user, it is given to that user. */
export const makeFolder = (launch: Launch, name: string, owner?: number): string => {
  const folder = join(launch.folder, name)
  mkdirSync(folder, { recursive: true })
  if (owner !== undefined) chownSync(folder, owner, owner)
  return folder
}

/** Opens a task's log for the time of `use`. */
export const withLog = <Result>(path: string, use: (descriptor: number) => Result): Result => {
  mkdirSync(dirname(path), { recursive: true })
  const descriptor = openSync(path, "a")
  try {
    return use(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

export const exitCodeOf = (code: number | null, signal: NodeJS.Signals | null): number =>
  code ?? (signal ? 128 + constants.signals[signal] : 1)
