import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { figures } from "./figures.ts"
import { every, only } from "./graph.ts"
import { preflight } from "./preflight.ts"
import { withFigures } from "./section.ts"

const root = join(import.meta.dirname, "..")
const files = readdirSync(root).filter((name) => /^Pulumi\..+\.yaml$/.test(name))
const read = (file: string) => readFileSync(join(root, file), "utf8")
const minimal = "config:\n  aws:region: us-east-1\n  dormouse:tenant: acme\n  dormouse:imageTag: '1'\n"

describe("every tenant's file", () => {
  test("is found, the sample too", () => {
    expect(files).toContain("Pulumi.sample.yaml")
  })

  test.each(files)("%s makes a stack that keeps every policy", async (file) => {
    const { graph, wrong } = await preflight(read(file))

    expect(wrong).toEqual([])
    expect(every(graph, "lambda/function:Function")).not.toEqual([])
  })
})

test("the guide shows the figures of the sample as they are today", async () => {
  const { graph, wrong } = await preflight(read("Pulumi.sample.yaml"))
  const guide = read("docs/operate.md")
  expect(guide).toBe(withFigures(guide, figures(graph, wrong)))
  expect(guide).toContain("policies checked, nothing against them")
})

describe("what a tenant's file says", () => {
  test("is the stack's, and the rest has defaults", async () => {
    const { graph, wrong } = await preflight(`${minimal}  dormouse:isolatedNetwork: true\n  dormouse:logRetentionDays: 7\n`)

    expect(wrong).toEqual([])
    expect(only(graph, "dynamodb/table:Table").inputs.name).toBe("acme")
    expect(new Set(every(graph, "cloudwatch/logGroup:LogGroup").map(({ inputs }) => inputs.retentionInDays))).toEqual(
      new Set([7]),
    )
    expect(graph.resources.some(({ type }) => type === "aws:ec2/vpcEndpoint:VpcEndpoint")).toBe(true)
  })

  test.each([
    ["isolatedNetworks: true", "Setting isolatedNetworks is not known: did you mean isolatedNetwork?"],
    ["webhookTarget: any", "Setting webhookTarget is not known: did you mean webhookTargets?"],
    ["runningTasks: 5", "Setting runningTasks is not known: known are tenant, imageTag"],
    ["accountQuotas: { runningTask: 5 }", "Setting accountQuotas.runningTask is not known: did you mean runningTasks?"],
    ["throttle: { rate: 1, burst: 1, limit: 1 }", "Setting throttle.limit is not known: known are rate, burst"],
    ['reservedConcurrency: { "lifecycle/runs": 20 }', "Setting reservedConcurrency names functions/lifecycle/runs.ts"],
  ])("is refused where nobody reads it: %s", async (line, words) => {
    await expect(preflight(`${minimal}  dormouse:${line}\n`)).rejects.toThrow(words)
  })

  test("may be for other programs", async () => {
    await expect(preflight(`${minimal}  other:thing: 1\n`)).resolves.toMatchObject({ wrong: [] })
  })
})
