import { fork } from "node:child_process"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { build } from "esbuild"
import { functionOptions, withRequire } from "../../build/bundle.ts"
import { writeSection } from "../reliability/section.ts"
import { type Mode, modes } from "./fault.ts"
import type { Point } from "./lab.ts"

// `npm run crash-points`: every point at which a task's life can fail, and the table of them in docs/reliability.md.

/** A point that a process has tried, and what was wrong. */
export interface Tried extends Point {
  wrong: string[]
  isReached: boolean
}

const root = join(import.meta.dirname, "../..")

/** The worker, with the core in it as it is deployed: a bundle with the small SDK. */
const bundleWorker = async () => {
  const outfile = join(root, "dist/crash-points/worker.mjs")
  const entryPoints = [join(import.meta.dirname, "worker.ts")]
  await build({ ...functionOptions, entryPoints, outfile, format: "esm", banner: withRequire, minify: false, sourcemap: false })
  return outfile
}

/** Clients of the core are made as it is loaded, for this AWS: nothing listens there, since no request leaves the process. */
const aws = { AWS_ENDPOINT_URL: "http://127.0.0.1:9", AWS_REGION: "us-east-1" }

/** The points that nobody has taken yet. Every process finds them, and those of the first one count. */
let left: Point[] | undefined
const tried: Tried[] = []

/** Lives leave much behind them that is soon forgotten: it is cleared away more rarely. */
const execArgv = ["--max-semi-space-size=32"]

/** Has a process try points as long as there are any. */
const work = (file: string) =>
  new Promise<void>((resolve, reject) => {
    const worker = fork(file, { execArgv, stdio: ["ignore", "ignore", "inherit", "ipc"], env: { ...process.env, ...aws } })
    const goOn = () => {
      const point = left!.shift()
      if (point) return worker.send(point)
      worker.disconnect()
      resolve()
    }
    worker.on("message", (message: Point[] | Tried) => {
      if (Array.isArray(message)) left ??= message
      else tried.push(message)
      goOn()
    })
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
const worker = await bundleWorker()
await Promise.all(Array.from({ length: Math.min(availableParallelism(), 4) }, () => work(worker)))
const seconds = Math.round((performance.now() - started) / 1000)
const broken = tried.filter(({ wrong }) => wrong.length > 0)
for (const { scenario, fault, wrong } of broken)
  console.log(
    `${scenario}: ${fault.mode} at call ${fault.index} (${fault.operation}) of ${fault.transition}: ${wrong.join("; ")}`,
  )
console.log(table(tried))
const missed = tried.filter(({ isReached }) => !isReached)
for (const { scenario, fault } of missed)
  console.log(`${scenario}: no sweep came to call ${fault.index} (${fault.operation}), ${fault.mode}`)
console.log(
  `${tried.length} crash points in ${seconds} s, of which ${broken.length} broke an invariant and ${missed.length} were never come to`,
)
writeSection("crash points", table(tried))
/** Which of the last calls a sweep makes is up to chance, ten times over. */
const mostMissed = 5
process.exitCode = broken.length || missed.length > mostMissed ? 1 : 0
