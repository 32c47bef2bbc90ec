import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"

/**
 * Takes a data folder for this process alone; the answer gives it back. Throws when another process has it. The lock is one that the
 * system takes away from a process that dies, however it dies.
 */
export function lockFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const lock = new DatabaseSync(join(folder, "lock"), { timeout: 0 })
  try {
    lock.exec("BEGIN EXCLUSIVE")
  } catch (error) {
    lock.close()
    throw new Error(`The data folder ${folder} is in use by another Dormouse`, { cause: error })
  }
  return () => lock.close()
}
