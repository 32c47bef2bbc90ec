import type { DatabaseSync } from "node:sqlite"
import { atomically } from "../database.ts"
import { type StreamRecord, sequence } from "./record.ts"

const schema = `
  CREATE TABLE IF NOT EXISTS checkpoints (reader TEXT PRIMARY KEY, sequence TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS finished (reader TEXT NOT NULL, sequence TEXT NOT NULL, PRIMARY KEY (reader, sequence)) STRICT;
`

const statements = (db: DatabaseSync) => ({
  read: db.prepare("SELECT sequence FROM checkpoints WHERE reader = ?"),
  save: db.prepare("INSERT OR REPLACE INTO checkpoints (reader, sequence) VALUES (?, ?)"),
  finished: db.prepare("SELECT sequence FROM finished WHERE reader = ?"),
  finish: db.prepare("INSERT OR IGNORE INTO finished (reader, sequence) VALUES (?, ?)"),
  forget: db.prepare("DELETE FROM finished WHERE reader = ? AND sequence = ?"),
})

/**
 * How far one reader of a shard has come: everything up to the checkpoint is done, and beyond it the records that were finished
 * while an earlier one still waits. Both are on disk, so that a restart repeats at most what was under way.
 */
export class Checkpoint {
  readonly #db: DatabaseSync
  readonly #reader: string
  readonly #sql: ReturnType<typeof statements>
  readonly #finished: Set<string>
  /** Sequence numbers that were read and are not behind the checkpoint yet, in the stream's order. */
  readonly #outstanding: string[] = []

  constructor(db: DatabaseSync, reader: string) {
    db.exec(schema)
    this.#db = db
    this.#reader = reader
    this.#sql = statements(db)
    this.#finished = new Set(this.#sql.finished.all(reader).map((row) => String(row.sequence)))
  }

  /** Sequence number to go on behind, or nothing for the beginning. */
  get position(): string | undefined {
    const row = this.#sql.read.get(this.#reader)
    return row ? String(row.sequence) : undefined
  }

  /** How many records were read and are not behind the checkpoint. */
  get ahead(): number {
    return this.#outstanding.length
  }

  /** Takes note of records just read; the answer is those that were not finished before a restart. */
  read(records: StreamRecord[]): StreamRecord[] {
    this.#outstanding.push(...records.map(sequence))
    return records.filter((record) => !this.#finished.has(sequence(record)))
  }

  /** Records are done with, one way or another. */
  finish(records: StreamRecord[]) {
    for (const record of records) this.#finished.add(sequence(record))
    const firstOpen = this.#outstanding.findIndex((one) => !this.#finished.has(one))
    const passed = new Set(this.#outstanding.splice(0, firstOpen < 0 ? this.#outstanding.length : firstOpen))
    atomically(this.#db, () => {
      for (const one of records.map(sequence)) if (!passed.has(one)) this.#sql.finish.run(this.#reader, one)
      for (const one of passed) this.#sql.forget.run(this.#reader, one)
      const last = [...passed].at(-1)
      if (last !== undefined) this.#sql.save.run(this.#reader, last)
    })
    for (const one of passed) this.#finished.delete(one)
  }
}
