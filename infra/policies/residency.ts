import { every, type Graph } from "../graph.ts"
import type { Policy } from "../policies.ts"
import { euRegion } from "../settings.ts"
import { label } from "./names.ts"

export const residency: Record<string, Policy> = {
  "what runs EU tasks is in the EU": (graph) =>
    runtimesOf(graph).flatMap(({ region, cluster, subnets, securityGroup, logGroup }) => [
      ...(region === euRegion ? [] : [`EU tasks are started in ${region}`]),
      ...[cluster, ...subnets, securityGroup, logGroup]
        .filter((reference) => !lives(graph, reference, euRegion))
        .map((reference) => `${reference} is not in ${euRegion}`),
    ]),

  "what is in the EU names nothing outside, but the bus at home": (graph) => {
    const home = `arn:aws:events:${graph.region}:${graph.account}:event-bus/default`
    return graph.resources
      .filter(({ region }) => region === euRegion)
      .flatMap((resource) =>
        [...JSON.stringify(resource.inputs).matchAll(/arn:aws:\w+:((?!eu-)[a-z]+-[a-z-]+-\d):[^"\\]+/g)]
          .filter(([arn]) => arn !== home)
          .map(([arn]) => `${label(resource)}: ${arn}`),
      )
  },
}

interface RuntimeDescription {
  region: string
  cluster: string
  subnets: string[]
  securityGroup: string
  logGroup: string
}

/** The EU runtime as each function that starts or stops tasks knows it. */
const runtimesOf = (graph: Graph): RuntimeDescription[] =>
  every(graph, "lambda/function:Function")
    .map(({ inputs }) => inputs.environment?.variables?.RUNTIMES)
    .filter((runtimes) => runtimes !== undefined)
    .map((runtimes) => (JSON.parse(runtimes) as { eu: RuntimeDescription }).eu)

/** Whether something of this ARN, id or name is in the region. */
const lives = (graph: Graph, reference: string, region: string) =>
  graph.resources.some(
    (resource) => resource.region === region && [resource.state.arn, resource.state.id, resource.state.name].includes(reference),
  )
