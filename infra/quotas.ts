import { every, type Graph } from "./graph.ts"

/** A limit that AWS sets on an account, and what this stack needs of it. */
export interface Quota {
  name: string
  service: string
  /** As Service Quotas knows it. */
  code: string
  region: string
  needs: number
  /** What an account has that never asked for more. */
  usually: number
}

/** vCPUs of one task: `core/fargate.ts` starts them with 1,024 units. */
const vcpusOfTask = 1

/** Left for functions that have no concurrency of their own; AWS insists on as much. */
const unreserved = 100

/**
 * What a stack with this many tasks at once needs of its account, by the evaluated program. Read on 2026-11-25 from AWS's own lists of
 * default quotas.
 */
export function quotasOf(graph: Graph, tasksAtOnce: number): Quota[] {
  const home = graph.region
  const count = (type: string, region: string) =>
    graph.resources.filter((resource) => resource.type === `aws:${type}` && (resource.region ?? home) === region).length
  const regions = [...new Set(every(graph, "ecs/cluster:Cluster").map(({ region = home }) => region))]
  return [
    ...regions.map((region) => ({
      name: "Fargate On-Demand vCPUs",
      service: "fargate",
      code: "L-3032A538",
      region,
      needs: tasksAtOnce * vcpusOfTask,
      usually: 6,
    })),
    ...regions.map((region) => ({
      name: "VPCs per region",
      service: "vpc",
      code: "L-F678F1CE",
      region,
      needs: count("ec2/vpc:Vpc", region),
      usually: 5,
    })),
    {
      name: "Concurrent executions of functions",
      service: "lambda",
      code: "L-B99A9384",
      region: home,
      needs: Math.max(reservedIn(graph) + unreserved, tasksAtOnce * 2),
      usually: 10,
    },
    {
      name: "Roles",
      service: "iam",
      code: "L-FE177D64",
      region: "us-east-1",
      needs: count("iam/role:Role", home),
      usually: 1000,
    },
    {
      name: "Rules per event bus",
      service: "events",
      code: "L-244521F2",
      region: home,
      needs: count("cloudwatch/eventRule:EventRule", home),
      usually: 300,
    },
  ]
}

const reservedIn = (graph: Graph) =>
  every(graph, "lambda/function:Function").reduce(
    (sum, { inputs }) => sum + Math.max(0, inputs.reservedConcurrentExecutions ?? 0),
    0,
  )

/** The quotas as a table, those first of which a new account has too little. */
export function quotaTable(quotas: Quota[]): string {
  const rows = quotas
    .toSorted((a, b) => Number(b.needs > b.usually) - Number(a.needs > a.usually))
    .map(({ name, service, code, region, needs, usually }) => [
      needs > usually ? "ask" : "fine",
      name,
      region,
      String(needs),
      String(usually),
      `aws service-quotas get-service-quota --service-code ${service} --quota-code ${code} --region ${region}`,
    ])
  const all = [["", "quota", "region", "needed", "usual", "what the account has"], ...rows]
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)))
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n")
}
