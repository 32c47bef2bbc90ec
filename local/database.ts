import { DatabaseSync } from "node:sqlite"

/** Opens a database file that survives `kill -9` at any moment. */
export const openDatabase = (path: string): DatabaseSync => {
  const db = new DatabaseSync(path)
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000")
  return db
}

/** Carries out `write` in one transaction, which is undone when it throws. */
export const atomically = <Result>(db: DatabaseSync, write: () => Result): Result => {
  db.exec("BEGIN IMMEDIATE")
  try {
    const result = write()
    db.exec("COMMIT")
    return result
  } catch (error) {
    db.exec("ROLLBACK")
    throw error
  }
}
