import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { containers, controlPlane, idle, readCounts, regions, renewalsPerMinute, targets, thousandTasks, total } from "./cost.ts"
import { costTable, profiles, withCosts } from "./cost-table.ts"
import { evaluateLocal } from "./local-stack.ts"

const graph = await evaluateLocal(undefined, { isolatedNetwork: false })
const profile = { tasks: 1_000, minutes: 12, hibernations: 0, turns: 0 }

describe("what a month costs", () => {
  test("is shown in the guide as it is computed from the counts and the prices of today", () => {
    const guide = readFileSync(new URL("../docs/operate.md", import.meta.url), "utf8")
    expect(guide).toBe(withCosts(guide, costTable(graph, profiles, "us-east-1")))
    expect(guide).toContain("100,000 of 12 minutes, each sleeping once")
  })

  test("stays below what an idle stack may cost, in every region that has prices", () => {
    for (const region of Object.keys(regions)) expect(total(idle(graph, region)), region).toBeLessThanOrEqual(targets.idle)
  })

  test("counts the renewals of a lease that the daemon makes: by heartbeats where nothing is said, by the log where much is", () => {
    const counts = readCounts()
    expect(counts.seconds).toMatchObject({ heartbeat: 30, renewal: 10 })
    const silent = renewalsPerMinute(counts, 0.001)
    expect([silent.heartbeats, silent.batches]).toEqual([expect.closeTo(2, 2), expect.closeTo(0, 2)])
    const busy = renewalsPerMinute(counts, 60)
    expect([busy.heartbeats, busy.batches]).toEqual([expect.closeTo(0, 2), expect.closeTo(60 / 11, 2)])
  })

  test("grows with tasks, minutes, turns and sleeps, and with nothing else", () => {
    const cost = (change: object) => total(controlPlane({ ...profile, ...change }, "us-east-1"))
    expect(cost({ tasks: 2_000 })).toBeCloseTo(2 * cost({}), 9)
    expect(cost({ minutes: 24 })).toBeGreaterThan(cost({}))
    expect(cost({ hibernations: 1 })).toBeGreaterThan(cost({}))
    expect(cost({ turns: 2 })).toBeGreaterThan(cost({ turns: 1 }))
    const hours = total(containers({ ...profile, minutes: 59 }, "us-east-1"))
    expect(hours / 1_000).toBeCloseTo(0.03238 + 4 * 0.00356 + 0.005, 9)
    expect(thousandTasks("us-east-1")).toBe(cost({}))
  })

  test("a region without prices is refused by name", () => {
    expect(() => controlPlane(profile, "ap-south-1")).toThrow("There are no prices for ap-south-1")
  })
})
