import type { DatabaseSync } from "node:sqlite"
import { atomically, openDatabase } from "../database.ts"
import type { TaskDefinition } from "./definition.ts"
import { idOf, type StateChange, type Task } from "./task.ts"

const schema = `
  CREATE TABLE IF NOT EXISTS definitions (
    region TEXT NOT NULL, family TEXT NOT NULL, revision INTEGER NOT NULL, definition TEXT NOT NULL, PRIMARY KEY (region, family, revision)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS tasks (
    id TEXT PRIMARY KEY, region TEXT NOT NULL, status TEXT NOT NULL, task TEXT NOT NULL, stopped INTEGER, pid INTEGER, identity TEXT
  ) STRICT;
  CREATE INDEX IF NOT EXISTS tasks_status ON tasks (status, region);
  CREATE TABLE IF NOT EXISTS tokens (
    scope TEXT NOT NULL, token TEXT NOT NULL, hash TEXT NOT NULL, task TEXT NOT NULL, expires INTEGER NOT NULL, PRIMARY KEY (scope, token)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, region TEXT NOT NULL, event TEXT NOT NULL) STRICT;
`

const statements = (db: DatabaseSync) => ({
  latest: db.prepare("SELECT coalesce(max(revision), 0) AS revision FROM definitions WHERE region = ? AND family = ?"),
  register: db.prepare("INSERT INTO definitions VALUES (?, ?, ?, ?)"),
  definition: db.prepare("SELECT definition FROM definitions WHERE region = ? AND family = ? AND revision = ?"),
  insert: db.prepare("INSERT INTO tasks (id, region, status, task) VALUES (?, ?, ?, ?)"),
  update: db.prepare("UPDATE tasks SET status = ?, task = ?, stopped = ? WHERE id = ?"),
  process: db.prepare("UPDATE tasks SET pid = ?, identity = ? WHERE id = ?"),
  task: db.prepare("SELECT * FROM tasks WHERE id = ? AND region = ?"),
  inRegion: db.prepare("SELECT * FROM tasks WHERE region = ? ORDER BY rowid"),
  unfinished: db.prepare("SELECT * FROM tasks WHERE status != 'STOPPED'"),
  prune: db.prepare("DELETE FROM tasks WHERE status = 'STOPPED' AND stopped < ?"),
  token: db.prepare("SELECT hash, task FROM tokens WHERE scope = ? AND token = ? AND expires > ?"),
  keepToken: db.prepare("INSERT OR REPLACE INTO tokens VALUES (?, ?, ?, ?, ?)"),
  pruneTokens: db.prepare("DELETE FROM tokens WHERE expires <= ?"),
  addEvent: db.prepare("INSERT INTO events (region, event) VALUES (?, ?)"),
  events: db.prepare("SELECT * FROM events ORDER BY id"),
  removeEvent: db.prepare("DELETE FROM events WHERE id = ?"),
})

export interface TaskRow {
  region: string
  task: Task
  /** Process on this machine, once there is one, and what tells it from others of its number. */
  pid?: number
  identity?: string
}

const readRow = (row: Record<string, unknown>): TaskRow => ({
  region: String(row.region),
  task: JSON.parse(String(row.task)),
  ...(row.pid !== null && { pid: Number(row.pid) }),
  ...(row.identity !== null && { identity: String(row.identity) }),
})

const day = 24 * 3_600_000

/** What ECS knows, on disk. A task and the event that it causes are written together. */
export class Store {
  readonly #db: DatabaseSync
  readonly #sql: ReturnType<typeof statements>

  constructor(path: string) {
    this.#db = openDatabase(path)
    this.#db.exec(schema)
    this.#sql = statements(this.#db)
  }

  /** Writes the next revision of a family, which `make` gets the number of. */
  register(region: string, family: string, make: (revision: number) => TaskDefinition): TaskDefinition {
    return atomically(this.#db, () => {
      const definition = make(this.latestRevision(region, family) + 1)
      this.#sql.register.run(region, family, definition.revision, JSON.stringify(definition))
      return definition
    })
  }

  latestRevision(region: string, family: string): number {
    return Number(this.#sql.latest.get(region, family)?.revision)
  }

  definition(region: string, family: string, revision: number): TaskDefinition | undefined {
    const row = this.#sql.definition.get(region, family, revision)
    return row && JSON.parse(String(row.definition))
  }

  /** The request that used a token within the last day. */
  usedToken(scope: string, token: string, at: number): { hash: string; task: string } | undefined {
    const row = this.#sql.token.get(scope, token, at)
    return row && { hash: String(row.hash), task: String(row.task) }
  }

  /** Writes a new task, with the token that it was asked for by, and forgets what is older than a day. */
  add(region: string, task: Task, at: number, token?: { scope: string; token: string; hash: string }) {
    atomically(this.#db, () => {
      this.#sql.prune.run(at - day)
      this.#sql.pruneTokens.run(at)
      this.#sql.insert.run(idOf(task), region, task.lastStatus, JSON.stringify(task))
      if (token) this.#sql.keepToken.run(token.scope, token.token, token.hash, idOf(task), at + day)
    })
  }

  setProcess(id: string, pid: number, identity: string) {
    this.#sql.process.run(pid, identity, id)
  }

  /** Writes what has become of a task, and the event that tells of it, if it is one to tell of. */
  save(region: string, task: Task, event?: StateChange) {
    const stopped = task.stoppedAt === undefined ? null : task.stoppedAt * 1000
    atomically(this.#db, () => {
      this.#sql.update.run(task.lastStatus, JSON.stringify(task), stopped === null ? null : Math.round(stopped), idOf(task))
      if (event) this.#sql.addEvent.run(region, JSON.stringify(event))
    })
  }

  task(region: string, id: string): TaskRow | undefined {
    const row = this.#sql.task.get(id, region)
    return row && readRow(row)
  }

  tasks(region: string): Task[] {
    return this.#sql.inRegion.all(region).map((row) => readRow(row).task)
  }

  unfinished(): TaskRow[] {
    return this.#sql.unfinished.all().map(readRow)
  }

  /** Hands over the events that were not handed over yet, each of which is then forgotten. */
  takeEvents(put: (region: string, event: StateChange) => void) {
    for (const { id, region, event } of this.#sql.events.all()) {
      const { time, ...rest } = JSON.parse(String(event))
      put(String(region), { ...rest, time: new Date(time) })
      this.#sql.removeEvent.run(Number(id))
    }
  }

  close() {
    this.#db.close()
  }
}
