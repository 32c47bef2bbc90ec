import { every, type Graph } from "../graph.ts"
import type { Policy } from "../policies.ts"
import { euRegion } from "../settings.ts"
import { label } from "./names.ts"

/** AWS's regions in member states. London (eu-west-2) and Zurich (eu-central-2) are in Europe and not in the EU. */
const euRegions = new Set(["eu-central-1", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-3"])

export const residency: Record<string, Policy> = {
  "what runs EU tasks is in the EU": (graph) =>
    runtimesOf(graph).flatMap(({ region, cluster, subnets, securityGroup, logGroup }) => [
      ...(region === euRegion ? [] : [`EU tasks are started in ${region}`]),
      ...[cluster, ...subnets, securityGroup, logGroup]
        .filter((reference) => !lives(graph, reference, euRegion))
        .map((reference) => `${reference} is not in ${euRegion}`),
    ]),

  "with a home in the EU, everything is in the EU": (graph) =>
    euRegions.has(graph.region)
      ? graph.resources
          .filter(({ region }) => region !== undefined && !euRegions.has(region))
          .map((resource) => `${label(resource)} is in ${resource.region}`)
      : [],

  "what is in the EU names nothing outside, but the bus at home": (graph) => {
    const home = `arn:aws:events:${graph.region}:${graph.account}:event-bus/default`
    return graph.resources
      .filter(({ region }) => euRegions.has(region ?? graph.region))
      .flatMap((resource) =>
        [...JSON.stringify(resource.inputs).matchAll(/arn:aws:[\w-]+:([a-z]{2}(?:-[a-z]+)+-\d):[^"\\]+/g)]
          .filter(([arn, region]) => !euRegions.has(region!) && arn !== home)
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
