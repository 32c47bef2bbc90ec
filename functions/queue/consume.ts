import { Logger } from "@aws-lambda-powertools/logger"
import type { SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda"
import type { z } from "zod"

const logger = new Logger({ serviceName: "dormouse" })

/**
 * Turns what is to be done with one message into a handler for batches of a queue. Messages are independent of each other: one that
 * fails comes again by itself, and ends in the dead-letter queue if it never succeeds. What `work` answers is logged, one line each.
 */
export const consume =
  <Body extends z.ZodType>(schema: Body, name: string, work: (body: z.output<Body>) => Promise<Record<string, unknown>>) =>
  async ({ Records }: SQSEvent): Promise<SQSBatchResponse> => {
    const failed = await Promise.all(Records.map((record) => consumeOne(record)))
    return { batchItemFailures: failed.filter((id) => id !== undefined).map((itemIdentifier) => ({ itemIdentifier })) }

    async function consumeOne({ messageId, body, attributes }: SQSRecord): Promise<string | undefined> {
      const line = { messageId, received: Number(attributes.ApproximateReceiveCount) }
      try {
        const parsed = schema.parse(JSON.parse(body))
        logger.info(name, { ...line, ...(await work(parsed)) })
        return undefined
      } catch (error) {
        logger.error(name, { ...line, error: error as Error })
        return messageId
      }
    }
  }
