import { type Holder, impliedFor } from "./implied.ts"
import type { Wiring } from "./wiring/types.ts"

/** By role (without the tenant), what it was seen to use: `seen.json`. */
export type Seen = Record<string, string[]>

/** By the ARN of a role and by action, how often it was allowed: what a stack leaves as `permissions-used.json`. */
export type Trace = Record<string, Record<string, number>>

/** What is read of a stack's wiring. */
type Stack = Pick<Wiring, "functions" | "roles" | "eventSources">

export interface Report {
  roles: number
  statements: number
  /** How many actions the roles may take, role by role. */
  allowed: number
  seen: number
  /** Taken by AWS in the role's name. */
  implied: number
  /** By role: what nothing was seen to use, and nobody does in its name. */
  unused: Seen
  /** Actions that are allowed on any resource there is. */
  anywhere: string[]
}

/** Of what the roles of functions may do, what they were seen to use in some traces: AWS's own part apart, which needs no proof. */
export function seenIn(stack: Stack, traces: readonly Trace[]): Seen {
  const found = Object.values(stack.functions).map(({ role }): [string, string[]] => {
    const { name, actions, implied } = holderOf(stack, role)
    return [name, actions.filter((action) => !implied.has(action) && traces.some((trace) => trace[role]?.[action]))]
  })
  return Object.fromEntries(found.toSorted(([one], [other]) => one.localeCompare(other)))
}

/** What the roles of a stack may do, held against what was seen of them and what AWS does in their name. */
export function reportOf(stack: Stack, seen: Seen): Report {
  const statements = Object.values(stack.roles).flat()
  const report: Report = { roles: 0, statements: statements.length, allowed: 0, seen: 0, implied: 0, unused: {}, anywhere: [] }
  for (const role of Object.keys(stack.roles)) {
    const { name, actions, implied } = holderOf(stack, role)
    const rest = actions.filter((action) => !implied.has(action))
    const unused = rest.filter((action) => !seen[name]?.includes(action))
    report.roles += 1
    report.allowed += actions.length
    report.implied += actions.length - rest.length
    report.seen += rest.length - unused.length
    if (unused.length) report.unused[name] = unused
  }
  const wide = statements.filter(({ resources }) => resources.includes("*")).flatMap(({ actions }) => actions)
  return { ...report, anywhere: [...new Set(wide)].toSorted() }
}

/** A report as lines. */
export function show({ roles, statements, allowed, seen, implied, unused, anywhere }: Report): string {
  const count = Object.values(unused).flat().length
  return [
    ...Object.entries(unused).map(([role, actions]) => `${role}: ${actions.join(", ")}`),
    `${roles} roles, ${statements} statements, ${allowed} actions: ${seen} seen in use, ${implied} for AWS's sake, ${count} unused`,
    `On any resource, since AWS has none to name: ${anywhere.join(", ")}`,
  ].join("\n")
}

/** `reactions-publish` of `arn:aws:iam::…:role/dormouse-reactions-publish`: no tenant's name has a hyphen here. */
const nameOf = (role: string) => role.slice(role.indexOf("-", role.lastIndexOf("/")) + 1)

function holderOf({ functions, roles, eventSources }: Stack, role: string) {
  const [fn] = Object.entries(functions).find(([, candidate]) => candidate.role === role) ?? []
  const source = eventSources.find((candidate) => candidate.function === fn)?.source
  const holder: Holder = {
    name: nameOf(role),
    actions: [...new Set((roles[role] ?? []).flatMap(({ actions }) => actions))].toSorted(),
    consumes: source === undefined ? undefined : source.startsWith("arn:aws:sqs:") ? "queue" : "stream",
  }
  return { ...holder, implied: new Set(impliedFor(holder)) }
}
