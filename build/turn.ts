import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { setTimeout as pause } from "node:timers/promises"

const pauseMs = 50

/** Carries out `work` when no other process is at it in this folder. The system gives the turn back for a process that dies. */
export async function inTurn<Result>(folder: string, work: () => Promise<Result>): Promise<Result> {
  const lock = await take(join(folder, "lock"))
  try {
    return await work()
  } finally {
    lock.close()
  }
}

async function take(path: string): Promise<DatabaseSync> {
  for (;;) {
    const lock = new DatabaseSync(path, { timeout: 0 })
    try {
      lock.exec("BEGIN EXCLUSIVE")
      return lock
    } catch (error) {
      lock.close()
      if (!(error as Error).message.includes("database is locked")) throw error
      await pause(pauseMs)
    }
  }
}
