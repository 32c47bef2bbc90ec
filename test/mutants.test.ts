import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { bugs } from "./mutants/bugs.ts"

const occurrences = ({ file, find }: { file: string; find: string }) =>
  readFileSync(join(import.meta.dirname, "..", file), "utf8").split(find).length - 1

test("each bug of test/mutants can still be planted: what it replaces stands exactly once in its file", () => {
  const wrong = bugs.map((bug) => [bug.kind, occurrences(bug)]).filter(([, count]) => count !== 1)
  expect(wrong).toEqual([])
})
