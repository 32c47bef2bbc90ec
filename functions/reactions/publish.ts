import { Logger } from "@aws-lambda-powertools/logger"
import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from "aws-lambda"
import * as Publication from "#core/publication.ts"

const logger = new Logger({ serviceName: "dormouse" })

/**
 * The one consumer of the table's stream. Everything that must follow from a commit happens here, after it: events go on the bus,
 * executions start, waitings end. All of it may come twice.
 */
export const handler = async ({ Records }: DynamoDBStreamEvent): Promise<DynamoDBBatchResponse> => {
  for (const record of Records) {
    try {
      await Publication.publish(record.dynamodb?.NewImage)
    } catch (error) {
      // Records of a shard keep their order: what follows the first failure is tried again with it.
      logger.error("publish", { record: record.eventID, error: error as Error })
      return { batchItemFailures: [{ itemIdentifier: numberOf(record) }] }
    }
  }
  return { batchItemFailures: [] }
}

const numberOf = (record: DynamoDBRecord) => record.dynamodb?.SequenceNumber ?? ""
