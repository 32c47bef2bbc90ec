import * as aws from "@pulumi/aws"
import { type Input, jsonStringify, type Output } from "@pulumi/pulumi"
import { createAlarmTopic } from "./alarms.ts"
import { createDeadQueue } from "./dead-queue.ts"
import type { Home } from "./home.ts"

const means =
  "An event could not be handed to what a rule of ours names, or encrypted by the bus. It lies in this queue for 14 days: see docs/operate.md"

/** What EventBridge gives up after a day of tries, of the rules at home, and what the bus cannot encrypt. Without it that would be dropped without a word. */
export const createUndelivered = (home: Home, key: aws.kms.Key, topic: aws.sns.Topic) =>
  createDeadQueue(home, topic, { id: "undelivered", means, key })

/**
 * The same for the rules of another region: neither a rule's dead letters nor an alarm can leave theirs. There is no key of ours, so SQS
 * encrypts the queue with its own; what an alarm says is no secret.
 */
export function createUndeliveredAbroad(home: Home, region: string) {
  const topic = createAlarmTopic(home, { region })
  return createDeadQueue(home, topic, { id: `undelivered-${region}`, means, region })
}

/** Lets these rules and buses, and no others, put events into a queue. */
export const letEventsIn = (id: string, queue: aws.sqs.Queue, from: (aws.cloudwatch.EventRule | aws.cloudwatch.EventBus)[]) =>
  new aws.sqs.QueuePolicy(id, {
    queueUrl: queue.url,
    region: queue.region,
    policy: letIn(
      queue.arn,
      from.map(({ arn }) => arn),
    ),
  })

const letIn = (queue: Input<string>, sources: Output<string>[]) =>
  jsonStringify({
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "Events",
        Effect: "Allow",
        Principal: { Service: "events.amazonaws.com" },
        Action: "sqs:SendMessage",
        Resource: queue,
        Condition: { ArnEquals: { "aws:SourceArn": sources } },
      },
    ],
  })
