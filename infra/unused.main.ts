import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { reportOf, show, together, type Used } from "./unused.ts"
import type { Wiring } from "./wiring/types.ts"

// `npm run permissions -- FOLDER`: what roles may do and nothing was seen to use, by the traces (`*.json`) in that folder. Tests leave them
// there with `DORMOUSE_TRACE=FOLDER npm test`.

const [, , folder] = process.argv
if (!folder) throw new Error("Name the folder of the traces")
const read = (path: string) => JSON.parse(readFileSync(path, "utf8"))
const traces = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .map((name) => read(join(folder, name)) as Used)
if (!traces.length) throw new Error(`There are no traces in ${folder}`)
console.log(show(reportOf(read(join(import.meta.dirname, "wiring.json")) as Wiring, together(traces))))
