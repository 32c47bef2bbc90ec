import { Logger } from "@aws-lambda-powertools/logger"
import type { SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda"
import type { z } from "zod"

const logger = new Logger({ serviceName: "dormouse" })

/**
 * Turns what is to be done with one message into a handler for batches of a queue. Messages are independent of each other: one that
 * fails comes again by itself, and ends in the dead-letter queue if it never succeeds. What `work` answers is logged, one line each.
 * Where messages need something that is cheaper got for all of them at once, `prepare` gets it.
 */
export const consume =
  <Body extends z.ZodType, Prepared = undefined>(
    schema: Body,
    name: string,
    work: (body: z.output<Body>, prepared: Prepared) => Promise<Record<string, unknown>>,
    prepare?: (bodies: z.output<Body>[]) => Promise<Prepared>,
  ) =>
  async ({ Records }: SQSEvent): Promise<SQSBatchResponse> => {
    const bodies = Records.map(async ({ body }) => schema.parse(JSON.parse(body)))
    const settled = await Promise.allSettled(bodies)
    const prepared = prepare?.(settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : [])))
    const failed = await Promise.all(Records.map((record, i) => consumeOne(record, bodies[i]!)))
    return { batchItemFailures: failed.filter((id) => id !== undefined).map((itemIdentifier) => ({ itemIdentifier })) }

    async function consumeOne({ messageId, attributes }: SQSRecord, body: Promise<z.output<Body>>): Promise<string | undefined> {
      const line = { messageId, received: Number(attributes.ApproximateReceiveCount) }
      try {
        logger.info(name, { ...line, ...(await work(await body, (await prepared) as Prepared)) })
        return undefined
      } catch (error) {
        logger.error(name, { ...line, error: error as Error })
        return messageId
      }
    }
  }
