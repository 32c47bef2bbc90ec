import { expect, test } from "vitest"
import type { Graph } from "./graph.ts"
import { evaluateLocal } from "./local-stack.ts"
import { quotasOf, quotaTable } from "./quotas.ts"
import { sampleSources } from "./sample.ts"

const needs = (graph: Graph, tasksAtOnce: number) =>
  Object.fromEntries(quotasOf(graph, tasksAtOnce).map(({ name, region, needs }) => [`${name} ${region}`, needs]))

test("what a stack needs of its account follows from its settings and its tasks at once", async () => {
  const plain = needs(await evaluateLocal(sampleSources, { isolatedNetwork: false }), 5)
  const settings = { isolatedNetwork: true, reservedConcurrency: { "lifecycle/run": 40, "api/tasks": 60 } }
  const more = needs(await evaluateLocal(sampleSources, settings), 50)

  expect(plain).toMatchObject({
    "Fargate On-Demand vCPUs us-east-1": 5,
    "Fargate On-Demand vCPUs eu-central-1": 5,
    "VPCs per region us-east-1": 1,
    "Concurrent executions of functions us-east-1": 100,
  })
  expect(more).toMatchObject({
    "Fargate On-Demand vCPUs us-east-1": 50,
    "VPCs per region us-east-1": 2,
    "VPCs per region eu-central-1": 1,
    "Concurrent executions of functions us-east-1": 200,
  })
})

test("what a new account has too little of comes first, with the command that tells what it has", async () => {
  const lines = quotaTable(quotasOf(await evaluateLocal(sampleSources), 50)).split("\n")
  const verdicts = lines.slice(1).map((line) => line.split(" ")[0])
  expect(verdicts).toEqual(verdicts.toSorted())
  expect(lines[1]).toMatch(/^ask .* aws service-quotas get-service-quota --service-code \w+ --quota-code L-\w+ --region \S+$/)
})
