import { ConflictException, CreateScheduleCommand, SchedulerClient } from "@aws-sdk/client-scheduler"
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs"
import * as z from "zod"
import { setting } from "./aws.ts"
import { millis } from "./clock.ts"

/** How a delivery waits for its next attempt. */

export const Message = z.object({
  accountId: z.string(),
  webhookId: z.string(),
  deliveryId: z.string(),
  /** Attempts that were made before: a message for an attempt that was made already means nothing any more. */
  attempt: z.int().min(0),
  /** Came through the queue of webhooks that answer slowly. */
  isSlow: z.boolean(),
})

export type Message = z.infer<typeof Message>

// Without this the client would follow the queue's own address, even where another endpoint is set.
const sqs = new SQSClient({ useQueueUrlAsEndpoint: false })
const scheduler = new SchedulerClient({})

/** A message waits no longer in a queue; a schedule is no more exact than a minute. */
const longestDelayMs = 900_000

/** Has the attempt made at that time (milliseconds since the epoch), or soon after. Asked for again, it may be made twice. */
export async function enqueue(message: Message, at: number): Promise<void> {
  const input = {
    QueueUrl: setting(message.isSlow ? "SLOW_DELIVERY_QUEUE_URL" : "DELIVERY_QUEUE_URL"),
    MessageBody: JSON.stringify(message),
    // A fair queue: an account that has many deliveries under way comes after those that have few, however many webhooks it has.
    MessageGroupId: message.accountId,
  }
  const wait = Math.max(0, at - millis())
  if (wait > longestDelayMs) return schedule(`${message.deliveryId}-${message.attempt}`, at, input)
  await sqs.send(new SendMessageCommand({ ...input, DelaySeconds: Math.ceil(wait / 1000) }))
}

async function schedule(name: string, at: number, input: object) {
  try {
    await scheduler.send(
      new CreateScheduleCommand({
        Name: name,
        GroupName: setting("SCHEDULE_GROUP"),
        ScheduleExpression: `at(${new Date(Math.ceil(at / 1000) * 1000).toISOString().slice(0, 19)})`,
        FlexibleTimeWindow: { Mode: "OFF" },
        ActionAfterCompletion: "DELETE",
        Target: {
          Arn: "arn:aws:scheduler:::aws-sdk:sqs:sendMessage",
          RoleArn: setting("SCHEDULER_ROLE_ARN"),
          Input: JSON.stringify(input),
        },
      }),
    )
  } catch (error) {
    if (!(error instanceof ConflictException)) throw error
  }
}
