import { zoneIdOf } from "../evaluate/data-sources.ts"
import { every, type Of } from "../graph.ts"
import { withoutFargate } from "../network.ts"
import type { Policy } from "../policies.ts"
import { stage } from "../routes.ts"
import { integrationsOf } from "../wiring/api.ts"
import { label } from "./names.ts"

export const networks: Record<string, Policy> = {
  "the firewall does not read what containers send": (graph) =>
    every(graph, "wafv2/webAcl:WebAcl").flatMap((acl) => {
      const called = every(graph, "apigateway/restApi:RestApi")
        .flatMap(integrationsOf)
        .map(({ path }) => `/${stage}${path}`)
        .filter((path) => !path.startsWith(`/${stage}/v1/`))
      return (acl.inputs.rules ?? [])
        .filter(({ statement }) => statement.managedRuleGroupStatement)
        .filter(({ statement }) => !called.length || called.some((path) => !isSpared(statement, path)))
        .map(({ name }) => `${label(acl)} ${name}`)
    }),

  "a network without internet has no way out": (graph) =>
    every(graph, "ec2/routeTable:RouteTable")
      .filter(({ name }) => name === "isolated")
      .filter(({ inputs }) => inputs.routes?.length)
      .map(label),

  "tasks are started in zones that have Fargate, two in each network": (graph) => {
    const subnets = every(graph, "ec2/subnet:Subnet").map((subnet) => ({
      subnet,
      zone: subnet.inputs.availabilityZone ?? "none",
    }))
    const together = Map.groupBy(subnets, ({ subnet }) => subnet.inputs.vpcId)
    return [
      ...subnets.filter(({ zone }) => withoutFargate.includes(zoneIdOf(zone))).map(({ subnet }) => label(subnet)),
      ...[...together]
        .filter(([, all]) => new Set(all.map(({ zone }) => zone)).size !== 2)
        .map(([network]) => `${network}: not two zones`),
    ]
  },
}

type Statement = NonNullable<Of<"wafv2/webAcl:WebAcl">["inputs"]["rules"]>[number]["statement"]

/** Whether a group of rules looks at everything but what begins as this path does. */
function isSpared({ managedRuleGroupStatement }: Statement, path: string): boolean {
  const spared = managedRuleGroupStatement?.scopeDownStatement?.notStatement?.statement?.byteMatchStatement
  return Boolean(
    spared?.fieldToMatch?.uriPath && spared.positionalConstraint === "STARTS_WITH" && path.startsWith(spared.searchString),
  )
}
