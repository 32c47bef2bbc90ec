import { copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")

/** The container's program becomes a process that sleeps: it costs nothing, and ends at once when it is asked to. */
const idle = `process.execve("/bin/sleep", ["sleep", "900"], process.env)\n`

/** One that ends only when it is killed, as a program that uses all the time it is given. Node would take signals as it starts. */
const stubborn = (mark: string) => `trap '' TERM\n: > '${mark}'"$DORMOUSE_RUN_ID"\nexec sleep 900\n`

const markIn = (folder: string) => join(folder, "idle-bundles", "stubborn-")

/** Whether the stubborn process of a run has got so far as to be one: before that it ends when it is asked to. */
export const isStubbornYet = (folder: string, { runId }: { runId: string }) => existsSync(markIn(folder) + runId)

/**
 * Bundles for a stack whose containers start and then do nothing, so that a test can speak for them with their claim tokens. The
 * functions are the real ones.
 */
export const idleBundles = (folder: string, { isStubborn = false } = {}) => {
  const bundles = join(folder, "idle-bundles")
  mkdirSync(join(bundles, "task-image"), { recursive: true })
  symlinkSync(join(root, "dist", "functions"), join(bundles, "functions"))
  const start = join(bundles, "task-image", "start.sh")
  if (isStubborn) writeFileSync(start, stubborn(markIn(folder)))
  else copyFileSync(join(root, "task-image", "start.sh"), start)
  writeFileSync(join(bundles, "task-image", "main.mjs"), idle)
  return bundles
}
