import type { DatabaseSync } from "node:sqlite"
import { after, millis } from "#core/clock.ts"
import { openDatabase } from "../database.ts"
import { AwsError } from "../service.ts"
import { checkName, readSchedule, type Schedule, timeOf } from "./input.ts"

interface Options {
  /** File of the database. */
  path: string
  region: string
  account: string
  groups: string[]
  /** Hands a schedule's input to its target with the rights of its role; rejects when that failed. */
  invoke: (target: Schedule["Target"]) => Promise<void>
  log?: (line: string) => void
}

/** One call, as the REST protocol has it. */
export interface RestCall {
  method: string
  /** Path, still encoded. */
  path: string
  query: URLSearchParams
  body: Record<string, unknown>
}

interface Row {
  groupName: string
  name: string
  token: string | null
  definition: string
  created: number
  modified: number
  due: number | null
  attempts: number
}

const schema = `
  CREATE TABLE IF NOT EXISTS schedule (
    groupName TEXT NOT NULL, name TEXT NOT NULL, token TEXT, definition TEXT NOT NULL, created INTEGER NOT NULL,
    modified INTEGER NOT NULL, due INTEGER, attempts INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (groupName, name)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS schedule_due ON schedule (due);
`

const statements = (db: DatabaseSync) => ({
  insert: db.prepare(
    "INSERT INTO schedule (groupName, name, token, definition, created, modified, due) VALUES (?, ?, ?, ?, ?, ?, ?)",
  ),
  find: db.prepare("SELECT * FROM schedule WHERE groupName = ? AND name = ?"),
  list: db.prepare("SELECT * FROM schedule WHERE groupName LIKE ? AND name LIKE ? ORDER BY groupName, name"),
  remove: db.prepare("DELETE FROM schedule WHERE groupName = ? AND name = ?"),
  due: db.prepare("SELECT * FROM schedule WHERE due <= ? ORDER BY due LIMIT ?"),
  next: db.prepare("SELECT min(due) AS due FROM schedule"),
  postpone: db.prepare("UPDATE schedule SET due = ?, attempts = attempts + 1 WHERE groupName = ? AND name = ?"),
  finish: db.prepare("UPDATE schedule SET due = NULL WHERE groupName = ? AND name = ?"),
})

const atOnce = 100

/** A second, then twice as long each time up to eight minutes. */
const wait = (attempts: number) => Math.min(2 ** attempts, 480) * 1000

const defaultRetry = { MaximumRetryAttempts: 185, MaximumEventAgeInSeconds: 86_400 }

export class Scheduler {
  readonly #options: Options
  readonly #db: DatabaseSync
  readonly #sql: ReturnType<typeof statements>
  #working: Promise<void> | undefined
  #cancelTimer?: () => void
  #closed: boolean = false

  constructor(options: Options) {
    this.#options = options
    this.#db = openDatabase(options.path)
    this.#db.exec(schema)
    this.#sql = statements(this.#db)
  }

  /** Begins to invoke what is due, also what became due while nothing ran. */
  start() {
    this.#wake()
  }

  /** Carries out one call; the answer is the body. Throws `AwsError` for what Scheduler would refuse. */
  async call({ method, path, query, body }: RestCall): Promise<object> {
    if (path === "/schedules" && method === "GET") return this.#list(query)
    const name = checkName(decodeURIComponent(/^\/schedules\/([^/]+)$/.exec(path)?.[1] ?? ""))
    const group = query.get("groupName") ?? "default"
    if (method === "POST") return this.#create(name, body)
    if (method === "GET") return view(this.#need(group, name), this.#arn(group, name))
    if (method === "DELETE") return this.#delete(group, name)
    throw new AwsError("UnknownOperationException", `Scheduler here does not know ${method} ${path}.`, 404)
  }

  /** Ends after the invocations under way. */
  async close() {
    this.#closed = true
    this.#cancelTimer?.()
    await this.#working
    this.#db.close()
  }

  #arn = (group: string, name: string) =>
    `arn:aws:scheduler:${this.#options.region}:${this.#options.account}:schedule/${group}/${name}`

  #list(query: URLSearchParams) {
    const rows = this.#sql.list.all(query.get("ScheduleGroup") ?? "%", `${query.get("NamePrefix") ?? ""}%`) as unknown as Row[]
    return {
      Schedules: rows.map(({ groupName, name }) => ({ Arn: this.#arn(groupName, name), GroupName: groupName, Name: name })),
    }
  }

  /** A name is one schedule: the same request again is the same schedule, and another one is refused. */
  #create(name: string, body: Record<string, unknown>) {
    const { ClientToken: token, ...schedule } = readSchedule(body)
    const { GroupName: group, ScheduleExpression, State } = schedule
    if (group !== "default" && !this.#options.groups.includes(group)) {
      throw new AwsError("ResourceNotFoundException", `Schedule group ${group} does not exist.`, 404)
    }
    const definition = JSON.stringify(schedule)
    const known = this.#find(group, name)
    if (known && (known.token !== token || known.definition !== definition)) {
      throw new AwsError("ConflictException", `Schedule ${name} already exists.`, 409)
    }
    const due = State === "ENABLED" ? timeOf(ScheduleExpression) : null
    if (!known) this.#sql.insert.run(group, name, token ?? null, definition, millis(), millis(), due)
    this.#wake()
    return { ScheduleArn: this.#arn(group, name) }
  }

  #delete(group: string, name: string) {
    this.#need(group, name)
    this.#sql.remove.run(group, name)
    return {}
  }

  #find(group: string, name: string) {
    return this.#sql.find.get(group, name) as unknown as Row | undefined
  }

  #need(group: string, name: string): Row {
    const row = this.#find(group, name)
    if (row) return row
    throw new AwsError("ResourceNotFoundException", `Schedule ${name} does not exist.`, 404)
  }

  /** Invokes what is due, and sets the timer for what is not. */
  #wake() {
    if (this.#closed || this.#working) return
    const due = this.#sql.due.all(millis(), atOnce) as unknown as Row[]
    if (due.length === 0) return this.#sleep()
    this.#working = Promise.all(due.map((row) => this.#attempt(row))).then(() => {
      this.#working = undefined
      this.#wake()
    })
  }

  #sleep() {
    this.#cancelTimer?.()
    const soonest = this.#sql.next.get()?.due
    if (typeof soonest === "number") this.#cancelTimer = after(soonest - millis(), () => this.#wake())
  }

  async #attempt(row: Row) {
    const { Target } = JSON.parse(row.definition) as Schedule
    try {
      await this.#options.invoke(Target)
      this.#finish(row)
    } catch (error) {
      this.#failed(row, Target, error)
    }
  }

  #failed(row: Row, target: Schedule["Target"], error: unknown) {
    const { MaximumRetryAttempts, MaximumEventAgeInSeconds } = target.RetryPolicy ?? defaultRetry
    const again = millis() + wait(row.attempts)
    const expired = again > timeOf((JSON.parse(row.definition) as Schedule).ScheduleExpression) + MaximumEventAgeInSeconds * 1000
    if (row.attempts < MaximumRetryAttempts && !expired) {
      this.#sql.postpone.run(again, row.groupName, row.name)
      return
    }
    this.#options.log?.(`Gave up schedule ${row.name}: ${String(error)}`)
    this.#finish(row)
  }

  #finish({ groupName, name, definition }: Row) {
    const { ActionAfterCompletion } = JSON.parse(definition) as Schedule
    if (ActionAfterCompletion === "DELETE") this.#sql.remove.run(groupName, name)
    else this.#sql.finish.run(groupName, name)
  }
}

const view = ({ name, definition, created, modified }: Row, Arn: string) => ({
  ...(JSON.parse(definition) as Schedule),
  Arn,
  Name: name,
  CreationDate: created / 1000,
  LastModificationDate: modified / 1000,
})

/**
 * EventBridge Scheduler of one machine: schedules that run once, at a time. One that CreateSchedule has answered is on disk, and its
 * target is invoked at least once when its time has come, also after a crash; a target that fails is tried again for a day.
 */
export const openScheduler = (options: Options): Scheduler => new Scheduler(options)
