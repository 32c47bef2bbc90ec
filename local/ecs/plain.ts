import { spawn } from "node:child_process"
import { join } from "node:path"
import { signal } from "./identity.ts"
import { daemonFolder, exitCodeOf, type Launch, makeFolder, nodePath, type Running, shellPath, withLog } from "./launch.ts"

/** Variable by which the processes of a task are known. */
export const marker = (taskId: string) => ({ DORMOUSE_ECS_TASK: taskId })

const toHostPath = (taskImage: string) => (word: string) => {
  if (word === nodePath) return process.execPath
  if (word === shellPath) return "/bin/sh"
  return word.startsWith(`${daemonFolder}/`) ? join(taskImage, word.slice(daemonFolder.length)) : word
}

/** Waits for a line before it becomes the container: if the host dies before it noted the process id, nothing is left behind. */
const gate = 'read -r go && exec "$@" </dev/null'

/**
 * Runs a container as a plain child process in a process group of its own: no isolation, but an environment that holds nothing of
 * this machine except `PATH` and `LANG`. The workspace is a fresh folder, which `DORMOUSE_WORKSPACE` names.
 */
export const startPlain = (launch: Launch): Running => {
  const workspace = makeFolder(launch, "workspace")
  const environment = {
    PATH: process.env.PATH,
    LANG: process.env.LANG ?? "C.UTF-8",
    HOME: makeFolder(launch, "home"),
    ...launch.environment,
    ...marker(launch.taskId),
    DORMOUSE_WORKSPACE: workspace,
  }
  const child = withLog(launch.log, (log) =>
    spawn("/bin/sh", ["-c", gate, "sh", ...launch.command.map(toHostPath(launch.taskImage))], {
      cwd: workspace,
      env: environment,
      detached: true,
      stdio: ["pipe", log, log],
    }),
  )
  const exited = new Promise<{ exitCode: number }>((resolve, reject) => {
    child.once("error", reject)
    child.once("exit", (code, name) => {
      if (child.pid !== undefined) signal(-child.pid, "SIGKILL")
      resolve({ exitCode: exitCodeOf(code, name) })
    })
  })
  // A child that is gone before it was let in says so by its exit.
  child.stdin?.once("error", () => undefined)
  const isAlive = () => child.pid !== undefined && child.exitCode === null && child.signalCode === null
  return {
    pid: child.pid ?? 0,
    exited,
    begin: () => child.stdin?.end("go\n"),
    terminate: () => {
      if (isAlive()) signal(child.pid!, "SIGTERM")
    },
    kill: () => {
      if (isAlive()) signal(-child.pid!, "SIGKILL")
    },
  }
}
