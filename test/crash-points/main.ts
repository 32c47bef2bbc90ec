import { fork } from "node:child_process"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { writeSection } from "../reliability/section.ts"
import { type Fault, type Mode, modes } from "./fault.ts"

// `npm run crash-points`: every point at which a task's life can fail, and the table of them in docs/reliability.md.

/** What a process has tried: the fault of each point, and what was wrong. */
export interface Tried {
  scenario: string
  fault: Fault
  wrong: string[]
}

const workers = Math.min(availableParallelism(), 4)

const work = (shard: number) =>
  new Promise<Tried[]>((resolve, reject) => {
    const worker = fork(join(import.meta.dirname, "worker.ts"), [String(shard), String(workers)], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    })
    worker.on("message", (tried) => resolve(tried as Tried[]))
    worker.on("exit", (code) => reject(new Error(`A worker ended with code ${code}`)))
  })

/** Tries of one entry of a state count as one transition, whichever entry it is. */
const transitionOf = ({ fault }: Tried) => fault.transition.replace(/ \d+( completed)?$/, "$1")

const row = (name: string, tried: Tried[]) => {
  const of = (mode: Mode) => tried.filter(({ fault }) => fault.mode === mode).length
  const broken = tried.filter(({ wrong }) => wrong.length > 0).length
  return `| ${[name, ...modes.map(of), tried.length, broken].join(" | ")} |`
}

const table = (tried: Tried[]) => {
  const names = [...new Set(tried.map(transitionOf))].toSorted()
  const head = ["transition", ...modes, "points", "broken"]
  return [
    `| ${head.join(" | ")} |`,
    `|${head.map(() => "---").join("|")}|`,
    ...names.map((name) =>
      row(
        name,
        tried.filter((one) => transitionOf(one) === name),
      ),
    ),
    row("**all**", tried),
  ].join("\n")
}

const started = performance.now()
const tried = (await Promise.all(Array.from({ length: workers }, (_, shard) => work(shard)))).flat()
const seconds = Math.round((performance.now() - started) / 1000)
const broken = tried.filter(({ wrong }) => wrong.length > 0)
for (const { scenario, fault, wrong } of broken)
  console.log(
    `${scenario}: ${fault.mode} at call ${fault.index} (${fault.operation}) of ${fault.transition}: ${wrong.join("; ")}`,
  )
console.log(table(tried))
console.log(`${tried.length} crash points in ${seconds} s, of which ${broken.length} broke an invariant`)
writeSection("crash points", table(tried))
process.exitCode = broken.length ? 1 : 0
