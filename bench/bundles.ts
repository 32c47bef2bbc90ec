import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { build as run } from "esbuild"
import { build, functionOptions } from "../build/bundle.ts"

// `npm run bench:bundles`: the size of every function's bundle, and the processor time that one takes to load beside an ordinary bundle
// of the same function: the same libraries with the whole AWS SDK, minified by esbuild as well. Writes `golden/bundles.json`.

const root = join(import.meta.dirname, "..")
const loads = 25
const entry = "functions/api/tasks.ts"

const { folder, files } = await build(root)
const functions = files.filter((file) => file.startsWith("functions/")).toSorted((a, b) => a.localeCompare(b))
const sizes = Object.fromEntries(
  functions.map((file) => [
    file.replace(/^functions\/|\/index\.cjs$/g, ""),
    Math.round(gzipSync(readFileSync(join(folder, file)), { level: 9 }).length / 1024),
  ]),
)

const work = mkdtempSync(join(tmpdir(), "dormouse-bundles-"))
const ordinary = join(work, "ordinary.cjs")
const bare = join(work, "bare.cjs")
await run({ ...functionOptions, plugins: [], absWorkingDir: root, entryPoints: [entry], outfile: ordinary, sourcemap: false })
writeFileSync(bare, "exports.handler = async () => 1")

const load = `const before = process.cpuUsage(); require(process.argv[1]); const { user, system } = process.cpuUsage(before); console.log((user + system) / 1000)`
const environment = { PATH: process.env.PATH, AWS_REGION: "us-east-1", AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "secret" }
function milliseconds(file: string) {
  const { stdout, stderr, status } = spawnSync(process.execPath, ["-e", load, file], { encoding: "utf8", env: environment })
  if (status !== 0) throw new Error(stderr)
  return Number(stdout)
}

// In turn, so that whatever else the machine does falls on all of them.
const candidates = { ours: join(folder, "functions/api/tasks/index.cjs"), ordinary, bare }
const times: Record<string, number[]> = { ours: [], ordinary: [], bare: [] }
for (let i = 0; i < loads; i++) for (const [name, file] of Object.entries(candidates)) times[name]!.push(milliseconds(file))
const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!

console.table(sizes)
for (const [name, values] of Object.entries(times))
  console.log(`${name.padEnd(10)} ${median(values).toFixed(1)} ms of processor time to load`)
const [ours, other] = [median(times.ours!), median(times.ordinary!)]
const golden = {
  gzippedKb: sizes,
  /** An ordinary bundle of `entry`. */
  ordinaryGzippedKb: Math.round(gzipSync(readFileSync(ordinary), { level: 9 }).length / 1024),
  /** Of processor time, on the machine that measured it last; the ratio is what holds elsewhere. */
  loadMilliseconds: { ours: Math.round(ours), ordinary: Math.round(other) },
  loadRatio: Number((ours / other).toFixed(2)),
}
console.log(`ordinary: ${golden.ordinaryGzippedKb} KB gzipped; ours takes ${golden.loadRatio} of its time`)
writeFileSync(join(import.meta.dirname, "golden", "bundles.json"), `${JSON.stringify(golden, null, 2)}\n`)
rmSync(work, { recursive: true, force: true })
