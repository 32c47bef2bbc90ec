import type { DatabaseSync } from "node:sqlite"
import { after, millis } from "#core/clock.ts"

/** One event on its way to one target. */
export interface Delivery {
  rule: string
  target: string
  /** JSON text that the target receives. */
  payload: string
  /** Came from another bus, from which EventBridge passes it on no further. */
  forwarded: boolean
}

interface Row {
  id: number
  rule: string
  target: string
  payload: string
  forwarded: number
  attempts: number
  created: number
}

interface Options {
  db: DatabaseSync
  /** Rejects when the delivery has to be tried again. */
  deliver: (delivery: Delivery) => Promise<void>
  /** Told of a delivery that is given up, before it is forgotten: twice where the process ends in between. */
  onDead: (delivery: Delivery, error: unknown) => void
}

const mostAttempts = 185
const longestAge = 24 * 3_600_000
const atOnce = 32

/** Two seconds, then twice as long each time up to eight minutes, so that 185 tries take about a day. */
const wait = (attempts: number) => Math.min(2 ** attempts, 480) * 1000

const schema = `
  CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY, rule TEXT NOT NULL, target TEXT NOT NULL, payload TEXT NOT NULL, forwarded INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL, created INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS outbox_due ON outbox (due);
  CREATE TABLE IF NOT EXISTS dead (rule TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (rule)) STRICT;
`

const statements = (db: DatabaseSync) => ({
  insert: db.prepare("INSERT INTO outbox (rule, target, payload, forwarded, due, created) VALUES (?, ?, ?, ?, ?, ?)"),
  due: db.prepare("SELECT * FROM outbox WHERE due <= ? ORDER BY id LIMIT ?"),
  next: db.prepare("SELECT min(due) AS due FROM outbox WHERE due > ?"),
  remove: db.prepare("DELETE FROM outbox WHERE id = ?"),
  postpone: db.prepare("UPDATE outbox SET attempts = ?, due = ? WHERE id = ?"),
  bury: db.prepare("INSERT INTO dead VALUES (?, 1) ON CONFLICT (rule) DO UPDATE SET count = count + 1"),
  buried: db.prepare("SELECT coalesce(sum(count), 0) AS count FROM dead"),
})

/**
 * Deliveries that survive a crash. A row is written in the caller's transaction by `add` and leaves only once its target has
 * taken it or it was given up, so that every delivery is made at least once. `wake` after the commit starts the work.
 */
export class Outbox {
  readonly #options: Options
  readonly #sql: ReturnType<typeof statements>
  readonly #underway = new Map<number, Promise<void>>()
  #cancelTimer?: () => void
  #closed: boolean = false

  constructor(options: Options) {
    options.db.exec(schema)
    this.#options = options
    this.#sql = statements(options.db)
  }

  add({ rule, target, payload, forwarded }: Delivery) {
    this.#sql.insert.run(rule, target, payload, Number(forwarded), millis(), millis())
  }

  /** Starts what is due, and sets the timer for what is not. */
  wake() {
    if (this.#closed) return
    const rows = this.#sql.due.all(millis(), atOnce + this.#underway.size) as unknown as Row[]
    for (const row of rows) if (this.#underway.size < atOnce && !this.#underway.has(row.id)) this.#start(row)
    this.#cancelTimer?.()
    const soonest = this.#sql.next.get(millis())?.due
    if (typeof soonest === "number") this.#cancelTimer = after(soonest - millis(), () => this.wake())
  }

  /** How many deliveries were given up since the data folder was made. */
  deadLetters(): number {
    return Number(this.#sql.buried.get()?.count)
  }

  /** Starts nothing more and waits for what is under way. */
  async close() {
    this.#closed = true
    this.#cancelTimer?.()
    await Promise.all(this.#underway.values())
  }

  #start(row: Row) {
    // Not before this row counts as under way: a delivery to another bus wakes the outbox itself.
    const begun = Promise.resolve().then(() => this.#attempt(row))
    const work = begun.finally(() => {
      this.#underway.delete(row.id)
      this.wake()
    })
    this.#underway.set(row.id, work)
  }

  async #attempt(row: Row) {
    const delivery = { rule: row.rule, target: row.target, payload: row.payload, forwarded: row.forwarded === 1 }
    try {
      await this.#options.deliver(delivery)
      this.#sql.remove.run(row.id)
    } catch (error) {
      this.#failed(row, delivery, error)
    }
  }

  #failed(row: Row, delivery: Delivery, error: unknown) {
    const attempts = row.attempts + 1
    const again = millis() + wait(attempts)
    if (attempts < mostAttempts && again - row.created <= longestAge) {
      this.#sql.postpone.run(attempts, again, row.id)
      return
    }
    this.#options.onDead(delivery, error)
    this.#sql.bury.run(row.rule)
    this.#sql.remove.run(row.id)
  }
}
