import { randomUUID } from "node:crypto"
import { after, millis } from "#core/clock.ts"
import { openDatabase } from "../database.ts"

/** Waits before the second and the third try of an event, as Lambda has them. */
const retrySeconds = [60, 120]

export interface Queue {
  /** Takes an event for good, and answers with its request id. */
  accept(name: string, payload: string): string
  /** Takes up what a process before this one left. */
  resume(): void
  close(): void
}

interface Row {
  id: string
  name: string
  payload: string
  attempt: number
  due: number
}

interface Work {
  /** Runs the event; false asks for another try. */
  run(event: { id: string; name: string; payload: string }): Promise<boolean>
  /** Every try failed: the event is gone. */
  dropped(event: { id: string; name: string }): void
}

/** The queue before asynchronous invocations: kept on disk, so that an event is delivered at least once over a crash too. */
export function openQueue(path: string, { run, dropped }: Work): Queue {
  const db = openDatabase(path)
  db.exec("CREATE TABLE IF NOT EXISTS event (id TEXT PRIMARY KEY, name TEXT, payload TEXT, attempt INTEGER, due INTEGER) STRICT")
  const timers = new Map<string, () => void>()
  let open = true

  const schedule = (row: Row) => {
    const left = row.due - millis()
    if (left <= 0) return void attempt(row)
    timers.set(
      row.id,
      after(left, () => void attempt(row)),
    )
  }
  const attempt = async (row: Row) => {
    timers.delete(row.id)
    const done = await run(row).catch(() => false)
    if (!open) return
    const wait = retrySeconds[row.attempt]
    if (!done && wait !== undefined) return again(row, wait)
    db.prepare("DELETE FROM event WHERE id = ?").run(row.id)
    if (!done) dropped(row)
  }
  const again = (row: Row, wait: number) => {
    const next = { ...row, attempt: row.attempt + 1, due: millis() + wait * 1000 }
    db.prepare("UPDATE event SET attempt = ?, due = ? WHERE id = ?").run(next.attempt, next.due, next.id)
    schedule(next)
  }
  return {
    accept(name, payload) {
      const row = { id: randomUUID(), name, payload, attempt: 0, due: millis() }
      db.prepare("INSERT INTO event VALUES (?, ?, ?, ?, ?)").run(row.id, name, payload, 0, row.due)
      schedule(row)
      return row.id
    },
    resume() {
      for (const row of db.prepare("SELECT * FROM event ORDER BY due").all()) schedule(row as unknown as Row)
    },
    // May come twice: what has not ended by itself in time is ended first, and everything in its order after that.
    close() {
      if (!open) return
      open = false
      for (const cancel of timers.values()) cancel()
      db.close()
    },
  }
}
