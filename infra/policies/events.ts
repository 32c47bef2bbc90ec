import { failedPrefix } from "../bucket.ts"
import { arnOf, every, type Graph, nameOf, type Of } from "../graph.ts"
import type { Policy } from "../policies.ts"
import { allStatements, statementsOfArn } from "../statements.ts"
import { targetsOf } from "../wiring/buses.ts"
import { rings } from "./alarms.ts"
import { label } from "./names.ts"
import { isQueue } from "./queues.ts"

type Rule = Of<"cloudwatch/eventRule:EventRule">
type Bus = Of<"cloudwatch/eventBus:EventBus">
type Target = Of<"cloudwatch/eventTarget:EventTarget">
type Source = Of<"lambda/eventSourceMapping:EventSourceMapping">

export const events: Record<string, Policy> = {
  "every rule leads somewhere, and its target takes it": (graph) => [
    ...every(graph, "cloudwatch/eventRule:EventRule").flatMap((rule) => {
      const targets = targetsOf(graph, rule)
      if (!targets.length) return [`${label(rule)} leads nowhere`]
      return targets
        .filter((target) => !permitted(graph, rule, target))
        .map((target) => `${label(rule)} may not reach ${target.inputs.arn}`)
    }),
    ...orphans(graph).map((target) => `${label(target)} belongs to no rule`),
  ],

  "an event that could not be delivered is kept, and rings an alarm": (graph) => {
    const rules = every(graph, "cloudwatch/eventRule:EventRule")
      // What comes by time comes again.
      .filter(({ inputs }) => inputs.eventPattern)
      .flatMap((rule) => targetsOf(graph, rule).map(({ inputs }) => ({ from: rule, kept: inputs.deadLetterConfig?.arn })))
    const buses = every(graph, "cloudwatch/eventBus:EventBus").map((bus) => ({
      from: bus,
      kept: bus.inputs.deadLetterConfig?.arn,
    }))
    return [...rules, ...buses].flatMap(({ from, kept }) => {
      const fault = undelivered(graph, from, kept)
      return fault ? [`${label(from)}: ${fault}`] : []
    })
  },

  "a function may read the stream or queue that it is called for, and keep what failed of a stream": (graph) =>
    every(graph, "lambda/eventSourceMapping:EventSourceMapping").flatMap((source) =>
      missingFor(graph, source).map((action) => `${label(source)}: its function lacks ${action}`),
    ),
}

/** A function or a queue has to let the rule in; any other target is reached with a role. */
function permitted(graph: Graph, rule: Rule, { inputs }: Target): boolean {
  if (inputs.arn.startsWith("arn:aws:sqs:")) return letsIn(graph, inputs.arn, arnOf(rule))
  const fn = every(graph, "lambda/function:Function").find((candidate) => arnOf(candidate) === inputs.arn)
  if (!fn) return may(graph, inputs.roleArn ?? "", "events:PutEvents", inputs.arn)
  return every(graph, "lambda/permission:Permission").some(
    (permission) =>
      permission.inputs.function === nameOf(fn) &&
      permission.inputs.principal === "events.amazonaws.com" &&
      permission.inputs.sourceArn === arnOf(rule),
  )
}

const letsIn = (graph: Graph, queue: string, source: string) =>
  allStatements(graph).some(
    ({ effect, principal, actions, resources, condition }) =>
      effect === "Allow" &&
      typeof principal === "object" &&
      principal.Service?.includes("events.amazonaws.com") &&
      actions.includes("sqs:SendMessage") &&
      resources.includes(queue) &&
      [condition?.ArnEquals?.["aws:SourceArn"]].flat().includes(source),
  )

/** What keeps an event of a rule or bus from lying in the queue that it names, and from ringing there, once EventBridge has given it up. */
function undelivered(graph: Graph, from: Rule | Bus, arn: string | undefined): string | undefined {
  const queue = every(graph, "sqs/queue:Queue").find((one) => arnOf(one) === arn && one.region === from.region)
  if (!queue) return "no queue of its region takes what it cannot deliver"
  if (!letsIn(graph, arnOf(queue), arnOf(from))) return `${label(queue)} does not let it in`
  if (!rings(graph, "AWS/SQS", "ApproximateNumberOfMessagesVisible", { QueueName: nameOf(queue) }, queue.region))
    return `nobody watches ${label(queue)}`
}

const orphans = (graph: Graph) => {
  const owned = every(graph, "cloudwatch/eventRule:EventRule").flatMap((rule) => targetsOf(graph, rule))
  return every(graph, "cloudwatch/eventTarget:EventTarget").filter((target) => !owned.includes(target))
}

function missingFor(graph: Graph, { inputs }: Source): string[] {
  const fn = every(graph, "lambda/function:Function").find((candidate) => arnOf(candidate) === inputs.functionName)
  const role = fn?.inputs.role ?? ""
  const lacking = ([action, resource]: readonly [string, string]) => !may(graph, role, action, resource)
  if (isQueue(inputs.eventSourceArn)) {
    const actions = ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes"]
    return actions.filter((name) => lacking([`sqs:${name}`, inputs.eventSourceArn ?? ""]))
  }
  const stream = inputs.eventSourceArn ?? ""
  const bucket = inputs.destinationConfig?.onFailure?.destinationArn ?? "nowhere"
  const needed = [
    ...["DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"].map((name) => [`dynamodb:${name}`, stream] as const),
    ["s3:PutObject", `${bucket}/${failedPrefix}record`] as const,
    ["s3:ListBucket", bucket] as const,
  ]
  return needed.filter(lacking).map(([action]) => action)
}

const may = (graph: Graph, role: string, action: string, resource: string) =>
  statementsOfArn(graph, role).some(
    ({ effect, actions, resources }) =>
      effect === "Allow" && actions.includes(action) && resources.some((pattern) => covers(pattern, resource)),
  )

/** Whether a resource as a policy writes it, with a wildcard at its end or none, stands for this one. */
const covers = (pattern: string, resource: string) =>
  pattern.endsWith("*") ? resource.startsWith(pattern.slice(0, -1)) : pattern === resource
