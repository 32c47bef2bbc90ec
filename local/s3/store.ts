import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite"
import type { Segment } from "./blobs.ts"
import type { Checksum } from "./checksum.ts"
import type { Properties } from "./properties.ts"

/** What is known of an object besides its bytes. */
export interface StoredObject {
  key: string
  /** Owner of its segments. An object of many parts has the id of its upload. */
  id: string
  size: number
  etag: string
  /** Milliseconds since the epoch. */
  modified: number
  properties: Properties
  checksum?: Checksum
}

export interface Upload {
  id: string
  bucket: string
  key: string
  properties: Properties
  /** Checksum that the object is to have; `value` is empty. */
  checksum?: Checksum
}

export interface Part {
  number: number
  /** Owner of its segment. */
  id: string
  size: number
  etag: string
  modified: number
  checksum?: Checksum
}

type Row = Record<string, unknown>

/** Keys are stored as UTF-8 bytes: that is the order in which S3 lists them, and a NUL in one ends nothing. */
const schema = `
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS buckets (name TEXT PRIMARY KEY) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS objects (
    bucket TEXT, key BLOB, id TEXT, size INTEGER, etag TEXT, modified INTEGER, properties TEXT, checksum TEXT,
    PRIMARY KEY (bucket, key)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS segments (
    owner TEXT, position INTEGER, blob TEXT, size INTEGER,
    PRIMARY KEY (owner, position)
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS segments_by_blob ON segments (blob);
  CREATE TABLE IF NOT EXISTS uploads (id TEXT PRIMARY KEY, bucket TEXT, key BLOB, properties TEXT, checksum TEXT) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS parts (
    upload TEXT, number INTEGER, id TEXT, size INTEGER, etag TEXT, modified INTEGER, checksum TEXT,
    PRIMARY KEY (upload, number)
  ) WITHOUT ROWID;
`

/** Everything about objects but their bytes. Only one process at a time can have it open; to another one the constructor throws. */
export class Store {
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  constructor(path: string) {
    this.#database = new DatabaseSync(path)
    try {
      this.#database.exec(schema)
    } catch (error) {
      this.#database.close()
      throw new Error(`${path} cannot be opened (${String(error)}); another process may have it open`, { cause: error })
    }
  }

  close() {
    this.#database.close()
  }

  /** Carries `work` out whole or not at all. It must not wait for anything. */
  transaction<Result>(work: () => Result): Result {
    this.#database.exec("BEGIN IMMEDIATE")
    try {
      const result = work()
      this.#database.exec("COMMIT")
      return result
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK")
      throw error
    }
  }

  /** False when there is one of this name. */
  createBucket(name: string) {
    return this.#run("INSERT OR IGNORE INTO buckets VALUES (?)", name) > 0
  }

  hasBucket(name: string) {
    return this.#get("SELECT 1 FROM buckets WHERE name = ?", name) !== undefined
  }

  find(bucket: string, key: string): StoredObject | undefined {
    const row = this.#get("SELECT * FROM objects WHERE bucket = ? AND key = ?", bucket, bytes(key))
    return row && objectOf(row)
  }

  /** Objects whose key is at least `from` and below `before`, in order. */
  list(bucket: string, from: Uint8Array, before: Uint8Array | undefined, limit: number): StoredObject[] {
    const rows = before
      ? this.#all(
          "SELECT * FROM objects WHERE bucket = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?",
          bucket,
          from,
          before,
          limit,
        )
      : this.#all("SELECT * FROM objects WHERE bucket = ? AND key >= ? ORDER BY key LIMIT ?", bucket, from, limit)
    return rows.map(objectOf)
  }

  segments(owner: string): Segment[] {
    const rows = this.#all("SELECT blob, size FROM segments WHERE owner = ? ORDER BY position", owner)
    return rows.map((row) => ({ blob: row.blob as string, size: row.size as number }))
  }

  /** Puts an object in the place of what had its key. Answers the blobs that are free now. Part of a transaction. */
  put(bucket: string, object: StoredObject, segments: Segment[]): string[] {
    this.#own(object.id, segments)
    const freed = this.remove(bucket, object.key)
    const { key, id, size, etag, modified, properties, checksum } = object
    this.#run(
      "INSERT INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      ...[bucket, bytes(key), id, size, etag, modified, JSON.stringify(properties), json(checksum)],
    )
    return freed
  }

  /** Removes an object, if it is there. Answers the blobs that are free now. Part of a transaction. */
  remove(bucket: string, key: string): string[] {
    const row = this.#get("DELETE FROM objects WHERE bucket = ? AND key = ? RETURNING id", bucket, bytes(key))
    return row ? this.#disown(row.id as string) : []
  }

  createUpload({ id, bucket, key, properties, checksum }: Upload) {
    this.#run("INSERT INTO uploads VALUES (?, ?, ?, ?, ?)", id, bucket, bytes(key), JSON.stringify(properties), json(checksum))
  }

  upload(id: string, bucket: string, key: string): Upload | undefined {
    const row = this.#get("SELECT * FROM uploads WHERE id = ? AND bucket = ? AND key = ?", id, bucket, bytes(key))
    return row && { id, bucket, key, properties: JSON.parse(row.properties as string), ...checksumOf(row) }
  }

  /** Puts a part in the place of what had its number. Answers the blobs that are free now. Part of a transaction. */
  putPart(upload: string, part: Part, segment: Segment): string[] {
    this.#own(part.id, [segment])
    const freed = this.#removePart(upload, part.number)
    const { number, id, size, etag, modified, checksum } = part
    this.#run("INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?, ?)", upload, number, id, size, etag, modified, json(checksum))
    return freed
  }

  /** Parts of an upload whose number is above `after`, in order. */
  parts(upload: string, after = 0, limit = 10_000): Part[] {
    const rows = this.#all("SELECT * FROM parts WHERE upload = ? AND number > ? ORDER BY number LIMIT ?", upload, after, limit)
    return rows.map((row) => ({
      number: row.number as number,
      id: row.id as string,
      size: row.size as number,
      etag: row.etag as string,
      modified: row.modified as number,
      ...checksumOf(row),
    }))
  }

  /** Forgets an upload and its parts. Answers the blobs that are free now. Part of a transaction. */
  removeUpload(id: string): string[] {
    const freed = this.parts(id).flatMap(({ number }) => this.#removePart(id, number))
    this.#run("DELETE FROM uploads WHERE id = ?", id)
    return freed
  }

  /** Every blob that a row refers to. */
  blobs(): Set<string> {
    return new Set(this.#all("SELECT DISTINCT blob FROM segments").map((row) => row.blob as string))
  }

  #removePart(upload: string, number: number): string[] {
    const row = this.#get("DELETE FROM parts WHERE upload = ? AND number = ? RETURNING id", upload, number)
    return row ? this.#disown(row.id as string) : []
  }

  #own(owner: string, segments: Segment[]) {
    for (const [position, { blob, size }] of segments.entries()) {
      this.#run("INSERT INTO segments VALUES (?, ?, ?, ?)", owner, position, blob, size)
    }
  }

  /** Copies share blobs, so one is free only when its last owner lets go of it. */
  #disown(owner: string): string[] {
    const blobs = this.segments(owner).map(({ blob }) => blob)
    this.#run("DELETE FROM segments WHERE owner = ?", owner)
    return blobs.filter((blob) => this.#get("SELECT 1 FROM segments WHERE blob = ?", blob) === undefined)
  }

  #statement(sql: string) {
    const known = this.#statements.get(sql)
    if (known) return known
    const statement = this.#database.prepare(sql)
    this.#statements.set(sql, statement)
    return statement
  }

  #run(sql: string, ...values: SQLInputValue[]) {
    return Number(this.#statement(sql).run(...values).changes)
  }

  #get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#statement(sql).get(...values)
  }

  #all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#statement(sql).all(...values)
  }
}

const bytes = (text: string) => Buffer.from(text, "utf8")

const json = (value: unknown) => (value === undefined ? null : JSON.stringify(value))

const checksumOf = (row: Row): { checksum?: Checksum } => (row.checksum ? { checksum: JSON.parse(row.checksum as string) } : {})

const objectOf = (row: Row): StoredObject => ({
  key: Buffer.from(row.key as Uint8Array).toString("utf8"),
  id: row.id as string,
  size: row.size as number,
  etag: row.etag as string,
  modified: row.modified as number,
  properties: JSON.parse(row.properties as string),
  ...checksumOf(row),
})
