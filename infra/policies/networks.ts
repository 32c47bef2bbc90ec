import { zoneIdOf } from "../evaluate/data-sources.ts"
import { every } from "../graph.ts"
import { withoutFargate } from "../network.ts"
import type { Policy } from "../policies.ts"
import { label } from "./names.ts"

export const networks: Record<string, Policy> = {
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
