import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"

const root = join(import.meta.dirname, "..")

test("the guide compares us with others as we are, and we stop every vector", () => {
  const table = execFileSync(process.execPath, ["bench/egress.ts"], { cwd: root, encoding: "utf8" }).trim()
  const guide = readFileSync(join(root, "docs/webhooks.md"), "utf8")
  expect(/<!-- egress[^>]*-->\n(.*?)\n<!-- \/egress -->/s.exec(guide)?.[1]).toBe(table)
  const [, count, ours, , , unguarded] = table
    .split("\n")
    .at(-1)!
    .split("|")
    .slice(1)
    .map((cell) => Number(cell) || cell.trim())
  expect(ours).toBe(count)
  expect(count).toBeGreaterThanOrEqual(120)
  // Were the vectors stopped by nobody's doing, the comparison would show nothing.
  expect(unguarded).toBeLessThan(Number(count) / 5)
})
