import { every, type Graph } from "./graph.ts"
import { policies } from "./policies.ts"
import { roleStatements, statementsOfRole } from "./statements.ts"

/** How much a stack is, and what was checked of it: the lines that preflight prints and docs/operate.md shows. */
export function figures(graph: Graph, wrong: string[]): string {
  const made = graph.resources.filter(({ custom }) => custom)
  const regions = new Set(made.map(({ region }) => region).filter((region) => region !== undefined))
  const roles = every(graph, "iam/role:Role")
  const actions = roles.map((role) => new Set(statementsOfRole(graph, role).flatMap((statement) => statement.actions)).size)
  return [
    `${made.length} resources of ${new Set(made.map(({ type }) => type)).size} kinds in ${[...regions].toSorted().join(" and ")}`,
    `${roles.length} roles, ${roleStatements(graph).length} statements, ${actions.reduce((sum, count) => sum + count, 0)} actions`,
    `${Object.keys(policies).length} policies checked, ${wrong.length || "nothing"} against them`,
  ].join("\n")
}
