import { implied } from "./implied.ts"
import type { Wiring } from "./wiring/types.ts"

/** By role and action, how often it was allowed: what a stack leaves as `permissions-used.json`. */
export type Used = Record<string, Record<string, number>>

export interface Report {
  /** How many actions the roles of functions may take, role by role. */
  allowed: number
  used: number
  implied: number
  /** By role: what nothing was seen to use, and nobody does in its name. */
  unused: Record<string, string[]>
}

/** The traces of several stacks as one. */
export function together(traces: readonly Used[]): Used {
  const all: Used = {}
  for (const trace of traces) {
    for (const [role, actions] of Object.entries(trace)) {
      all[role] ??= {}
      for (const [action, count] of Object.entries(actions)) all[role][action] = (all[role][action] ?? 0) + count
    }
  }
  return all
}

const byAws = new Set(implied.flatMap(({ actions }) => actions))

/** What the functions of a stack may do, held against what they were seen to do. */
export function reportOf({ functions, roles }: Pick<Wiring, "functions" | "roles">, used: Used): Report {
  const report: Report = { allowed: 0, used: 0, implied: 0, unused: {} }
  for (const { role } of Object.values(functions)) {
    const allowed = new Set((roles[role] ?? []).filter(({ effect }) => effect === "Allow").flatMap(({ actions }) => actions))
    const seen = [...allowed].filter((action) => used[role]?.[action])
    const rest = [...allowed].filter((action) => !seen.includes(action))
    const unused = rest.filter((action) => !byAws.has(action))
    report.allowed += allowed.size
    report.used += seen.length
    report.implied += rest.length - unused.length
    if (unused.length) report.unused[role.split("/").at(-1)!] = unused.toSorted((a, b) => a.localeCompare(b))
  }
  return report
}

/** A report as lines. */
export function show({ allowed, used, implied, unused }: Report): string {
  const roles = Object.entries(unused)
  const count = roles.reduce((sum, [, actions]) => sum + actions.length, 0)
  return [
    ...roles.map(([role, actions]) => `${role}: ${actions.join(", ")}`),
    `${allowed} actions of roles: ${used} were used, ${implied} are AWS's own, ${count} were not seen in use`,
  ].join("\n")
}
