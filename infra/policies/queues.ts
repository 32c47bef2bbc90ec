import { arnOf, every, type Graph, nameOf, type Of } from "../graph.ts"
import type { Policy } from "../policies.ts"
import { rings } from "./alarms.ts"
import { label } from "./names.ts"

type Queue = Of<"sqs/queue:Queue">

export const queues: Record<string, Policy> = {
  "what nobody can process leaves its queue, and rings an alarm": (graph) =>
    worked(graph).flatMap(({ queue }) => {
      const dead = deadLettersOf(graph, queue)
      if (!dead) return [`${label(queue)} keeps what nobody can process`]
      const isWatched = rings(graph, "AWS/SQS", "ApproximateNumberOfMessagesVisible", { QueueName: nameOf(dead) })
      return isWatched ? [] : [`${label(dead)}: nobody watches it`]
    }),

  "a message stays out of sight for six times as long as its function may run": (graph) =>
    worked(graph)
      .filter(({ queue, seconds }) => (queue.inputs.visibilityTimeoutSeconds ?? 30) < 6 * seconds)
      .map(({ queue }) => label(queue)),
}

/** Whether an event source is a queue. */
export const isQueue = (source: string | undefined) => source?.startsWith("arn:aws:sqs:") ?? false

/** Every queue that a function consumes, with the time that the function may take. */
const worked = (graph: Graph) =>
  every(graph, "lambda/eventSourceMapping:EventSourceMapping").flatMap(({ inputs }) => {
    const queue = every(graph, "sqs/queue:Queue").find((candidate) => arnOf(candidate) === inputs.eventSourceArn)
    const fn = every(graph, "lambda/function:Function").find((candidate) => arnOf(candidate) === inputs.functionName)
    return queue ? [{ queue, seconds: fn?.inputs.timeout ?? 3 }] : []
  })

const deadLettersOf = (graph: Graph, { inputs }: Queue) => {
  const { deadLetterTargetArn } = JSON.parse(inputs.redrivePolicy ?? "{}") as { deadLetterTargetArn?: string }
  return every(graph, "sqs/queue:Queue").find((queue) => arnOf(queue) === deadLetterTargetArn)
}
