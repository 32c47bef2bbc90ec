import * as aws from "@pulumi/aws"
import type { Input } from "@pulumi/pulumi"
import type { Home } from "./home.ts"
import { type Lambdas, lambda } from "./lambda.ts"
import type { Machine } from "./machine.ts"
import type { Parts } from "./parts.ts"

/** What somebody has to look at: each sum over five minutes, and from which value on it is too much. */
export interface Watch {
  /** Part of the alarm's name. */
  id: string
  /** What it means and where to look, for whoever is woken by it. */
  means: string
  namespace: string
  metric: string
  dimensions: Record<string, Input<string>>
  /** Of the metric, and so of the alarm and the topic; home where none is named. */
  region?: string
  statistic?: "Sum" | "Maximum"
  from?: number
}

/** Where the alarms of a region go: to the address of the settings, and to whatever else subscribes. */
export function createAlarmTopic(home: Home, { key, region }: { key?: aws.kms.Key; region?: string }): aws.sns.Topic {
  const id = region ? `alarms-${region}` : "alarms"
  const topic = new aws.sns.Topic(id, { region, name: `${home.tenant}-alarms`, kmsMasterKeyId: key?.arn })
  if (home.alarmEmail) {
    new aws.sns.TopicSubscription(id, { region, topic: topic.arn, protocol: "email", endpoint: home.alarmEmail })
  }
  return topic
}

/** Rings once when it begins and once when it is over. No data is no trouble: a stack without work has none. */
export const alarm = (home: Home, topic: aws.sns.Topic, { id, means, metric, statistic = "Sum", from = 1, ...watch }: Watch) =>
  new aws.cloudwatch.MetricAlarm(id, {
    ...watch,
    name: `${home.tenant}-${id}`,
    alarmDescription: means,
    metricName: metric,
    statistic,
    period: 300,
    evaluationPeriods: 1,
    threshold: from,
    comparisonOperator: "GreaterThanOrEqualToThreshold",
    treatMissingData: "notBreaching",
    alarmActions: [topic.arn],
    okActions: [topic.arn],
  })

interface Watched {
  api: { name: Input<string> }
  machine: Machine
  lambdas: Lambdas
  stream: aws.lambda.EventSourceMapping
}

/** Everything that mends itself or not, but must not go on unseen. */
export function createAlarms({ home, topic, table }: Parts, { api, machine, lambdas, stream }: Watched) {
  const watches = [
    ...watchesOfApi(api.name),
    ...watchesOfStream(stream, lambdas),
    ...watchesOfMachine(machine),
    ...watchesOfFunctions(lambdas),
    {
      id: "table-throttled",
      means: "DynamoDB refuses writes: a partition is too hot, or the account's limit is reached",
      namespace: "AWS/DynamoDB",
      metric: "WriteThrottleEvents",
      dimensions: { TableName: table.name },
    },
  ]
  for (const watch of watches) alarm(home, topic, watch)
}

const watchesOfApi = (name: Input<string>): Watch[] => [
  {
    id: "api-errors",
    means: "The API answered 5xx: the functions' logs have each with its request id",
    namespace: "AWS/ApiGateway",
    metric: "5XXError",
    dimensions: { ApiName: name },
    from: 5,
  },
]

const watchesOfStream = (stream: aws.lambda.EventSourceMapping, lambdas: Lambdas): Watch[] => [
  {
    id: "stream-late",
    means: "The table's stream is read a minute late or more: tasks start late, and events are announced late",
    namespace: "AWS/Lambda",
    metric: "IteratorAge",
    dimensions: { FunctionName: lambda(lambdas, "reactions/publish").function.name },
    statistic: "Maximum",
    from: 60_000,
  },
  {
    id: "stream-lost",
    means: "Records of the table's stream could not be processed. They lie in the bucket under aws/lambda/: see docs/operate.md",
    namespace: "AWS/Lambda",
    metric: "OnFailureDestinationDeliveredEventCount",
    dimensions: { EventSourceMappingUUID: stream.uuid },
  },
]

const badEnds = { ExecutionsFailed: "failed", ExecutionsTimedOut: "timed out", ExecutionsAborted: "was aborted" }

const watchesOfMachine = ({ arn }: Machine): Watch[] =>
  Object.entries(badEnds).map(([metric, what]) => ({
    id: metric.replace(/[A-Z]/g, (letter, at) => `${at ? "-" : ""}${letter.toLowerCase()}`),
    means: `The execution of a task ${what}. The sweeper settles its task; what its function logged says why`,
    namespace: "AWS/States",
    metric,
    dimensions: { StateMachineArn: arn },
  }))

/** A caller of the API sees an error for itself. What runs by itself has nobody who sees it. */
const watchesOfFunctions = (lambdas: Lambdas): Watch[] => [
  ...[...lambdas.keys()]
    .filter((file) => /^(lifecycle|reactions)\//.test(file))
    .map((file) => ({
      id: `${file.replace("/", "-")}-errors`,
      means: `functions/${file}.ts fails again and again: it is retried, but does not get through`,
      namespace: "AWS/Lambda",
      metric: "Errors",
      dimensions: { FunctionName: lambda(lambdas, file).function.name },
      from: 10,
    })),
  {
    id: "functions-throttled",
    means: "Lambda refuses calls: the account's concurrency is used up, or a reservation is too small",
    namespace: "AWS/Lambda",
    metric: "Throttles",
    dimensions: { FunctionName: lambda(lambdas, "lifecycle/run").function.name },
  },
]
