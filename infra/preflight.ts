import { readSettings } from "./configuration.ts"
import { evaluate } from "./evaluate.ts"
import type { Graph } from "./graph.ts"
import { policies } from "./policies.ts"
import { defineStack } from "./stack.ts"
import { readStackFile } from "./stack-file.ts"

/** A stack as its file says it, evaluated, and what the policies have against it. */
export async function preflight(file: string): Promise<{ graph: Graph; wrong: string[] }> {
  const config = readStackFile(file)
  const { "aws:region": region = "" } = config
  const graph = await evaluate(() => defineStack(readSettings()), {
    name: "preflight",
    region,
    account: "000000000000",
    config,
  })
  return { graph, wrong: violations(graph) }
}

/** Everything that a graph does wrong, each with the policy that it breaks. */
export const violations = (graph: Graph): string[] =>
  Object.entries(policies).flatMap(([policy, complaints]) => complaints(graph).map((complaint) => `${policy}: ${complaint}`))
