import { readFileSync } from "node:fs"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { build } from "./bundle.ts"

// `npm run build`: bundles what has changed, and says how large everything is.

const kilobytes = (bytes: number) => `${(bytes / 1024).toFixed(1)} KB`.padStart(12)

const { fresh, folder, files } = await build(join(import.meta.dirname, ".."))
const width = Math.max(...files.map((file) => file.length))
console.log(`${"bundle".padEnd(width)}${"size".padStart(12)}${"gzipped".padStart(12)}`)
for (const file of files.toSorted((a, b) => a.localeCompare(b))) {
  const bytes = readFileSync(join(folder, file))
  console.log(`${file.padEnd(width)}${kilobytes(bytes.length)}${kilobytes(gzipSync(bytes).length)}`)
}
console.log(fresh ? "Built." : "Nothing has changed.")
