import { randomUUID } from "node:crypto"
import type { DatabaseSync } from "node:sqlite"
import { millis } from "#core/clock.ts"
import { atomically } from "../database.ts"
import type { QueueWiring } from "../wiring.ts"

/** A message as it is sent. */
export interface NewMessage {
  body: string
  /** Message attributes as JSON, as the protocol writes them. */
  attributes?: string | undefined
  groupId?: string | undefined
  delaySeconds?: number | undefined
}

/** A message as it lies in a queue. */
export interface Message {
  id: number
  messageId: string
  body: string
  attributes: string | null
  groupId: string | null
  sent: number
  firstReceived: number | null
  receives: number
  receipt: string | null
  /** The queue that gave it up. */
  deadFrom: string | null
}

const schema = `
  CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, messageId TEXT NOT NULL, body TEXT NOT NULL, attributes TEXT,
    groupId TEXT, sent INTEGER NOT NULL, firstReceived INTEGER, receives INTEGER NOT NULL DEFAULT 0, visibleAt INTEGER NOT NULL,
    receipt TEXT, deadFrom TEXT
  ) STRICT;
  CREATE INDEX IF NOT EXISTS message_visible ON message (queue, visibleAt);
  CREATE INDEX IF NOT EXISTS message_receipt ON message (receipt);
`

/** Whoever has the fewest messages in flight comes first, and a call takes one of each group before a second of any. */
const fairly = `
  WITH busy AS (
    SELECT groupId, count(*) AS inFlight FROM message
    WHERE queue = :queue AND visibleAt > :now AND receipt IS NOT NULL AND groupId IS NOT NULL GROUP BY groupId
  )
  SELECT message.id FROM message LEFT JOIN busy ON busy.groupId = message.groupId
  WHERE queue = :queue AND visibleAt <= :now
  ORDER BY coalesce(inFlight, 0) + row_number() OVER (PARTITION BY coalesce(message.groupId, message.id) ORDER BY message.id),
    message.id
  LIMIT :most`

const statements = (db: DatabaseSync) => ({
  insert: db.prepare(
    "INSERT INTO message (queue, messageId, body, attributes, groupId, sent, visibleAt) VALUES (?, ?, ?, ?, ?, ?, ?)",
  ),
  fairly: db.prepare(fairly),
  take: db.prepare(
    `UPDATE message SET receipt = ?, receives = receives + 1, visibleAt = ?, firstReceived = coalesce(firstReceived, ?)
     WHERE id = ? RETURNING *`,
  ),
  bury: db.prepare(
    `UPDATE message SET queue = ?, deadFrom = ?, receipt = NULL, receives = 0, firstReceived = NULL
     WHERE queue = ? AND visibleAt <= ? AND receives >= ? RETURNING messageId`,
  ),
  forget: db.prepare("DELETE FROM message WHERE queue = ? AND sent <= ?"),
  remove: db.prepare("DELETE FROM message WHERE queue = ? AND receipt = ?"),
  hide: db.prepare("UPDATE message SET visibleAt = ? WHERE queue = ? AND receipt = ? AND visibleAt > ? RETURNING id"),
  next: db.prepare("SELECT min(visibleAt) AS at FROM message WHERE queue = ? AND visibleAt > ?"),
  purge: db.prepare("DELETE FROM message WHERE queue = ?"),
  counts: db.prepare(
    `SELECT count(*) FILTER (WHERE visibleAt <= :now) AS visible,
       count(*) FILTER (WHERE visibleAt > :now AND receipt IS NOT NULL) AS inFlight,
       count(*) FILTER (WHERE visibleAt > :now AND receipt IS NULL) AS delayed
     FROM message WHERE queue = :queue`,
  ),
})

/** The messages of all queues, on disk. */
export class Store {
  readonly #db: DatabaseSync
  readonly #sql: ReturnType<typeof statements>

  constructor(db: DatabaseSync) {
    db.exec(schema)
    this.#db = db
    this.#sql = statements(db)
  }

  /** Once this returns, all of the messages are on disk. Answers their ids. */
  add({ name, delaySeconds: ordinary }: QueueWiring, messages: NewMessage[]): string[] {
    return atomically(this.#db, () =>
      messages.map(({ body, attributes, groupId, delaySeconds = ordinary }) => {
        const messageId = randomUUID()
        const now = millis()
        this.#sql.insert.run(name, messageId, body, attributes ?? null, groupId ?? null, now, now + delaySeconds * 1000)
        return messageId
      }),
    )
  }

  /** Takes messages out of sight for a while and counts that they were received. What was received too often is moved away before. */
  take(queue: QueueWiring, most: number, visibilitySeconds: number): { taken: Message[]; buried: string[] } {
    return atomically(this.#db, () => {
      const now = millis()
      const buried = this.#tidy(queue, now)
      const ids = this.#sql.fairly.all({ queue: queue.name, now, most }) as { id: number }[]
      const until = now + visibilitySeconds * 1000
      const taken = ids.map(({ id }) => this.#sql.take.get(randomUUID(), until, now, id) as unknown as Message)
      return { taken, buried }
    })
  }

  /** Deletes the message that this receipt was given for, unless it was received again since. */
  remove({ name }: QueueWiring, receipt: string) {
    this.#sql.remove.run(name, receipt)
  }

  /** Whether a message was in flight under this receipt, and now stays out of sight for so long. */
  hide({ name }: QueueWiring, receipt: string, seconds: number): boolean {
    const now = millis()
    return this.#sql.hide.get(now + seconds * 1000, name, receipt, now) !== undefined
  }

  purge({ name }: QueueWiring) {
    this.#sql.purge.run(name)
  }

  /** When the next message comes into sight that is not there now. */
  nextVisible({ name }: QueueWiring): number | undefined {
    const at = this.#sql.next.get(name, millis())?.at
    return typeof at === "number" ? at : undefined
  }

  counts({ name }: QueueWiring): { visible: number; inFlight: number; delayed: number } {
    return this.#sql.counts.get({ queue: name, now: millis() }) as { visible: number; inFlight: number; delayed: number }
  }

  #tidy({ name, arn, retentionSeconds, deadLetter }: QueueWiring, now: number): string[] {
    this.#sql.forget.run(name, now - retentionSeconds * 1000)
    if (!deadLetter) return []
    const target = deadLetter.arn.split(":").at(-1)!
    return this.#sql.bury.all(target, arn, name, now, deadLetter.maxReceives).map(({ messageId }) => String(messageId))
  }
}
