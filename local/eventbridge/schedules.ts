import type { DatabaseSync } from "node:sqlite"
import { after, millis } from "#core/clock.ts"
import { atomically } from "../database.ts"
import { rateMilliseconds } from "./rate.ts"

interface Scheduled {
  arn: string
  schedule: string
}

interface Row {
  rule: string
  expression: string
  next: number
}

interface Options {
  db: DatabaseSync
  rules: Scheduled[]
  /** Called in the transaction that moves the rule's time on. */
  fire: (rule: string, time: Date) => void
  /** Called once that is committed. */
  fired: () => void
}

const schema =
  "CREATE TABLE IF NOT EXISTS schedules (rule TEXT PRIMARY KEY, expression TEXT NOT NULL, next INTEGER NOT NULL) STRICT"
const upsert = "INSERT OR REPLACE INTO schedules (rule, expression, next) VALUES (?, ?, ?)"

/**
 * Runs rules by their `rate(…)`. The next time of each is kept, so that a restart neither loses nor moves it; what fell into a time
 * in which nothing ran is made up for once.
 */
export class Schedules {
  readonly #options: Options
  #cancelTimer?: () => void

  constructor(options: Options) {
    this.#options = options
    options.db.exec(schema)
    this.#adopt()
  }

  /** Fires what is due, and sets the timer for the next. */
  start() {
    const due = this.#rows().filter(({ next }) => next <= millis())
    for (const row of due) this.#run(row)
    if (due.length > 0) this.#options.fired()
    const soonest = Math.min(...this.#rows().map(({ next }) => next))
    if (Number.isFinite(soonest)) this.#cancelTimer = after(soonest - millis(), () => this.start())
  }

  close() {
    this.#cancelTimer?.()
  }

  #rows() {
    return this.#options.db.prepare("SELECT * FROM schedules").all() as unknown as Row[]
  }

  #save(rule: string, expression: string, next: number) {
    this.#options.db.prepare(upsert).run(rule, expression, next)
  }

  /** A rule that is new or has another rate begins now; one that is gone is forgotten. */
  #adopt() {
    const known = new Map(this.#rows().map(({ rule, expression }) => [rule, expression]))
    for (const { arn, schedule } of this.#options.rules) {
      if (known.get(arn) !== schedule) this.#save(arn, schedule, millis() + rateMilliseconds(schedule))
      known.delete(arn)
    }
    for (const gone of known.keys()) this.#options.db.prepare("DELETE FROM schedules WHERE rule = ?").run(gone)
  }

  #run({ rule, expression, next }: Row) {
    const each = rateMilliseconds(expression)
    const missed = Math.floor((millis() - next) / each)
    atomically(this.#options.db, () => {
      this.#options.fire(rule, new Date(next + missed * each))
      this.#save(rule, expression, next + (missed + 1) * each)
    })
  }
}
