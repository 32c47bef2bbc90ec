import { containers, controlPlane, date, idle, type Profile, source, targets, thousandTasks, total } from "./cost.ts"
import type { Graph } from "./graph.ts"
import { withSection } from "./section.ts"

/** The months that docs/operate.md shows. */
export const profiles: Record<string, Profile> = {
  "1,000 tasks of 12 minutes": { tasks: 1_000, minutes: 12, hibernations: 0, turns: 0 },
  "100,000 of 12 minutes, each sleeping once": { tasks: 100_000, minutes: 12, hibernations: 1, turns: 0 },
  "10,000 of two hours": { tasks: 10_000, minutes: 120, hibernations: 0, turns: 0 },
  "1,000 conversations of 4 turns, 12 minutes": { tasks: 1_000, minutes: 12, hibernations: 0, turns: 4 },
}

/** What a profile counts, for the head of its column. */
export const nameOf = ({ tasks, minutes, hibernations, turns }: Profile) =>
  `${tasks.toLocaleString("en-US")} tasks; of each: minutes ${minutes}, hibernations ${hibernations}, turns ${turns}`

const usd = (amount: number) => amount.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })
const row = (cells: string[]) => `| ${cells.join(" | ")} |`

/** A month's bill in USD by service, a column for each profile, and how it stands to what the architecture allows. */
export function costTable(graph: Graph, columns: Record<string, Profile>, region: string): string {
  const all = Object.values(columns)
  const parts = {
    "control plane": all.map((profile) => controlPlane(profile, region)),
    containers: all.map((profile) => containers(profile, region)),
    "nothing happening": all.map(() => idle(graph, region)),
  }
  const rows = Object.entries(parts).flatMap(([part, bills]) => [
    ...Object.keys(bills[0]!).map((service) => row([service, ...bills.map((bill) => usd(bill[service]!))])),
    row([`**${part}**`, ...bills.map((bill) => `**${usd(total(bill))}**`)]),
  ])
  const sums = all.map((_, i) => usd(Object.values(parts).reduce((sum, bills) => sum + total(bills[i]!), 0)))
  return [
    row([`USD a month in ${region}`, ...Object.keys(columns)]),
    row(["---", ...all.map(() => "---:")]),
    ...rows,
    row(["**together**", ...sums.map((sum) => `**${sum}**`)]),
    "",
    `Prices of ${date}: ${source}.`,
    "Check them against AWS's price list (https://aws.amazon.com/pricing/) before you rely on any of these figures.",
    `Model providers' own bills and the model gateway's waiting come on top.`,
    `A thousand tasks of twelve minutes cost ${usd(thousandTasks(region))} USD of control plane (target: ${usd(targets.thousandTasks)}), a month`,
    `in which nothing happens ${usd(total(idle(graph, region)))} USD (target: ${usd(targets.idle)}).`,
  ].join("\n")
}

/** The guide with this table in its place. */
export const withCosts = (guide: string, table: string) => withSection(guide, "cost", table)
