import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { command } from "./command.ts"
import { reportOf, type Seen, seenIn, show, type Trace } from "./unused.ts"
import type { Wiring } from "./wiring/types.ts"

// `npm run permissions`: what roles may do, and what of it was seen in use when that was last written down. With the folder of traces that
// `DORMOUSE_TRACE=FOLDER npm test` leaves, what was seen in those; with `-- --write FOLDER` that is written down. Fails where anything is unused.

const usage = `Usage: npm run permissions -- [FOLDER] [--write]

  FOLDER   traces that DORMOUSE_TRACE=FOLDER npm test has left; without it what was written down counts
  --write  writes down what was seen in the folder
  --help   shows this`

const written = join(import.meta.dirname, "seen.json")
const read = <Json>(path: string) => JSON.parse(readFileSync(path, "utf8")) as Json
const wiring = read<Wiring>(join(import.meta.dirname, "wiring.json"))

function tracesIn(folder: string): Trace[] {
  const names = readdirSync(folder).filter((name) => name.endsWith(".json"))
  if (!names.length) throw new Error(`There are no traces in ${folder}`)
  return names.map((name) => read<Trace>(join(folder, name)))
}

await command(usage, () => {
  const { values, positionals } = parseArgs({ options: { write: { type: "boolean", default: false } }, allowPositionals: true })
  const [folder, surplus] = positionals
  if (surplus !== undefined) throw new Error(`${surplus} is one folder too many`)
  if (values.write && folder === undefined) throw new Error("Name the folder of the traces")
  const seen = folder === undefined ? read<Seen>(written) : seenIn(wiring, tracesIn(folder))
  const report = reportOf(wiring, seen)
  console.log(show(report))
  if (values.write) writeFileSync(written, `${JSON.stringify(seen, undefined, 2)}\n`)
  process.exitCode = Object.keys(report.unused).length ? 1 : 0
})
