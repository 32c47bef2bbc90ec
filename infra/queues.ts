import * as aws from "@pulumi/aws"
import { jsonStringify } from "@pulumi/pulumi"
import { createDeadQueue } from "./dead-queue.ts"
import { consumerSeconds } from "./functions.ts"
import type { Home } from "./home.ts"
import { type Lambda, type Lambdas, lambda } from "./lambda.ts"
import type { Parts } from "./parts.ts"
import { letEventsIn } from "./undelivered.ts"

const day = 86_400

/** What webhooks are delivered through. */
export interface Queues {
  /** Events of the bus that have not become deliveries yet. */
  events: aws.sqs.Queue
  /** Attempts that are due, and those to receivers that answer slowly and must not keep the others waiting. */
  deliveries: aws.sqs.Queue
  slowDeliveries: aws.sqs.Queue
}

export const createQueues = (home: Home, key: aws.kms.Key, topic: aws.sns.Topic): Queues => ({
  events: createQueue(home, key, topic, "events"),
  deliveries: createQueue(home, key, topic, "deliveries"),
  slowDeliveries: createQueue(home, key, topic, "slow-deliveries"),
})

/** A queue, and behind it another one for what nobody can process, which rings. */
function createQueue(home: Home, key: aws.kms.Key, topic: aws.sns.Topic, id: string) {
  const deadId = `${id}-dead`
  const means = `A message of the queue ${id} failed five times. It lies in ${deadId} for 14 days: see docs/webhooks.md`
  const dead = createDeadQueue(home, topic, { id: deadId, means, key })
  return new aws.sqs.Queue(id, {
    name: `${home.tenant}-${id}`,
    kmsMasterKeyId: key.arn,
    visibilityTimeoutSeconds: 6 * consumerSeconds,
    messageRetentionSeconds: 4 * day,
    redrivePolicy: jsonStringify({ deadLetterTargetArn: dead.arn, maxReceiveCount: 5 }),
  })
}

/** The bus fills the first queue by a rule, which is returned, and functions empty all of them. */
export function connectQueues({ home, bus, queues, undelivered }: Parts, lambdas: Lambdas) {
  const deliver = lambda(lambdas, "reactions/deliver")
  consume("fanout", queues.events, lambda(lambdas, "reactions/fanout"), { maximumConcurrency: 10 })
  consume("deliver", queues.deliveries, deliver, { maximumConcurrency: 50 })
  // Hardly more than waiting is done here: many receivers are waited for by few functions, and a second more does not count.
  consume("deliver-slowly", queues.slowDeliveries, deliver, { maximumConcurrency: 5, batchSize: 50, windowSeconds: 1 })
  return fill(home, bus, queues.events, undelivered)
}

function fill(home: Home, bus: aws.cloudwatch.EventBus, queue: aws.sqs.Queue, undelivered: aws.sqs.Queue) {
  const rule = new aws.cloudwatch.EventRule("webhooks", {
    name: `${home.tenant}-webhooks`,
    eventBusName: bus.name,
    eventPattern: JSON.stringify({ source: ["dormouse.tasks"] }),
  })
  new aws.cloudwatch.EventTarget("webhooks", {
    rule: rule.name,
    eventBusName: bus.name,
    arn: queue.arn,
    deadLetterConfig: { arn: undelivered.arn },
  })
  letEventsIn("events", queue, [rule])
  return rule
}

interface Pace {
  maximumConcurrency: number
  batchSize?: number
  windowSeconds?: number
}

const consume = (
  id: string,
  queue: aws.sqs.Queue,
  { function: fn, policy }: Lambda,
  { maximumConcurrency, batchSize = 10, windowSeconds = 0 }: Pace,
) =>
  new aws.lambda.EventSourceMapping(
    id,
    {
      eventSourceArn: queue.arn,
      functionName: fn.arn,
      batchSize,
      maximumBatchingWindowInSeconds: windowSeconds,
      scalingConfig: { maximumConcurrency },
      functionResponseTypes: ["ReportBatchItemFailures"],
    },
    { dependsOn: [policy] },
  )
