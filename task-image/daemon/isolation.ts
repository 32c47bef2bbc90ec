import { spawn } from "node:child_process"
import { chown } from "node:fs/promises"
import { fileURLToPath } from "node:url"

/** The program of the agent's process. */
export const runner = fileURLToPath(new URL(import.meta.url.endsWith(".ts") ? "./runner.ts" : "./runner.mjs", import.meta.url))

/** The agent's user and group where the daemon may choose them: nobody. */
const nobody = { uid: 65534, gid: 65534 }

export type User = typeof nobody

/** What stands between the agent and the daemon, whose environment and memory hold the run's tokens. */
export type Isolation = {
  /** Another user, who owns the workspace. */
  user?: User
  /** A command that runs the command after it where the daemon's process is not to be seen. */
  wrapper: string[]
}

/** Processes of its own, and a /proc that shows no others. */
const namespace = "bwrap --unshare-user --unshare-pid --cap-drop ALL --dev-bind / / --proc /proc --die-with-parent".split(" ")

/**
 * The best isolation to be had here, for an agent that works in `folder`: another user, if we are root; or else, as in a user
 * namespace, where there is no other user, a process namespace of its own; or else `undefined`, none.
 */
export const chooseIsolation = async (folder: string): Promise<Isolation | undefined> => {
  const asNobody = { user: nobody, wrapper: [] }
  if (process.getuid?.() === 0 && (await give(folder, nobody))) {
    if (await canWork(asNobody, folder)) return asNobody
    await give(folder, { uid: 0, gid: 0 })
  }
  const inNamespace = { wrapper: namespace }
  return (await canWork(inNamespace, folder)) ? inNamespace : undefined
}

const give = (folder: string, { uid, gid }: User) =>
  chown(folder, uid, gid).then(
    () => true,
    () => false,
  )

const check = `
  const { accessSync, constants } = require("node:fs")
  accessSync(process.argv[1], constants.R_OK)
  accessSync(process.argv[2], constants.W_OK | constants.X_OK)
`

/** Whether the agent could read its program and write to `folder` so. */
const canWork = ({ user, wrapper }: Isolation, folder: string): Promise<boolean> => {
  const [program = process.execPath, ...args] = [...wrapper, process.execPath, "-e", check, runner, folder]
  return new Promise((resolve) => {
    const probe = spawn(program, args, { ...user, cwd: "/", env: { PATH: process.env.PATH }, stdio: "ignore" })
    probe.on("error", () => resolve(false))
    probe.on("exit", (code) => resolve(code === 0))
  })
}
