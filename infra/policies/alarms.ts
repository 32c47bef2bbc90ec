import { arnOf, every, type Graph, type Of, text } from "../graph.ts"
import type { Policy } from "../policies.ts"
import { label } from "./names.ts"

type Source = Of<"lambda/eventSourceMapping:EventSourceMapping">

export const alarms: Record<string, Policy> = {
  "every alarm tells somebody, also that it is over": (graph) => {
    const topics = every(graph, "sns/topic:Topic")
    const isTopicOf = (region: string | undefined) => (arn: unknown) =>
      topics.some((topic) => arnOf(topic) === arn && topic.region === region)
    return every(graph, "cloudwatch/metricAlarm:MetricAlarm")
      .filter(({ region, inputs: { alarmActions, okActions } }) =>
        [alarmActions, okActions].some((actions) => !actions?.some(isTopicOf(region))),
      )
      .map(label)
  },

  "what a stream's consumer gives up rings an alarm": (graph) =>
    every(graph, "lambda/eventSourceMapping:EventSourceMapping")
      .filter(({ inputs }) => inputs.destinationConfig?.onFailure)
      .filter((source) => !counts(source) || !watched(graph, source))
      .map(label),

  "executions that end badly ring an alarm": (graph) =>
    every(graph, "sfn/stateMachine:StateMachine").flatMap((machine) =>
      ["ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"]
        .filter((metric) => !rings(graph, "AWS/States", metric, { StateMachineArn: arnOf(machine) }))
        .map((metric) => `${label(machine)}: nobody watches ${metric}`),
    ),
}

const counts = ({ inputs }: Source) => inputs.metricsConfig?.metrics.includes("EventCount")

const watched = (graph: Graph, source: Source) =>
  rings(graph, "AWS/Lambda", "OnFailureDestinationDeliveredEventCount", { EventSourceMappingUUID: text(source, "uuid") })

/** Whether some alarm watches this metric of this thing, in the region where it is. */
export const rings = (
  graph: Graph,
  namespace: string,
  metricName: string,
  dimensions: Record<string, string>,
  region = graph.region,
) =>
  every(graph, "cloudwatch/metricAlarm:MetricAlarm").some(
    ({ inputs, ...alarm }) =>
      alarm.region === region &&
      inputs.namespace === namespace &&
      inputs.metricName === metricName &&
      Object.entries(dimensions).every(([name, value]) => inputs.dimensions?.[name] === value),
  )
