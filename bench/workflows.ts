import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openDbos } from "./workflows/dbos.ts"
import { openOurs } from "./workflows/ours.ts"
import { openRestate } from "./workflows/restate.ts"
import type { System } from "./workflows/system.ts"

// `npm run bench:workflows`: a durable workflow that is dispatched, waits, sleeps, is woken and ends, here beside Restate and DBOS. What
// is compared with what: docs/beside-others.md. Takes PostgreSQL, a package of Debian, and installs the other two from npm into a folder
// that goes with it. Writes `golden/workflows.json`.

const versions = [
  "@restatedev/restate-server@1.7.12",
  "@restatedev/restate-sdk@1.17.2",
  "@restatedev/restate-sdk-clients@1.17.2",
  "@dbos-inc/dbos-sdk@5.3.0",
]
const rounds = 5
const oneByOne = 5
const together = 16

const packages = mkdtempSync(join(tmpdir(), "dormouse-peers-"))
writeFileSync(join(packages, "package.json"), "{}")
execFileSync("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", ...versions], { cwd: packages, stdio: "inherit" })

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!

/** Milliseconds of each of some workflows, one after the other, and how many a second end of many at once. */
async function measure({ one }: System) {
  const times: number[] = []
  for (let i = 0; i < oneByOne; i++) {
    const from = performance.now()
    await one()
    times.push(performance.now() - from)
  }
  const from = performance.now()
  await Promise.all(Array.from({ length: together }, one))
  return { ms: median(times), perSecond: (together * 1000) / (performance.now() - from) }
}

/** What is still on its way when a task has ended, such as the end of its execution, is counted too. */
async function countsOfOurs() {
  await new Promise((resolve) => setTimeout(resolve, 3000))
  return ours.counts!()
}

const ours = await openOurs()
const systems = [ours, await openRestate(packages), await openDbos(packages)]
const measured = systems.map(() => [] as { ms: number; perSecond: number }[])
// Whatever is begun when it is first needed is there then, and for as many at once.
for (const { one } of systems) await Promise.all(Array.from({ length: together }, one))
const before = await countsOfOurs()
// In turn, so that whatever else the machine does falls on all of them.
for (let round = 0; round < rounds; round++)
  for (const [index, system] of systems.entries()) measured[index]!.push(await measure(system))
const after = await countsOfOurs()
for (const { close } of systems) await close()
rmSync(packages, { recursive: true, force: true })

const tenths = (value: number) => Math.round(value * 10) / 10
const table = systems.map(({ name }, index) => ({
  name,
  ms: tenths(median(measured[index]!.map(({ ms }) => ms))),
  perSecond: tenths(median(measured[index]!.map(({ perSecond }) => perSecond))),
}))
/** The median of what each round says, since its parts ran one right after the other. */
const ratio = (index: number, part: "ms" | "perSecond") =>
  Math.round(100 * median(measured[0]!.map((round, n) => round[part] / measured[index]![n]![part]))) / 100
const each = rounds * (oneByOne + together)
const golden = {
  transitionsPerTask: tenths((after.transitions - before.transitions) / each),
  writeUnitsPerTask: Math.round((after.writeUnits - before.writeUnits) / each),
  ratios: {
    restate: { ms: ratio(1, "ms"), perSecond: ratio(1, "perSecond") },
    dbos: { ms: ratio(2, "ms"), perSecond: ratio(2, "perSecond") },
  },
}
console.table(table)
console.log(JSON.stringify(golden, null, 2))
writeFileSync(join(import.meta.dirname, "golden", "workflows.json"), `${JSON.stringify(golden, null, 2)}\n`)
