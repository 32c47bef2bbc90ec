/** The SQLite file: tables, items, index entries, stream records and request tokens. Everything here is synchronous. */
import { DatabaseSync } from "node:sqlite"
import { AwsError } from "../service.ts"
import { type Index, indexesOf, type Table } from "./table.ts"
import { type Item, sizeOf } from "./value.ts"

const schema = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  PRAGMA busy_timeout = 5000;
  CREATE TABLE IF NOT EXISTS spaces (id INTEGER PRIMARY KEY AUTOINCREMENT, purpose TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS tables (name TEXT PRIMARY KEY, definition TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS items (
    space INTEGER NOT NULL, key TEXT NOT NULL, item TEXT NOT NULL, size INTEGER NOT NULL, expires INTEGER,
    PRIMARY KEY (space, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS items_that_expire ON items (expires) WHERE expires IS NOT NULL;
  CREATE TABLE IF NOT EXISTS entries (
    space INTEGER NOT NULL, key TEXT NOT NULL, item TEXT NOT NULL,
    PRIMARY KEY (space, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS records (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, at INTEGER NOT NULL, record TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS records_of_stream ON records (stream, sequence);
  CREATE INDEX IF NOT EXISTS records_by_age ON records (at);
  CREATE TABLE IF NOT EXISTS requests (token TEXT PRIMARY KEY, digest TEXT NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS requests_by_age ON requests (at);
`

/** From and to are key texts; the first is part of the range, the second is not. */
export interface Range {
  from: string
  to: string
  reverse: boolean
}

interface Row {
  item: string
}

interface RecordRow {
  sequence: number
  record: string
}

function statements(database: DatabaseSync) {
  const sql = (text: string) => database.prepare(text)
  const bothWays = (text: string) => ({ forward: sql(`${text} ASC`), backward: sql(`${text} DESC`) })
  return {
    tables: sql("SELECT definition FROM tables"),
    define: sql("INSERT INTO tables VALUES (?, ?) ON CONFLICT DO UPDATE SET definition = excluded.definition"),
    undefine: sql("DELETE FROM tables WHERE name = ?"),
    newSpace: sql("INSERT INTO spaces (purpose) VALUES (?)"),

    item: sql("SELECT item FROM items WHERE space = ? AND key = ?"),
    put: sql(`INSERT INTO items VALUES (?, ?, ?, ?, ?)
              ON CONFLICT DO UPDATE SET item = excluded.item, size = excluded.size, expires = excluded.expires`),
    erase: sql("DELETE FROM items WHERE space = ? AND key = ?"),
    wipeItems: sql("DELETE FROM items WHERE space = ?"),
    total: sql("SELECT count(*) AS items, coalesce(sum(size), 0) AS bytes FROM items WHERE space = ?"),
    items: bothWays("SELECT item FROM items WHERE space = ? AND key >= ? AND key < ? ORDER BY key"),

    enter: sql("INSERT INTO entries VALUES (?, ?, ?)"),
    leave: sql("DELETE FROM entries WHERE space = ? AND key = ?"),
    wipeEntries: sql("DELETE FROM entries WHERE space = ?"),
    totalEntries: sql("SELECT count(*) AS entries FROM entries WHERE space = ?"),
    entries: bothWays(`SELECT items.item FROM entries CROSS JOIN items ON items.space = ? AND items.key = entries.item
                       WHERE entries.space = ? AND entries.key >= ? AND entries.key < ? ORDER BY entries.key`),

    expired: sql("SELECT space, key, item FROM items WHERE expires > ? AND expires <= ? ORDER BY expires LIMIT ?"),
    expireBy: sql("UPDATE items SET expires = CAST(item ->> ('$.' || json_quote(?) || '.N') AS INTEGER) WHERE space = ?"),
    expireNever: sql("UPDATE items SET expires = NULL WHERE space = ?"),

    append: sql("INSERT INTO records (stream, at, record) VALUES (?, ?, ?)"),
    records: sql("SELECT sequence, record FROM records WHERE stream = ? AND sequence > ? ORDER BY sequence LIMIT ?"),
    lastOfStream: sql("SELECT coalesce(max(sequence), 0) AS sequence FROM records WHERE stream = ?"),
    last: sql("SELECT coalesce(max(sequence), 0) AS sequence FROM records"),
    trim: sql("DELETE FROM records WHERE at <= ? AND sequence <= ?"),
    dropStream: sql("DELETE FROM records WHERE stream = ?"),

    remember: sql("INSERT INTO requests VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET digest = excluded.digest, at = excluded.at"),
    remembered: sql("SELECT digest FROM requests WHERE token = ? AND at > ?"),
    forget: sql("DELETE FROM requests WHERE at <= ?"),
  }
}

export class Store {
  readonly #database: DatabaseSync
  readonly #sql: ReturnType<typeof statements>
  readonly #onRecord: (tableName: string) => void
  /** Tables that get records in the transaction under way. */
  readonly #recorded = new Set<string>()
  #tables: Map<string, Table>

  /** Opens or creates the file. `onRecord` hears of every table that got stream records, once they are committed. */
  constructor(path: string, onRecord: (tableName: string) => void) {
    this.#database = new DatabaseSync(path)
    this.#database.exec(schema)
    this.#sql = statements(this.#database)
    this.#onRecord = onRecord
    this.#tables = this.#load()
  }

  #load() {
    const rows = this.#sql.tables.all() as { definition: string }[]
    const tables = rows.map(({ definition }) => JSON.parse(definition) as Table)
    return new Map(tables.map((table) => [table.TableName, table]))
  }

  /** All that `work` writes is committed together, or nothing of it if it throws. */
  atomically<Result>(work: () => Result): Result {
    this.#database.exec("BEGIN IMMEDIATE")
    try {
      const result = work()
      this.#database.exec("COMMIT")
      for (const name of this.#recorded) queueMicrotask(() => this.#onRecord(name))
      return result
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK")
      this.#tables = this.#load()
      throw error
    } finally {
      this.#recorded.clear()
    }
  }

  /** In the order of their names. */
  tables() {
    return [...this.#tables.values()].sort((one, other) => (one.TableName < other.TableName ? -1 : 1))
  }

  find(name: string) {
    return this.#tables.get(name)
  }

  /** The table; ResourceNotFoundException if there is none. */
  table(name: string): Table {
    const table = this.find(name)
    if (!table) throw new AwsError("ResourceNotFoundException", "Requested resource not found")
    return table
  }

  define(table: Table) {
    this.#sql.define.run(table.TableName, JSON.stringify(table))
    this.#tables.set(table.TableName, table)
  }

  /** Removes the table with all that is in it. */
  undefine(table: Table) {
    this.#sql.undefine.run(table.TableName)
    this.#tables.delete(table.TableName)
    this.#sql.wipeItems.run(table.space)
    for (const index of indexesOf(table)) this.wipeIndex(index)
    if (table.stream) this.dropStream(table.stream.arn)
  }

  /** A number for a new table or index to keep its items under. */
  newSpace(purpose: string) {
    return Number(this.#sql.newSpace.run(purpose).lastInsertRowid)
  }

  item(table: Table, key: string): Item | undefined {
    const row = this.#sql.item.get(table.space, key) as Row | undefined
    return row && (JSON.parse(row.item) as Item)
  }

  put(table: Table, key: string, item: Item) {
    this.#sql.put.run(table.space, key, JSON.stringify(item), sizeOf(item), expiryOf(item, table))
  }

  erase(table: Table, key: string) {
    this.#sql.erase.run(table.space, key)
  }

  total(table: Table) {
    return this.#sql.total.get(table.space) as { items: number; bytes: number }
  }

  /** The items of a range of keys, read as they are asked for. */
  *items(table: Table, { from, to, reverse }: Range): Generator<Item> {
    const { forward, backward } = this.#sql.items
    for (const row of (reverse ? backward : forward).iterate(table.space, from, to)) yield itemIn(row)
  }

  enter(index: Index, key: string, item: string) {
    this.#sql.enter.run(index.space, key, item)
  }

  leave(index: Index, key: string) {
    this.#sql.leave.run(index.space, key)
  }

  wipeIndex(index: Index) {
    this.#sql.wipeEntries.run(index.space)
  }

  totalEntries(index: Index) {
    return (this.#sql.totalEntries.get(index.space) as { entries: number }).entries
  }

  /** The whole items behind a range of an index's entries, read as they are asked for. */
  *entries(table: Table, index: Index, { from, to, reverse }: Range): Generator<Item> {
    const { forward, backward } = this.#sql.entries
    for (const row of (reverse ? backward : forward).iterate(table.space, index.space, from, to)) yield itemIn(row)
  }

  /** Items whose time to live ended after `from` and not after `to`, both in seconds since the epoch. */
  expired(from: number, to: number, limit: number) {
    const rows = this.#sql.expired.all(from, to, limit) as { space: number; key: string; item: string }[]
    return rows.map((row) => ({ ...row, item: itemIn(row) }))
  }

  /** Reads anew when the table's items expire, after its attribute for that has changed. */
  renewExpiry({ ttl, space }: Table) {
    if (ttl === undefined) this.#sql.expireNever.run(space)
    else this.#sql.expireBy.run(ttl, space)
  }

  /** Adds a record to the table's stream. */
  append(table: Table, at: number, record: object) {
    this.#sql.append.run(table.stream!.arn, at, JSON.stringify(record))
    this.#recorded.add(table.TableName)
  }

  *records(arn: string, after: number, limit: number): Generator<RecordRow> {
    for (const row of this.#sql.records.iterate(arn, after, limit)) yield row as unknown as RecordRow
  }

  /** Number of the newest record, of one stream or of all; 0 if there is none. */
  lastSequence(arn?: string) {
    const row = arn === undefined ? this.#sql.last.get() : this.#sql.lastOfStream.get(arn)
    return (row as { sequence: number }).sequence
  }

  /** Removes records that are older than `before`, in milliseconds, and not newer than the sequence number. */
  trim(before: number, sequence: number) {
    this.#sql.trim.run(before, sequence)
  }

  dropStream(arn: string) {
    this.#sql.dropStream.run(arn)
  }

  remember(token: string, digest: string, at: number) {
    this.#sql.remember.run(token, digest, at)
  }

  /** Digest of the request that used the token, if that was after `since`, in milliseconds. */
  remembered(token: string, since: number) {
    return (this.#sql.remembered.get(token, since) as { digest: string } | undefined)?.digest
  }

  /** Forgets the tokens that were used before `before`, in milliseconds. */
  forget(before: number) {
    this.#sql.forget.run(before)
  }

  close() {
    this.#database.close()
  }
}

const itemIn = (row: unknown) => JSON.parse((row as Row).item) as Item

/** Seconds since the epoch at which an item's time to live ends; null if it has none. */
function expiryOf(item: Item, { ttl }: Table): number | null {
  const seconds = Math.floor(Number((ttl !== undefined && item[ttl]?.N) || Number.NaN))
  return Number.isSafeInteger(seconds) ? seconds : null
}
