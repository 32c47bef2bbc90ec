import { DatabaseSync, type SQLOutputValue } from "node:sqlite"
import type { Definition } from "./definition.ts"
import { dueAt, type Execution, type HistoryEvent, type Progress, type Status } from "./execution.ts"

/** What Step Functions remembers: one SQLite file. Everything here happens at once; nothing waits. */

// Executions hold their own definition and role, as on AWS: one that runs is not changed by a deployment.
// `due` is the time at which the clock acts next; a change of status waits in `changes` until it has been announced.
const schema = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  PRAGMA foreign_keys = ON;
  CREATE TABLE IF NOT EXISTS machines (arn TEXT PRIMARY KEY, created INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS executions (
    number INTEGER PRIMARY KEY AUTOINCREMENT, arn TEXT NOT NULL UNIQUE, machine TEXT NOT NULL, machine_name TEXT NOT NULL,
    name TEXT NOT NULL, role TEXT NOT NULL, definition TEXT NOT NULL, status TEXT NOT NULL, input TEXT NOT NULL,
    output TEXT, error TEXT, cause TEXT, started INTEGER NOT NULL, stopped INTEGER, deadline INTEGER,
    events INTEGER NOT NULL, progress TEXT NOT NULL, due INTEGER);
  CREATE INDEX IF NOT EXISTS executions_of_machine ON executions (machine, number);
  CREATE INDEX IF NOT EXISTS executions_due ON executions (due) WHERE due IS NOT NULL;
  CREATE INDEX IF NOT EXISTS executions_stopped ON executions (stopped) WHERE stopped IS NOT NULL;
  CREATE TABLE IF NOT EXISTS events (
    execution INTEGER NOT NULL REFERENCES executions (number) ON DELETE CASCADE,
    id INTEGER NOT NULL, at INTEGER NOT NULL, type TEXT NOT NULL, details TEXT NOT NULL, PRIMARY KEY (execution, id)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS changes (number INTEGER PRIMARY KEY AUTOINCREMENT, detail TEXT NOT NULL);
`

type Row = Record<string, SQLOutputValue>

export interface StoredEvent extends HistoryEvent {
  id: number
  at: number
}

export type NewExecution = Omit<Execution, "number" | "events">

const optionalText = (value: SQLOutputValue | undefined) => (typeof value === "string" ? value : undefined)
const optionalNumber = (value: SQLOutputValue | undefined) => (value === null || value === undefined ? undefined : Number(value))

const executionOf = (row: Row): Execution => ({
  number: Number(row.number),
  arn: String(row.arn),
  machine: String(row.machine),
  machineName: String(row.machine_name),
  name: String(row.name),
  role: String(row.role),
  definition: JSON.parse(String(row.definition)) as Definition,
  status: String(row.status) as Status,
  input: String(row.input),
  output: optionalText(row.output),
  error: optionalText(row.error),
  cause: optionalText(row.cause),
  startedAt: Number(row.started),
  stoppedAt: optionalNumber(row.stopped),
  deadline: optionalNumber(row.deadline),
  events: Number(row.events),
  progress: JSON.parse(String(row.progress)) as Progress,
})

export type Store = ReturnType<typeof openStore>

/** Opens, or makes, the file at `path`. */
export const openStore = (path: string) => {
  const db = new DatabaseSync(path)
  db.exec(schema)
  const statements = prepare(db)

  return {
    close: () => db.close(),

    /** All or nothing: what `work` writes is there after it, or nothing of it is. */
    atomically: <Result>(work: () => Result): Result => {
      db.exec("BEGIN IMMEDIATE")
      try {
        const result = work()
        db.exec("COMMIT")
        return result
      } catch (error) {
        db.exec("ROLLBACK")
        throw error
      }
    },

    /** The time a machine was first seen here; now, if it never was. */
    machineCreated: (arn: string, at: number): number => {
      statements.addMachine.run(arn, at)
      return Number(statements.machine.get(arn)?.created)
    },

    find: (arn: string): Execution | undefined => {
      const row = statements.find.get(arn)
      return row && executionOf(row)
    },

    add: (execution: NewExecution): Execution => {
      const { arn, machine, machineName, name, role, definition, input, startedAt, deadline, progress } = execution
      const settled: Execution = { ...execution, number: 0, events: 0 }
      const { lastInsertRowid } = statements.add.run(
        ...[arn, machine, machineName, name, role, JSON.stringify(definition), input, startedAt],
        ...[deadline ?? null, JSON.stringify(progress), dueAt(settled) ?? null],
      )
      return { ...settled, number: Number(lastInsertRowid) }
    },

    /** Writes what may change of an execution. */
    save: (execution: Execution) => {
      const { number, status, output, error, cause, stoppedAt, events, progress } = execution
      statements.save.run(
        ...[status, output ?? null, error ?? null, cause ?? null, stoppedAt ?? null, events],
        ...[JSON.stringify(progress), dueAt(execution) ?? null, number],
      )
    },

    addEvent: (execution: number, id: number, at: number, { type, details }: HistoryEvent) =>
      statements.addEvent.run(execution, id, at, type, JSON.stringify(details)),

    /** Events whose id is past `after`, in either direction. */
    events: (execution: number, backwards: boolean, after: number, limit: number): StoredEvent[] => {
      const rows = (backwards ? statements.eventsBackwards : statements.events).all(execution, after, limit)
      return rows.map((row) => ({
        id: Number(row.id),
        at: Number(row.at),
        type: String(row.type),
        details: JSON.parse(String(row.details)) as Record<string, unknown>,
      }))
    },

    /** Executions of a machine, the newest first, that are older than number `before`. */
    list: (machine: string, status: string | undefined, before: number, limit: number): Execution[] =>
      statements.list.all(machine, before, status ?? null, limit).map(executionOf),

    running: (): string[] => statements.running.all().map(({ arn }) => String(arn)),
    due: (now: number): string[] => statements.due.all(now).map(({ arn }) => String(arn)),
    nextDue: (): number | undefined => optionalNumber(statements.nextDue.get()?.due),

    /** Forgets what ended before `time`. */
    forget: (time: number) => statements.forget.run(time),

    announceLater: (detail: object) => statements.addChange.run(JSON.stringify(detail)),
    unannounced: (): { number: number; detail: Record<string, unknown> }[] =>
      statements.changes.all().map((row) => ({
        number: Number(row.number),
        detail: JSON.parse(String(row.detail)) as Record<string, unknown>,
      })),
    announced: (number: number) => statements.removeChange.run(number),
  }
}

const prepare = (db: DatabaseSync) => ({
  addMachine: db.prepare("INSERT INTO machines (arn, created) VALUES (?, ?) ON CONFLICT DO NOTHING"),
  machine: db.prepare("SELECT created FROM machines WHERE arn = ?"),
  find: db.prepare("SELECT * FROM executions WHERE arn = ?"),
  add: db.prepare(
    `INSERT INTO executions (arn, machine, machine_name, name, role, definition, input, started, deadline, progress, due, status, events)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'RUNNING', 0)`,
  ),
  save: db.prepare(
    `UPDATE executions SET status = ?, output = ?, error = ?, cause = ?, stopped = ?, events = ?, progress = ?, due = ? WHERE number = ?`,
  ),
  addEvent: db.prepare("INSERT INTO events (execution, id, at, type, details) VALUES (?, ?, ?, ?, ?)"),
  events: db.prepare("SELECT * FROM events WHERE execution = ? AND id > ? ORDER BY id LIMIT ?"),
  eventsBackwards: db.prepare("SELECT * FROM events WHERE execution = ? AND id < ? ORDER BY id DESC LIMIT ?"),
  list: db.prepare(
    "SELECT * FROM executions WHERE machine = ?1 AND number < ?2 AND (?3 IS NULL OR status = ?3) ORDER BY number DESC LIMIT ?4",
  ),
  running: db.prepare("SELECT arn FROM executions WHERE status = 'RUNNING' ORDER BY number"),
  due: db.prepare("SELECT arn FROM executions WHERE due <= ? ORDER BY due, number"),
  nextDue: db.prepare("SELECT MIN(due) AS due FROM executions WHERE due IS NOT NULL"),
  forget: db.prepare("DELETE FROM executions WHERE stopped <= ?"),
  addChange: db.prepare("INSERT INTO changes (detail) VALUES (?)"),
  changes: db.prepare("SELECT * FROM changes ORDER BY number"),
  removeChange: db.prepare("DELETE FROM changes WHERE number = ?"),
})
