import * as aws from "@pulumi/aws"
import { type Input, interpolate, jsonStringify } from "@pulumi/pulumi"
import type { Home } from "./home.ts"
import { createRole } from "./iam.ts"
import { type Lambda, type Lambdas, lambda, permit } from "./lambda.ts"
import type { Machine } from "./machine.ts"
import { distinct, type Runtime, type Runtimes } from "./runtime.ts"

/** What AWS tells us by itself, and who hears it. All of it arrives at the default bus of the region where it happens. */
export function createEventRules(home: Home, runtimes: Runtimes, machine: Machine, lambdas: Lambdas) {
  const everywhere = distinct(runtimes)
  const stopped = lambda(lambdas, "reactions/stopped")
  const sweep = lambda(lambdas, "reactions/sweep")

  react(home, "stopped", { eventPattern: stoppedTasksOf(everywhere) }, stopped)
  forward(home, everywhere)
  react(home, "ended", { eventPattern: badEndsOf(machine) }, sweep)
  react(home, "sweep", { scheduleExpression: "rate(5 minutes)" }, sweep)
}

/** A rule at home that calls a function. */
function react(
  home: Home,
  id: string,
  when: Pick<aws.cloudwatch.EventRuleArgs, "eventPattern" | "scheduleExpression">,
  to: Lambda,
) {
  const rule = new aws.cloudwatch.EventRule(id, { name: `${home.tenant}-${id}`, ...when })
  new aws.cloudwatch.EventTarget(id, { rule: rule.name, arn: to.function.arn })
  permit(to, id, "events.amazonaws.com", rule.arn)
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
  new aws.cloudwatch.EventTarget(id, { region, rule: rule.name, arn: bus, roleArn })
}

const stoppedTasksOf = (runtimes: Runtime[]) =>
  jsonStringify({
    source: ["aws.ecs"],
    "detail-type": ["ECS Task State Change"],
    detail: { lastStatus: ["STOPPED"], clusterArn: runtimes.map(({ cluster }) => cluster.arn) },
  })

const badEndsOf = (machine: Machine) =>
  jsonStringify({
    source: ["aws.states"],
    "detail-type": ["Step Functions Execution Status Change"],
    detail: { stateMachineArn: [machine.arn], status: ["FAILED", "TIMED_OUT", "ABORTED"] },
  })
