import { beforeAll, describe, expect, test } from "vitest"
import type { Graph } from "./graph.ts"
import { evaluateLocal } from "./local-stack.ts"
import { breakages } from "./policies/breakages.ts"
import { policies } from "./policies.ts"
import { sampleSources } from "./sample.ts"

describe("the stack of this repository", () => {
  let graph: Graph
  beforeAll(async () => {
    graph = await evaluateLocal()
  })

  test.each(Object.entries(policies))("%s", (_, policy) => {
    expect(policy(graph)).toEqual([])
  })
})

describe("every policy bites", () => {
  let sample: Graph
  beforeAll(async () => {
    sample = await evaluateLocal(sampleSources, { isolatedNetwork: true, firewall: true })
  })

  test("none is without a breakage that it finds", () => {
    expect(new Set(breakages.map(([policy]) => policy))).toEqual(new Set(Object.keys(policies)))
  })

  test.each(breakages)("%s: %s", (name, _, breakIt) => {
    const broken = structuredClone(sample)
    expect(policies[name]?.(broken)).toEqual([])

    breakIt(broken)

    expect(policies[name]?.(broken)).not.toEqual([])
  })
})
