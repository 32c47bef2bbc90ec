import { readFileSync } from "node:fs"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { expect, test } from "vitest"
import { build } from "./bundle.ts"

const root = join(import.meta.dirname, "..")
const limitKb = 150
/** By so much a bundle may grow or shrink before the golden file has to say so. */
const toleranceKb = 5

test("no function's bundle is larger than 150 KB gzipped, and each is about as large as the golden file says (npm run bench:bundles)", async () => {
  const golden = JSON.parse(readFileSync(join(root, "bench", "golden", "bundles.json"), "utf8")) as {
    gzippedKb: Record<string, number>
  }
  const { folder, files } = await build(root)
  const functions = files.filter((file) => file.startsWith("functions/"))
  expect(functions.length).toBeGreaterThan(30)
  for (const file of functions) {
    const name = file.replace(/^functions\/|\/index\.cjs$/g, "")
    const kb = gzipSync(readFileSync(join(folder, file)), { level: 9 }).length / 1024
    expect(kb, name).toBeLessThanOrEqual(limitKb)
    expect(Math.abs(kb - (golden.gzippedKb[name] ?? 0)), `${name} is ${kb.toFixed(1)} KB`).toBeLessThanOrEqual(toleranceKb)
  }
})
