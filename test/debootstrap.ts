import { execFileSync, spawn } from "node:child_process"
import { copyFileSync, mkdirSync } from "node:fs"
import { join } from "node:path"

/** Images without Docker: their file systems made by debootstrap, and a container of one made by bubblewrap. Both take root. */

/** Where Ubuntu's packages are, said by whoever has such a mirror. */
export const ubuntuMirror = process.env.UBUNTU_MIRROR ?? ""

/** The mirror from which this machine has its own packages. */
const debian = () =>
  execFileSync("apt-get", ["indextargets", "--format", "$(REPO_URI)", "Codename: bookworm", "Created-By: Packages"], {
    encoding: "utf8",
  }).split("\n")[0]!

const sources = {
  bookworm: () => [debian()],
  // Debian has no package with Ubuntu's keys.
  jammy: () => [ubuntuMirror, "--no-check-gpg"],
}

export type Suite = keyof typeof sources

/** The file system of a small image, as debian:12 and ubuntu:22.04 are. */
export const debootstrap = async (suite: Suite, root: string) => {
  const [mirror = "", ...options] = sources[suite]()
  const { code, said } = await ended("debootstrap", [...options, "--variant=minbase", suite, root, mirror])
  if (code !== 0) throw new Error(`debootstrap ended with ${code}: ${said}`)
}

/** Gives a root the names of hosts, as Docker does when it builds and when it runs. */
export const nameHosts = (root: string) => {
  mkdirSync(join(root, "etc"), { recursive: true })
  for (const file of ["/etc/resolv.conf", "/etc/hosts"]) copyFileSync(file, join(root, file))
}

/** What Docker, and so Fargate, leaves root of its capabilities. */
const capabilities =
  "CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_CHROOT AUDIT_WRITE"

interface Container {
  root: string
  /** By where it is mounted, read-only. */
  volumes: Record<string, string>
  environment: Record<string, string>
  command: string[]
}

/** Runs a container of a root to its end, as root inside, in the network of this machine. */
export const runContainer = ({ root, volumes, environment, command }: Container) => {
  const variables = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root", ...environment }
  const words = [
    ...["--bind", root, "/", "--proc", "/proc", "--dev", "/dev"],
    ...Object.entries(volumes).flatMap(([place, folder]) => ["--ro-bind", folder, place]),
    ...["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--clearenv"],
    ...capabilities.split(" ").flatMap((name) => ["--cap-add", `CAP_${name}`]),
    ...Object.entries(variables).flatMap(([name, value]) => ["--setenv", name, value]),
  ]
  return ended("bwrap", [...words, "--", ...command])
}

const ended = (program: string, words: string[]) =>
  new Promise<{ code: number | null; said: string }>((resolve, reject) => {
    const child = spawn(program, words, { stdio: ["ignore", "pipe", "pipe"] })
    let said = ""
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (said += text))
    child.once("error", reject)
    child.once("close", (code) => resolve({ code, said }))
  })
