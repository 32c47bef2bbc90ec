import * as aws from "@pulumi/aws"
import { alarm } from "./alarms.ts"
import type { Home } from "./home.ts"

const day = 86_400

interface DeadQueue {
  id: string
  means: string
  /** Of the region of the queue, which is home where none is named. */
  key?: aws.kms.Key
  region?: string
}

/** A queue that rings as soon as something is in it. */
export function createDeadQueue(home: Home, topic: aws.sns.Topic, { id, means, key, region }: DeadQueue) {
  const queue = new aws.sqs.Queue(id, {
    name: `${home.tenant}-${id}`,
    region,
    ...(key ? { kmsMasterKeyId: key.arn } : { sqsManagedSseEnabled: true }),
    messageRetentionSeconds: 14 * day,
  })
  alarm(home, topic, {
    id,
    means,
    region,
    namespace: "AWS/SQS",
    metric: "ApproximateNumberOfMessagesVisible",
    dimensions: { QueueName: queue.name },
    statistic: "Maximum",
  })
  return queue
}
