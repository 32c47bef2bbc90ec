import { arnOf, every, type Graph, nameOf, type Of, type Resource } from "../graph.ts"
import type { RuleWiring, Wiring } from "./types.ts"

/** Every bus of the stack, and the default bus of each region in which the stack has a rule. */
export function busWiring(graph: Graph): Wiring["buses"] {
  const own = every(graph, "cloudwatch/eventBus:EventBus").map((bus) => [arnOf(bus), describe(graph, bus, nameOf(bus))] as const)
  const rules = every(graph, "cloudwatch/eventRule:EventRule")
  const named = rules.map((rule) => [busArnOf(graph, rule), describe(graph, rule, busOf(rule))] as const)
  return Object.fromEntries([...named, ...own])
}

/** A bus with the rules on it, known by its name and by something that is in its region. */
function describe(graph: Graph, { region = graph.region }: Resource<unknown>, name: string) {
  const rules = every(graph, "cloudwatch/eventRule:EventRule").filter((rule) => rule.region === region && busOf(rule) === name)
  return { name, region, rules: rules.map((rule) => ruleWiring(graph, rule)) }
}

const busArnOf = (graph: Graph, rule: Of<"cloudwatch/eventRule:EventRule">) =>
  `arn:aws:events:${rule.region ?? graph.region}:${graph.account}:event-bus/${busOf(rule)}`

const busOf = ({ inputs }: { inputs: { eventBusName?: string | undefined } }) => inputs.eventBusName ?? "default"

function ruleWiring(graph: Graph, rule: Of<"cloudwatch/eventRule:EventRule">): RuleWiring {
  const { eventPattern, scheduleExpression } = rule.inputs
  return {
    name: nameOf(rule),
    arn: arnOf(rule),
    ...(eventPattern && { pattern: JSON.parse(eventPattern) as Record<string, unknown> }),
    ...(scheduleExpression && { schedule: scheduleExpression }),
    targets: targetsOf(graph, rule).map(({ inputs: { arn, input, deadLetterConfig } }) => ({
      arn,
      ...(input && { input }),
      ...(deadLetterConfig?.arn && { deadLetterArn: deadLetterConfig.arn }),
    })),
  }
}

/** The targets of a rule. */
export const targetsOf = (graph: Graph, rule: Of<"cloudwatch/eventRule:EventRule">) =>
  every(graph, "cloudwatch/eventTarget:EventTarget").filter(
    (target) => target.inputs.rule === nameOf(rule) && target.region === rule.region && busOf(target) === busOf(rule),
  )
