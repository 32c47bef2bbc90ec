import type { DatabaseSync } from "node:sqlite"
import { crc32 } from "node:zlib"
import { after } from "#core/clock.ts"
import { matches } from "../eventbridge/pattern.ts"
import type { JsonService } from "../service.ts"
import type { EventSourceWiring } from "../wiring.ts"
import { Checkpoint } from "./checkpoint.ts"
import { Lane } from "./lane.ts"
import { type StreamRecord, sequence, toLambda } from "./record.ts"

interface Options {
  db: DatabaseSync
  mapping: EventSourceWiring
  streams: JsonService
  invoke: (records: StreamRecord[]) => Promise<unknown>
  discard: (shard: string, records: StreamRecord[], invocations: number, error: unknown) => Promise<void>
  log: (line: string) => void
}

interface Shard {
  id: string
  /** Attribute that is the table's partition key. */
  partitionKey: string
  checkpoint: Checkpoint
  lanes: Lane[]
  /** Sequence number of the last record read since the start. */
  last: string | undefined
}

interface Description {
  StreamDescription: { Shards: { ShardId: string }[]; KeySchema: { AttributeName: string; KeyType: string }[] }
}

/** So many records are read ahead of the checkpoint at most; then the slowest batch has to be done with first. */
const mostAhead = 10_000
const retryMilliseconds = 5_000

/** Reads one stream for one function: every record once, and into the lane of its partition key. */
export class Reader {
  readonly #options: Options
  readonly #region: string
  readonly #shards = new Map<string, Shard>()
  #reading: Promise<void> | undefined
  #again: boolean = false
  #closed: boolean = false
  #cancelRetry?: () => void

  constructor(options: Options) {
    this.#options = options
    this.#region = options.mapping.source.split(":")[3] ?? ""
  }

  /** Reads until the stream has nothing more. */
  wake() {
    if (this.#closed) return
    this.#again = true
    this.#reading ??= this.#readAll().finally(() => {
      this.#reading = undefined
      if (this.#again) this.wake()
    })
  }

  async close() {
    this.#closed = true
    this.#cancelRetry?.()
    await this.#reading
    await Promise.all([...this.#shards.values()].flatMap(({ lanes }) => lanes).map((lane) => lane.close()))
  }

  async #readAll() {
    try {
      while (this.#again && !this.#closed) {
        this.#again = false
        for (const shard of await this.#describe()) await this.#readShard(shard)
      }
    } catch (error) {
      this.#options.log(`Could not read ${this.#options.mapping.source}: ${String(error)}`)
      this.#again = false
      this.#cancelRetry?.()
      if (!this.#closed) this.#cancelRetry = after(retryMilliseconds, () => this.wake())
    }
  }

  async #call<Answer>(operation: string, input: Record<string, unknown>): Promise<Answer> {
    const answer = await this.#options.streams.call(operation, input, { accessKeyId: "event-source", region: this.#region })
    return answer as Answer
  }

  async #describe(): Promise<Shard[]> {
    const { StreamDescription } = await this.#call<Description>("DescribeStream", { StreamArn: this.#options.mapping.source })
    const partitionKey = StreamDescription.KeySchema.find(({ KeyType }) => KeyType === "HASH")?.AttributeName ?? ""
    return StreamDescription.Shards.map(({ ShardId }) => this.#shard(ShardId, partitionKey))
  }

  #shard(id: string, partitionKey: string): Shard {
    const known = this.#shards.get(id)
    if (known) return known
    const { db, mapping } = this.#options
    const checkpoint = new Checkpoint(db, `${mapping.source} ${id} ${mapping.function}`)
    const lanes = Array.from({ length: Math.max(1, mapping.parallelization) }, () => this.#lane(id, checkpoint))
    const shard: Shard = { id, partitionKey, checkpoint, lanes, last: checkpoint.position }
    this.#shards.set(id, shard)
    return shard
  }

  #lane(shard: string, checkpoint: Checkpoint): Lane {
    const { mapping, invoke, discard, log } = this.#options
    return new Lane({
      mapping,
      invoke,
      log,
      discard: (records, invocations, error) => discard(shard, records, invocations, error),
      finish: (records) => {
        const wasFull = checkpoint.ahead >= mostAhead
        checkpoint.finish(records)
        if (wasFull && checkpoint.ahead < mostAhead) this.wake()
      },
    })
  }

  async #readShard(shard: Shard) {
    let iterator = await this.#iterator(shard)
    while (iterator && !this.#closed && shard.checkpoint.ahead < mostAhead) {
      const page: { Records: StreamRecord[]; NextShardIterator?: string } = await this.#call("GetRecords", {
        ShardIterator: iterator,
        Limit: 1000,
      })
      if (page.Records.length === 0) return
      this.#distribute(shard, page.Records)
      iterator = page.NextShardIterator
    }
  }

  async #iterator({ id, last }: Shard): Promise<string | undefined> {
    const position = last
      ? { ShardIteratorType: "AFTER_SEQUENCE_NUMBER", SequenceNumber: last }
      : { ShardIteratorType: "TRIM_HORIZON" }
    const input = { StreamArn: this.#options.mapping.source, ShardId: id, ...position }
    const { ShardIterator } = await this.#call<{ ShardIterator?: string }>("GetShardIterator", input)
    return ShardIterator
  }

  #distribute(shard: Shard, records: StreamRecord[]) {
    const fresh = shard.checkpoint.read(records)
    const wanted = fresh.filter((record) => this.#passes(record))
    for (const record of wanted) this.#laneOf(shard, record).push(record)
    const taken = new Set(wanted)
    shard.checkpoint.finish(fresh.filter((record) => !taken.has(record)))
    shard.last = sequence(records.at(-1)!)
    for (const lane of shard.lanes) lane.wake()
  }

  #passes(record: StreamRecord): boolean {
    const { filters, source } = this.#options.mapping
    return filters.length === 0 || filters.some((filter) => matches(filter, toLambda(record, source)))
  }

  #laneOf({ partitionKey, lanes }: Shard, { dynamodb }: StreamRecord): Lane {
    const hash = crc32(JSON.stringify(dynamodb.Keys[partitionKey] ?? dynamodb.Keys))
    return lanes[hash % lanes.length]!
  }
}
