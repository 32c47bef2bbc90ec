import { spawn } from "node:child_process"
import type { Readable, Writable } from "node:stream"
import { identityOf, signal } from "./identity.ts"
import { exitCodeOf, type Launch, type Running, withLog } from "./launch.ts"
import { containerPath, findProgram } from "./limits.ts"
import { sandboxed } from "./sandbox.ts"

/** Path of the program, if this machine has it. */
export const findBubblewrap = (): string | undefined => findProgram("bwrap", process.env.PATH ?? "")

interface Inner {
  pid: number
  identity: string
}

/** The first process of the container, by its number out here. Nothing when bubblewrap ended without starting it. */
const readInner = async (info: Readable): Promise<Inner | undefined> => {
  let said = ""
  // The pipe stays open as long as the container runs, so its end is not waited for.
  for await (const chunk of info) {
    said += chunk
    if (said.trimEnd().endsWith("}")) break
  }
  if (said === "") return undefined
  const pid: number = JSON.parse(said)["child-pid"]
  const identity = identityOf(pid)
  return identity ? { pid, identity } : undefined
}

/**
 * Runs a container in bubblewrap: its own user, process, IPC and host name spaces; the system of this machine read-only; the network
 * of this machine. Its first process gets signals itself, since bubblewrap would die of SIGTERM and take it along without grace. When
 * the host dies, the container dies too.
 */
export const startSandboxed = (launch: Launch): Running => {
  const program = findBubblewrap()
  if (!program) throw new Error("bwrap is not on the PATH")
  const {
    command: [first = program, ...words],
    options,
  } = sandboxed(launch, program, { info: 3, options: 4 })
  const child = withLog(launch.log, (log) =>
    spawn(first, words, {
      cwd: "/",
      env: { PATH: containerPath },
      detached: true,
      stdio: ["ignore", log, log, "pipe", "pipe"],
    }),
  )
  const inner = readInner(child.stdio[3] as Readable)
  const handOver = child.stdio[4] as Writable
  // A bubblewrap that is gone before it read its options says so by its exit.
  handOver.once("error", () => undefined)
  handOver.end(options)
  const exited = new Promise<{ exitCode: number }>((resolve, reject) => {
    child.once("error", reject)
    child.once("exit", (code, name) => resolve({ exitCode: exitCodeOf(code, name) }))
  })
  const send = (name: NodeJS.Signals) =>
    void inner.then(
      (found) => {
        if (found && identityOf(found.pid) === found.identity) signal(found.pid, name)
        else if (name === "SIGKILL") child.kill(name)
      },
      // Without a word from bubblewrap there is no container yet: what there is ends with bubblewrap itself.
      () => child.kill("SIGKILL"),
    )
  return {
    pid: child.pid ?? 0,
    exited,
    begin: () => undefined,
    terminate: () => send("SIGTERM"),
    kill: () => send("SIGKILL"),
  }
}
