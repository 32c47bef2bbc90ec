import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")

/** The container's program becomes a process that sleeps: it costs nothing, and ends at once when it is asked to. */
const idle = `process.execve("/bin/sleep", ["sleep", "900"], process.env)\n`

/** The same, but it does not end before it is killed: as a program that uses all the time it is given. */
const stubborn = `process.execve("/bin/sh", ["sh", "-c", "trap '' TERM; sleep 900"], process.env)\n`

/**
 * Bundles for a stack whose containers start and then do nothing, so that a test can speak for them with their claim tokens. The
 * functions are the real ones.
 */
export const idleBundles = (folder: string, { isStubborn = false } = {}) => {
  const bundles = join(folder, "idle-bundles")
  mkdirSync(join(bundles, "task-image"), { recursive: true })
  symlinkSync(join(root, "dist", "functions"), join(bundles, "functions"))
  copyFileSync(join(root, "task-image", "start.sh"), join(bundles, "task-image", "start.sh"))
  writeFileSync(join(bundles, "task-image", "main.mjs"), isStubborn ? stubborn : idle)
  return bundles
}
