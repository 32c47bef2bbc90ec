import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { implied, impliedFor } from "./implied.ts"
import { reportOf, type Seen, seenIn, show } from "./unused.ts"
import type { Wiring } from "./wiring/types.ts"

const read = (name: string) => JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8"))
const wiring = read("wiring.json") as Wiring
const seen = read("seen.json") as Seen
const { role } = wiring.functions["dormouse-reactions-fanout"]!

test("no role may do what nothing was seen to use and AWS does not do in its name", () => {
  const { unused, anywhere, ...figures } = reportOf(wiring, seen)
  expect(unused, "See docs/operate.md, “What roles may do”").toEqual({})
  expect(figures.allowed).toBe(figures.seen + figures.implied)
  expect(anywhere.filter((action) => !action.startsWith("logs:"))).toEqual([
    "ecr:GetAuthorizationToken",
    "ecs:ListTasks",
    "ecs:RegisterTaskDefinition",
  ])
})

test("what is written down as seen is still allowed", () => {
  const used = Object.entries(seen).map(([name, actions]) => [
    `arn:aws:iam::${wiring.account}:role/dormouse-${name}`,
    Object.fromEntries(actions.map((action) => [action, 1])),
  ])
  expect(seenIn(wiring, [Object.fromEntries(used)])).toEqual(seen)
})

test("what no trace has seen and AWS does not do itself is told by role", () => {
  const traces = [{ [role]: { "dynamodb:Query": 3 } }, { [role]: { "dynamodb:PutItem": 1, "s3:GetObject": 1 } }]
  const partly = seenIn(wiring, traces)
  expect(partly["reactions-fanout"]).toEqual(["dynamodb:PutItem", "dynamodb:Query"])
  const report = reportOf(wiring, { ...seen, ...partly, "reactions-fanout": partly["reactions-fanout"]! })
  expect(report.unused["reactions-fanout"]).toEqual(["s3:PutObject", "sqs:SendMessage"])
  expect(show(report)).toMatch(/^reactions-fanout: s3:PutObject, sqs:SendMessage$/m)
})

test("what AWS does itself is said with its source, and granted to whom it is said of", () => {
  for (const { source } of implied) expect(source).toMatch(/^https:\/\/docs\.aws\.amazon\.com\//)
  const everybody = Object.entries(wiring.roles).map(([role, statements]) => ({
    name: role.split("/dormouse-")[1]!,
    actions: statements.flatMap(({ actions }) => actions),
  }))
  const queue = { name: "", actions: [], consumes: "queue" as const }
  expect(impliedFor(queue)).toContain("sqs:ReceiveMessage")
  expect(impliedFor({ ...queue, consumes: undefined })).not.toContain("sqs:ReceiveMessage")
  for (const holder of everybody) expect(holder.actions, holder.name).toEqual(expect.arrayContaining(impliedFor(holder)))
})
