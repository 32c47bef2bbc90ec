import { globSync, readFileSync, statSync } from "node:fs"
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
    loadRatio: number
  }
  expect(golden.loadRatio, "of the processor time that an ordinary bundle takes to load").toBeLessThanOrEqual(0.5)
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

test("the task image is at most 200 MB compressed, and pi and the daemon are what the golden file says (npm run image:size)", async () => {
  const golden = JSON.parse(readFileSync(join(root, "bench", "golden", "image.json"), "utf8")) as {
    gzipMb: number
    layers: { files: string; gzipMb: number }[]
  }
  expect(golden.gzipMb).toBeLessThanOrEqual(200)
  const { folder } = await build(root)
  const gzipped = (pattern: string) =>
    globSync(join(folder, "task-image", pattern))
      .filter((path) => statSync(path).isFile())
      .reduce((bytes, path) => bytes + gzipSync(readFileSync(path)).length, 0) / 1_000_000
  const layer = (name: string) => golden.layers.find(({ files }) => files.includes(name))!.gzipMb
  expect(Math.abs(gzipped("*.{mjs,sh}") - layer("*.mjs"))).toBeLessThan(0.1)
  expect(Math.abs(gzipped("pi/**/*") - layer("pi"))).toBeLessThan(0.5)
})
