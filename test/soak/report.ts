import type { AccountEvidence } from "./evidence.ts"
import type { Finding } from "./invariants.ts"
import { isLostThrice } from "./proof.ts"
import type { Soak } from "./soak.ts"

/** What a soak says in the end, as a person reads it. */

export interface Measured {
  seconds: number
  /** Requests of all clients, by second, while tasks ran. */
  requestsPerSecond: number
  /** `GET /tasks/{taskId}` on the quiet stack, eight at once. */
  readsPerSecond: number
  idleMegabytes: number
  busyMegabytes: number
  quietMegabytes: number
}

const offendersShown = 10

export const findingsTable = (findings: Finding[]): string =>
  findings
    .map(({ name, count, wrong }) => {
      const head = `  ${wrong.length === 0 ? "ok   " : "WRONG"}  ${String(count).padStart(6)}  ${name}`
      const more = wrong.length > offendersShown ? [`… and ${wrong.length - offendersShown} more`] : []
      return [head, ...[...wrong.slice(0, offendersShown), ...more].map((why) => `                 ${why}`)].join("\n")
    })
    .join("\n")

const tally = (values: (string | number)[]) => {
  const counts = new Map<string | number, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts]
    .toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1))
    .map(([value, count]) => `${count} ${value}`)
    .join(", ")
}

const percentile = (sorted: number[], share: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0

export const summaryTable = (soak: Soak, accounts: AccountEvidence[], measured: Measured): string => {
  const { counts } = soak
  const evidence = accounts.flatMap(({ tasks }) => tasks)
  const times = soak.tasks.flatMap(({ end, tookMs = 0 }) => (end === undefined ? [] : [tookMs / 1000])).toSorted((a, b) => a - b)
  const charged = evidence.reduce((sum, { row }) => sum + row.costMicros, 0) / 1e6
  const rows: [string, string][] = [
    ["tasks by status", tally(evidence.map(({ view }) => view?.status))],
    ["of these lost three times", String(evidence.filter(isLostThrice).length)],
    ["tasks by attempts", tally(evidence.map(({ runs }) => `with ${runs.length}`))],
    ["containers killed", `${counts.kill} by SIGKILL, ${counts.stop} by StopTask (${counts.missed} blows met nothing)`],
    ["stack killed", `${counts.crash} times, ${counts.crashAtStart} more times while it started`],
    ["dispatches whose answer was lost", `${counts.adopted} taken, ${counts.repeated} sent again`],
    ["containers at once, at most", String(counts.mostContainers)],
    ["charged", `${charged.toFixed(4)} USD in ${accounts.reduce((sum, { ledger }) => sum + ledger.length, 0)} ledger entries`],
    ["from dispatch to end", `median ${percentile(times, 0.5).toFixed(1)} s, longest ${percentile(times, 1).toFixed(1)} s`],
    ["wall time", `${measured.seconds.toFixed(0)} s`],
    [
      "requests",
      `${counts.requests}, ${measured.requestsPerSecond.toFixed(0)} a second; ${counts.interrupted} interrupted by a kill`,
    ],
    ["GET /tasks/{taskId} afterwards", `${measured.readsPerSecond.toFixed(0)} a second`],
    [
      "resident memory of the stack",
      `${measured.idleMegabytes.toFixed(0)} MB idle, ${measured.busyMegabytes.toFixed(0)} MB at most, ${measured.quietMegabytes.toFixed(0)} MB afterwards`,
    ],
  ]
  return rows.map(([name, value]) => `  ${name.padEnd(34)}${value}`).join("\n")
}

/** Shows how far a soak is, on one line that is written over, or on a line now and then where it cannot be. */
export const progressOf = (soak: Soak, print: (text: string) => void, isTerminal: boolean) => {
  let shown = ""
  return () => {
    const { counts, dispatched, ended, tasks } = soak
    const kills = `${counts.kill} killed, ${counts.stop} stopped, ${counts.crash + counts.crashAtStart} crashes`
    const line = `${ended}/${tasks.length} ended, ${dispatched - ended} under way, ${kills}, ${counts.requests} requests`
    const step = isTerminal ? line : String(Math.floor((10 * ended) / tasks.length))
    if (step === shown) return
    shown = step
    print(isTerminal ? `\r${line.padEnd(110)}` : `${line}\n`)
  }
}
