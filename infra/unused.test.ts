import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { implied } from "./implied.ts"
import { reportOf, show, together } from "./unused.ts"
import type { Wiring } from "./wiring/types.ts"

const wiring = JSON.parse(readFileSync(new URL("wiring.json", import.meta.url), "utf8")) as Wiring
const fanout = "dormouse-reactions-fanout"
const { role } = wiring.functions[fanout]!

test("what no trace has seen and AWS does not do itself is told by role", () => {
  const used = together([{ [role]: { "dynamodb:Query": 3 } }, { [role]: { "dynamodb:PutItem": 1, "sqs:SendMessage": 1 } }])
  const { unused, ...figures } = reportOf(wiring, used)
  expect(unused[fanout]).toContain("dynamodb:DeleteItem")
  expect(unused[fanout]).not.toContain("dynamodb:PutItem")
  expect(unused[fanout]).not.toContain("logs:PutLogEvents")
  expect(figures.used).toBe(3)
  const count = Object.values(unused).flat().length
  expect(figures.allowed).toBe(figures.used + figures.implied + count)
  expect(show({ unused, ...figures })).toContain(`${count} were not seen in use`)
})

test("everything seen in use leaves nothing", () => {
  const everything = Object.values(wiring.functions).map(({ role }) => [
    role,
    Object.fromEntries(wiring.roles[role]!.flatMap(({ actions }) => actions.map((action) => [action, 1]))),
  ])
  expect(reportOf(wiring, Object.fromEntries(everything)).unused).toEqual({})
})

test("what AWS does itself is said with its source, and granted to somebody", () => {
  const granted = new Set(Object.values(wiring.roles).flatMap((statements) => statements.flatMap(({ actions }) => actions)))
  for (const { actions, source } of implied) {
    expect(source).toMatch(/^https:\/\/docs\.aws\.amazon\.com\//)
    expect(actions.filter((action) => !granted.has(action))).toEqual([])
  }
})
