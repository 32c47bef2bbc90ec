import { arnOf, every, type Graph, nameOf } from "../graph.ts"
import type { Wiring } from "./types.ts"

/** How a queue says where its messages go that nobody can process. */
interface Redrive {
  deadLetterTargetArn: string
  maxReceiveCount: number
}

/** Every queue, with the values that AWS gives to what it does not say. */
export const queueWiring = (graph: Graph): Wiring["queues"] =>
  every(graph, "sqs/queue:Queue").map((queue) => {
    const { inputs } = queue
    const redrive = inputs.redrivePolicy ? (JSON.parse(inputs.redrivePolicy) as Redrive) : undefined
    return {
      name: nameOf(queue),
      arn: arnOf(queue),
      region: queue.region ?? graph.region,
      visibilitySeconds: inputs.visibilityTimeoutSeconds ?? 30,
      delaySeconds: inputs.delaySeconds ?? 0,
      waitSeconds: inputs.receiveWaitTimeSeconds ?? 0,
      retentionSeconds: inputs.messageRetentionSeconds ?? 345_600,
      ...(redrive && { deadLetter: { arn: redrive.deadLetterTargetArn, maxReceives: redrive.maxReceiveCount } }),
    }
  })
