import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { expect, test } from "vitest"

// Images in which no daemon can run, made of bubblewrap's binds, and the shell that we bring.

const start = ["/opt/dormouse/sh", "/opt/dormouse/start.sh", "/opt/dormouse/node", "-e", "console.log('It runs.')"]
/** What the first container of a task has copied to the shared volume. */
const brought = Object.entries({ sh: "/bin/busybox", "start.sh": join(import.meta.dirname, "start.sh"), node: process.execPath })
const volume = brought.flatMap(([name, path]) => ["--ro-bind", path, `/opt/dormouse/${name}`])

/** Begins a container of an image that holds what bubblewrap is told. */
const begin = (...image: string[]) => {
  const { status, stdout, stderr } = spawnSync("bwrap", [...image, ...volume, "--dev", "/dev", "--clearenv", ...start], {
    encoding: "utf8",
  })
  return { status, said: `${stdout}${stderr}`.trim() }
}

const glibc = ["--ro-bind", "/usr/lib", "/usr/lib", "--symlink", "usr/lib", "/lib", "--ro-bind-try", "/lib64", "/lib64"]
const shell = ["--ro-bind", "/usr/bin", "/usr/bin", "--symlink", "usr/bin", "/bin"]

test("an image with glibc and a shell runs the daemon, in place of the shell that began it", () => {
  expect(begin(...glibc, ...shell)).toEqual({ status: 0, said: "It runs." })
})

test("an image without glibc, of busybox alone, is refused", () => {
  const { status, said } = begin("--ro-bind", "/bin/busybox", "/bin/busybox", "--symlink", "busybox", "/bin/sh")
  expect(status).toBe(81)
  expect(said).toContain("This image cannot run Node: ")
})

test("an image without a shell is refused", () => {
  const { status, said } = begin(...glibc)
  expect(status).toBe(82)
  expect(said).toContain("This image has no /bin/sh")
})
