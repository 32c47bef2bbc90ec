import { randomUUID } from "node:crypto"
import { every, now } from "#core/clock.ts"
import { openDatabase } from "./database.ts"
import { validate } from "./eventbridge/pattern.ts"
import { Poller } from "./eventsources/poller.ts"
import { Reader } from "./eventsources/reader.ts"
import { toFailure, toLambda } from "./eventsources/record.ts"
import type { JsonService } from "./service.ts"
import type { Sqs } from "./sqs/service.ts"
import type { EventSourceWiring, Wiring } from "./wiring.ts"

interface Options {
  /** File of the database. */
  path: string
  mappings: Wiring["eventSources"]
  /** DynamoDBStreams. */
  streams: JsonService
  sqs: Sqs
  /** Invokes a function and gives its answer; rejects when it failed. By name or ARN, as the mapping has it. */
  invoke: (functionArn: string, payload: unknown) => Promise<unknown>
  /** Puts a batch that could not be processed into an S3 bucket; rejects when that failed. */
  onFailure: (destinationArn: string, record: object) => Promise<void>
  log?: (line: string) => void
}

export interface EventSources {
  /** To be called when a table's stream has new records. */
  wake(tableName: string): void
  /** Ends after the invocations under way; what they did not do is done after the next start. */
  close(): Promise<void>
}

/** Nothing waits for this: it only mends what a missed wake would leave. */
const safetyMilliseconds = 60_000

/** Whether a mapping's source is a queue. */
export const isQueue = ({ source }: EventSourceWiring) => source.startsWith("arn:aws:sqs:")

/**
 * Lambda's event source mappings, for queues (see Poller) and for DynamoDB streams. Of a stream, every record that passes a filter reaches its function at least once and, per
 * partition key, in order; what was read and done is kept, so that a restart goes on where it was. A batch that fails is tried again
 * after growing waits, split where the mapping says so, and at last put into its failure destination.
 */
export const openEventSources = (options: Options): EventSources => {
  const { path, mappings, log = () => undefined } = options
  for (const { filters } of mappings) for (const filter of filters) validate(filter)
  const db = openDatabase(path)
  const readers = mappings
    .filter((mapping) => !isQueue(mapping))
    .map((mapping) => ({
      table: /:table\/([^/]+)\//.exec(mapping.source)?.[1],
      reader: new Reader({ db, mapping, log, streams: options.streams, ...work(mapping, options, log) }),
    }))
  const pollers = mappings.filter(isQueue).map((mapping) => pollerOf(mapping, options, log))
  const wakeAll = () => {
    for (const { reader } of readers) reader.wake()
  }
  const stopPolling = every(safetyMilliseconds, wakeAll)
  wakeAll()
  return {
    wake: (tableName) => {
      for (const { table, reader } of readers) if (table === tableName) reader.wake()
    },
    close: async () => {
      stopPolling()
      await Promise.all([...readers.map(({ reader }) => reader.close()), ...pollers.map((poller) => poller.close())])
      db.close()
    },
  }
}

const pollerOf = (mapping: EventSourceWiring, { sqs, invoke }: Options, log: (line: string) => void) =>
  new Poller({ mapping, sqs, log, invoke: (Records) => invoke(mapping.function, { Records }) })

/** What a reader does with records of this mapping. */
const work = (mapping: EventSourceWiring, { invoke, onFailure }: Options, log: (line: string) => void) => {
  const { source, function: functionArn, failureDestinationArn } = mapping
  const reader: Pick<ConstructorParameters<typeof Reader>[0], "invoke" | "discard"> = {
    invoke: (records) => invoke(functionArn, { Records: records.map((record) => toLambda(record, source)) }),
    discard: async (shard, records, invocations, error) => {
      log(`Gave up ${records.length} records of ${source} for ${functionArn}: ${String(error)}`)
      const failure = { records, source, shard, functionArn, invocations, requestId: randomUUID(), time: now() }
      if (failureDestinationArn) await onFailure(failureDestinationArn, toFailure(failure))
    },
  }
  return reader
}
