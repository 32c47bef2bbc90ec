import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { containers, controlPlane, idle, logBatches, readCounts, regions, targets, thousandTasks, total } from "./cost.ts"
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

  test("says with each table that its prices have to be checked first", () => {
    const table = costTable(graph, { one: profile }, "us-east-1")
    expect(table).toContain("written down from memory")
    expect(table).toContain("Check them against AWS's price list")
  })

  test("stays below what an idle stack may cost, in every region that has prices", () => {
    for (const region of Object.keys(regions)) expect(total(idle(graph, region)), region).toBeLessThanOrEqual(targets.idle)
  })

  test("is the same in the README, the guide and the sample, for a stack that does nothing", async () => {
    const text = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8").replaceAll(/\s+/g, " ")
    const all = await evaluateLocal(undefined, { isolatedNetwork: true, firewall: true })
    // By AWS's prices in us-east-1, of which no month of tasks asks: 0.01 USD for an hour of an endpoint in one zone, and for a month of
    // the firewall 5 USD with 1 USD for each rule.
    const inputsOf = (type: string) => all.resources.filter((resource) => resource.type === type).map(({ inputs }) => inputs)
    const zones = inputsOf("aws:ec2/vpcEndpoint:VpcEndpoint").flatMap(({ subnetIds }) => (subnetIds ?? []) as string[])
    const isolated = `${Math.round(zones.length * 730 * 0.01)} USD a month`
    const rules = inputsOf("aws:wafv2/webAcl:WebAcl").flatMap((acl) => acl.rules as object[])
    const firewall = `${5 + rules.length} USD a month`
    const nothing = `${total(idle(graph, "us-east-1")).toFixed(2)} USD a month in us-east-1`

    for (const path of ["README.md", "docs/operate.md"]) expect(text(path), path).toContain(nothing)
    for (const path of ["README.md", "docs/operate.md", "Pulumi.sample.yaml"]) {
      expect(text(path), path).toContain(`about ${isolated}`)
      expect(text(path), path).toContain(`about ${firewall}`)
    }
  })

  test("is below what a thousand tasks may cost, in the region that the target is for", () => {
    expect(thousandTasks("us-east-1")).toBeLessThanOrEqual(targets.thousandTasks)
  })

  test("counts the batches of a log that nobody reads as the daemon sends them, whose pause doubles", () => {
    const { seconds } = readCounts()
    // At 1, 3, 7, 15, 31, 56, 81 and 106 seconds; the lease is renewed from the fourth on.
    expect(logBatches(seconds, 130 / 60)).toEqual({ others: 3, renewing: 5 })
    expect(logBatches(seconds, 0)).toEqual({ others: 0, renewing: 0 })
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
