import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync, writeFileSync } from "node:fs"
import { homedir } from "node:os"
import { join, sep } from "node:path"
import { type Door, daemonFolder, type Launch, makeFolder, nodePath, shellPath } from "./launch.ts"
import { containerPath, limitedBy } from "./limits.ts"

/** How a container looks from inside, as arguments for bubblewrap. */

/** The only user there is inside. Outside it is the user of this process or, when that is root, `nobody`. */
const insideUser = 1000
const nobody = 65534
const home = "/home/dormouse"
const clock = "/run/dormouse/clock"
const doorway = "/run/dormouse/doorway.ts"
const socketOf = ({ port }: Door) => `/run/dormouse/${port}.sock`

/**
 * What a container image holds of a machine. What is not named here (homes, `/run`, `/srv`, `/mnt` …) is not there inside. Of `/var` it
 * is what programs need: logs, mail, spools and the sockets of services are this machine's own business.
 */
const names = [
  "bin",
  "sbin",
  "lib",
  "lib32",
  "lib64",
  "libx32",
  "usr",
  "etc",
  "var/lib",
  "var/cache",
  "nix",
  "gnu",
  "snap",
  "sys",
]
const system = names.map((name) => `/${name}`)

interface Mount {
  source: string
  target: string
  writable?: boolean
}

const isRoot = () => process.getuid?.() === 0
/** Who has to own the private folders of a task; nothing when that goes without saying. */
const owner = () => (isRoot() ? nobody : undefined)

/** A directory as it is, a link as a link. */
const show = (path: string): string[] => {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (!stat) return []
  return stat.isSymbolicLink() ? ["--symlink", readlinkSync(path), path] : ["--ro-bind", path, path]
}

/** Folders have to be made for what lies deeper than the root. */
const parents = ["--perms", "0755", "--dir", "/var", "--symlink", "/run", "/var/run", "--symlink", "/run/lock", "/var/lock"]
const systemFolders = () => [...parents, ...system.flatMap(show)]

/** Entry by entry, so that `/opt/dormouse` can be added. */
const optional = () => {
  const names = existsSync("/opt") ? readdirSync("/opt") : []
  return names.filter((name) => join("/opt", name) !== daemonFolder).flatMap((name) => show(join("/opt", name)))
}

/** Where services of a machine keep sockets, besides `/run`: through one of them a container without a network would have a way out. */
const withSockets = ["/var/lib", "/var/cache", "/nix/var", "/snap"]

/** Private places of this machine that lie inside what is shown. */
const hidden = ({ data, doors }: Launch) => {
  const shown = [...system, "/opt"]
  const isShown = (path: string) => shown.some((folder) => path === folder || path.startsWith(folder + sep))
  const wanted = [data, homedir(), ...(doors ? withSockets : [])]
  const places = wanted.filter((path) => existsSync(path)).map((path) => realpathSync(path))
  return [...new Set(places)].filter(isShown).flatMap((path) => ["--tmpfs", path, "--remount-ro", path])
}

/** Names the user of the container: programs such as ssh do not work for a user without a name. */
const passwd = (launch: Launch): string => {
  const path = join(launch.folder, "passwd")
  const others = existsSync("/etc/passwd") ? readFileSync("/etc/passwd", "utf8").split("\n") : []
  const foreign = others.filter((line) => line.split(":")[2] !== String(insideUser))
  writeFileSync(path, [`dormouse:x:${insideUser}:${insideUser}::${home}:/bin/sh`, ...foreign].join("\n"))
  return path
}

const mounts = (launch: Launch): Mount[] => {
  const resolver = existsSync("/etc/resolv.conf") ? realpathSync("/etc/resolv.conf") : ""
  const hostClock = launch.environment.DORMOUSE_CLOCK
  return [
    { source: realpathSync(process.execPath), target: nodePath },
    { source: realpathSync("/bin/sh"), target: shellPath },
    { source: makeFolder(launch, "workspace", owner()), target: "/workspace", writable: true },
    { source: makeFolder(launch, "tmp", owner()), target: "/tmp", writable: true },
    { source: makeFolder(launch, "var-tmp", owner()), target: "/var/tmp", writable: true },
    // On disk, as the others, and not in memory, of which a container would have more than its share.
    { source: makeFolder(launch, "shm", owner()), target: "/dev/shm", writable: true },
    { source: makeFolder(launch, "home", owner()), target: home, writable: true },
    ...(existsSync("/etc/passwd") ? [{ source: passwd(launch), target: "/etc/passwd" }] : []),
    ...(resolver.startsWith("/run/") ? [{ source: resolver, target: resolver }] : []),
    ...(hostClock ? [{ source: hostClock, target: clock }] : []),
    ...(launch.doors ? [{ source: join(import.meta.dirname, "doorway.ts"), target: doorway }] : []),
    ...(launch.doors ?? []).map((door) => ({ source: door.socket, target: socketOf(door) })),
  ]
}

/** The daemon, entry by entry, so that Node and a shell can be added to it. */
const imageMounts = (taskImage: string): Mount[] =>
  readdirSync(taskImage)
    .map((name) => ({ source: join(taskImage, name), target: join(daemonFolder, name) }))
    .filter(({ target }) => target !== nodePath && target !== shellPath)

const bind = ({ source, target, writable }: Mount) => [writable ? "--bind" : "--ro-bind", source, target]

/** Variables of the container: nothing of this machine's but `LANG`. */
const environmentOf = ({ environment }: Launch): Record<string, string> => ({
  PATH: containerPath,
  LANG: process.env.LANG ?? "C.UTF-8",
  HOME: home,
  ...environment,
  ...(environment.DORMOUSE_CLOCK && { DORMOUSE_CLOCK: clock }),
})

const setenv = (environment: Record<string, string>) =>
  Object.entries(environment).flatMap(([name, value]) => ["--setenv", name, value])

const inside = (launch: Launch, all: Mount[], info: number): string[] => [
  ...["--die-with-parent", "--new-session", "--as-pid-1", "--info-fd", String(info)],
  ...["--unshare-user", "--uid", String(insideUser), "--gid", String(insideUser)],
  ...(launch.doors ? ["--unshare-net"] : []),
  ...["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--hostname", launch.taskId],
  ...systemFolders(),
  ...["--perms", "0755", "--dir", "/opt", "--perms", "0755", "--dir", daemonFolder],
  ...optional(),
  ...["--tmpfs", "/run", "--perms", "0755", "--dir", "/home"],
  ...hidden(launch),
  ...["--proc", "/proc", "--dev", "/dev"],
  ...all.flatMap(bind),
  ...["/run", "/dev", "/"].flatMap((path) => ["--remount-ro", path]),
  ...["--chdir", "/workspace", "--clearenv"],
  ...setenv(environmentOf(launch)),
]

/** Binds its first words, up to `--`, to `/tmp/0`, `/tmp/1` and so on in a mount namespace of its own, and becomes the rest. */
const stageScript = `
  set -e
  stage=$1
  shift
  mount -n -t tmpfs -o mode=0755 dormouse "$stage"
  number=0
  while [ "$1" != -- ]; do
    if [ -d "$1" ]; then mkdir "$stage/$number"; else : >"$stage/$number"; fi
    mount -n --bind "$1" "$stage/$number"
    number=$((number + 1))
    shift
  done
  shift
  mount -n --move "$stage" /tmp
  exec "$@"
`

/**
 * Root first binds what only root may reach to places that anybody may, and then goes on as `nobody`: inside a user namespace of
 * root's the files of root would stay open to it, and no further namespace could mount `/proc`. All of this is one process, so that
 * bubblewrap is a child of this host and dies with it.
 */
const asNobody = (launch: Launch, all: Mount[], bubblewrap: string) => {
  const stage = makeFolder(launch, "stage")
  const sources = all.map(({ source }) => source)
  const drop = ["--reuid", String(nobody), "--regid", String(nobody), "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]
  const script = ["sh", "-c", stageScript, "sh", stage, ...sources, "--"]
  return {
    staged: all.map((mount, index) => ({ ...mount, source: `/tmp/${index}` })),
    words: ["unshare", "--mount", ...script, "setpriv", ...drop, bubblewrap],
  }
}

/** In a network of its own there is nothing but what the doorway offers. */
const commandOf = ({ doors, command }: Launch) =>
  doors ? [nodePath, doorway, ...doors.map((door) => `${door.port}=${socketOf(door)}`), "--", ...command] : command

/**
 * How the program `bubblewrap` runs the container of a task: the words of the command, and options to be written to the descriptor `options`,
 * since anybody on the machine can read a command. On `info` it says the process id. Makes the task's private folders.
 */
export const sandboxed = (launch: Launch, bubblewrap: string, descriptors: { info: number; options: number }) => {
  const all = [...imageMounts(launch.taskImage), ...mounts(launch)]
  const { staged, words } = isRoot() ? asNobody(launch, all, bubblewrap) : { staged: all, words: [bubblewrap] }
  return {
    command: [...words, "--args", String(descriptors.options), ...limitedBy(launch.limits), ...commandOf(launch)],
    options: inside(launch, staged, descriptors.info)
      .map((option) => `${option}\0`)
      .join(""),
  }
}
