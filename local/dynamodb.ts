/**
 * DynamoDB and DynamoDB Streams over one SQLite file. Every operation is carried out in one go, so that nobody ever sees half of
 * a transaction; what was acknowledged survives the process.
 */
import { every } from "#core/clock.ts"
import type { Call, Input, Operation } from "./dynamodb/call.ts"
import { Bill, type Units } from "./dynamodb/capacity.ts"
import { batchExecuteStatement } from "./dynamodb/partiql.ts"
import { query, scan } from "./dynamodb/query.ts"
import { batchGetItem, getItem } from "./dynamodb/read.ts"
import { Store } from "./dynamodb/store.ts"
import { describeStream, getRecords, getShardIterator, listStreams } from "./dynamodb/stream.ts"
import { considerateSweep, sweep } from "./dynamodb/sweep.ts"
import * as tables from "./dynamodb/tables.ts"
import { transactGetItems, transactWriteItems } from "./dynamodb/transaction.ts"
import { batchWriteItem, deleteItem, putItem, updateItem } from "./dynamodb/write.ts"
import { AwsError, type Caller, type JsonService } from "./service.ts"

const tableOperations: Record<string, Operation> = {
  CreateTable: tables.createTable,
  DescribeTable: tables.describeTable,
  UpdateTable: tables.updateTable,
  DeleteTable: tables.deleteTable,
  ListTables: tables.listTables,
  UpdateTimeToLive: tables.updateTimeToLive,
  DescribeTimeToLive: tables.describeTimeToLive,
  TagResource: tables.tagResource,
  UntagResource: tables.untagResource,
  ListTagsOfResource: tables.listTagsOfResource,
  GetItem: getItem,
  PutItem: putItem,
  UpdateItem: updateItem,
  DeleteItem: deleteItem,
  Query: query,
  Scan: scan,
  BatchGetItem: batchGetItem,
  BatchWriteItem: batchWriteItem,
  BatchExecuteStatement: batchExecuteStatement,
  TransactGetItems: transactGetItems,
  TransactWriteItems: transactWriteItems,
}

const streamOperations: Record<string, Operation> = {
  ListStreams: listStreams,
  DescribeStream: describeStream,
  GetShardIterator: getShardIterator,
  GetRecords: getRecords,
}

const sweepMs = 15_000

export interface DynamoDbOptions {
  /** SQLite file, or `:memory:`. */
  path: string
  region: string
  account: string
  /** Hears of every table whose stream has new records, after they are committed. */
  onStream?: (tableName: string) => void
  /** Hears what every call has used, refused ones included, once for each table. */
  onUnits?: (units: Units, caller: Caller) => void
}

export interface DynamoDb {
  /** Target `DynamoDB_20120810`. */
  tables: JsonService
  /** Target `DynamoDBStreams_20120810`. */
  streams: JsonService
  /** Expires items and trims streams at once, as happens every 15 seconds of the clock anyway. */
  sweep(): void
  close(): void
}

/** Opens the database, and makes it where there is none. */
export function openDynamoDb({ path, region, account, onStream, onUnits }: DynamoDbOptions): DynamoDb {
  const store = new Store(path, (tableName) => onStream?.(tableName))
  const stop = every(sweepMs, considerateSweep(store))

  const service = (target: string, operations: Record<string, Operation>): JsonService => ({
    target,
    contentType: "application/x-amz-json-1.0",
    async call(name, input: Input, caller) {
      const operation = Object.hasOwn(operations, name) ? operations[name] : undefined
      if (!operation) throw new AwsError("UnknownOperationException", `${target} has no operation ${name} here`)
      const call: Call = { store, bill: new Bill(), region, account }
      try {
        return operation(call, input)
      } finally {
        for (const units of call.bill.units(name)) onUnits?.(units, caller)
      }
    },
  })

  return {
    tables: service("DynamoDB_20120810", tableOperations),
    streams: service("DynamoDBStreams_20120810", streamOperations),
    sweep: () => sweep(store),
    close() {
      stop()
      store.close()
    },
  }
}
