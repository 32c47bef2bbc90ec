import * as aws from "@pulumi/aws"
import { type Input, interpolate, jsonStringify } from "@pulumi/pulumi"
import type { Home } from "./home.ts"
import { createRole } from "./iam.ts"
import { type Lambda, type Lambdas, lambda, permit } from "./lambda.ts"
import type { Machine } from "./machine.ts"
import type { Parts } from "./parts.ts"
import { distinct, type Runtime } from "./runtime.ts"
import { createUndeliveredAbroad, letEventsIn } from "./undelivered.ts"

/**
 * What happens, and who hears it: at the default bus of the region where it happens what AWS tells us by itself, at the stack's own
 * bus what happens to tasks. Returns the rules at home whose events would be missed; a sweep that did not come is followed by the next.
 */
export function createEventRules({ home, runtimes, bus, undelivered }: Parts, machine: Machine, lambdas: Lambdas) {
  const everywhere = distinct(runtimes)
  const stopped = lambda(lambdas, "reactions/stopped")
  const sweep = lambda(lambdas, "reactions/sweep")

  forward(home, everywhere)
  react(home, "sweep", { scheduleExpression: "rate(5 minutes)" }, sweep)
  return [
    react(home, "stopped", { eventPattern: stoppedTasksOf(everywhere) }, stopped, undelivered),
    react(home, "ended", { eventPattern: badEndsOf(machine) }, sweep, undelivered),
    react(home, "title", { eventPattern: createdTasks, eventBusName: bus.name }, lambda(lambdas, "reactions/title"), undelivered),
  ]
}

/** A rule at home that calls a function. */
function react(
  home: Home,
  id: string,
  when: Pick<aws.cloudwatch.EventRuleArgs, "eventPattern" | "scheduleExpression" | "eventBusName">,
  to: Lambda,
  undelivered?: aws.sqs.Queue,
) {
  const rule = new aws.cloudwatch.EventRule(id, { name: `${home.tenant}-${id}`, ...when })
  new aws.cloudwatch.EventTarget(id, {
    rule: rule.name,
    eventBusName: rule.eventBusName,
    arn: to.function.arn,
    ...(undelivered && { deadLetterConfig: { arn: undelivered.arn } }),
  })
  permit(to, id, "events.amazonaws.com", rule.arn)
  return rule
}

/** Tokens and callbacks belong to the home region, so what happens elsewhere is sent there. */
function forward(home: Home, runtimes: Runtime[]) {
  const abroad = runtimes.filter(({ region }) => region !== home.region)
  if (!abroad.length) return
  const bus = interpolate`arn:aws:events:${home.region}:${home.account}:event-bus/default`
  const { role } = createRole("forward", {
    name: `${home.tenant}-forward`,
    service: "events.amazonaws.com",
    statements: [{ sid: "Home", actions: ["events:PutEvents"], resources: [bus] }],
  })
  for (const runtime of abroad) forwardFrom(home, runtime, bus, role.arn)
}

function forwardFrom(home: Home, runtime: Runtime, bus: Input<string>, roleArn: Input<string>) {
  const { region } = runtime
  const id = `stopped-${region}`
  const rule = new aws.cloudwatch.EventRule(id, {
    region,
    name: `${home.tenant}-stopped`,
    eventPattern: stoppedTasksOf([runtime]),
  })
  const undelivered = createUndeliveredAbroad(home, region)
  new aws.cloudwatch.EventTarget(id, {
    region,
    rule: rule.name,
    arn: bus,
    roleArn,
    deadLetterConfig: { arn: undelivered.arn },
  })
  letEventsIn(`undelivered-${region}`, undelivered, [rule])
}

const stoppedTasksOf = (runtimes: Runtime[]) =>
  jsonStringify({
    source: ["aws.ecs"],
    "detail-type": ["ECS Task State Change"],
    detail: { lastStatus: ["STOPPED"], clusterArn: runtimes.map(({ cluster }) => cluster.arn) },
  })

const createdTasks = JSON.stringify({ source: ["dormouse.tasks"], "detail-type": ["task.created"] })

const badEndsOf = (machine: Machine) =>
  jsonStringify({
    source: ["aws.states"],
    "detail-type": ["Step Functions Execution Status Change"],
    detail: { stateMachineArn: [machine.arn], status: ["FAILED", "TIMED_OUT", "ABORTED"] },
  })
