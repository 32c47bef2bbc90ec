import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { every, nameOf } from "./graph.ts"
import { evaluateLocal } from "./local-stack.ts"

const guide = readFileSync(new URL("../docs/operate.md", import.meta.url), "utf8")
const rows = /\n\| alarm \| .*\n\|.*\n((?:\|.*\n)+)/.exec(guide)?.[1]?.trim().split("\n") ?? []
/** What the first column names; `…` stands for any function. */
const named = rows.flatMap((row) => [...row.split("|")[1]!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!))

test("the guide says of every alarm of a stack what to do, and of none that there is not", async () => {
  const graph = await evaluateLocal()
  const alarms = every(graph, "cloudwatch/metricAlarm:MetricAlarm").map((alarm) => String(nameOf(alarm)).replace("dormouse-", ""))
  const isOf = (name: string) => (alarm: string) => new RegExp(`^${name.replace("…", "\\w+")}$`).test(alarm)

  expect(alarms.length).toBeGreaterThan(0)
  expect(alarms.filter((alarm) => !named.some((name) => isOf(name)(alarm)))).toEqual([])
  expect(named.filter((name) => !alarms.some(isOf(name)))).toEqual([])
})
