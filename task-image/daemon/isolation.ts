import { spawn } from "node:child_process"
import { chown, lchown, readdir } from "node:fs/promises"
import { join } from "node:path"
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

/** Processes of its own, a /proc that shows no others, and a home of the daemon's in which nothing can be left for the daemon to find. */
const namespaceWith = (options: string[]) => {
  const { HOME: home } = process.env
  const own = "bwrap --unshare-user --unshare-pid --unshare-ipc --cap-drop ALL --dev-bind / / --proc /proc --die-with-parent"
  return [...own.split(" "), ...(home ? ["--ro-bind-try", home, home] : []), ...options]
}

/** The best comes first: without user namespaces the agent can mount nothing and reach less of the kernel; old versions cannot do that. */
const namespaces = () => [["--disable-userns"], []].map(namespaceWith)

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
  for (const wrapper of namespaces()) if (await canWork({ wrapper }, folder)) return { wrapper }
  return undefined
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

/** Makes a folder and all that is in it the property of a user. */
export const giveTo = async (path: string, { uid, gid }: User) => {
  await lchown(path, uid, gid)
  const entries = await readdir(path, { withFileTypes: true })
  for (const entry of entries) {
    if (entry.isDirectory()) await giveTo(join(path, entry.name), { uid, gid })
    else await lchown(join(path, entry.name), uid, gid)
  }
}
