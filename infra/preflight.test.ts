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

  test.each([
    ["dormose:firewall: true", "Nobody reads dormose:firewall: did you mean dormouse:firewall?"],
    ["Dormouse:isolatedNetwork: true", "Nobody reads Dormouse:isolatedNetwork: did you mean dormouse:isolatedNetwork?"],
    ["aws:profil: acme", "Nobody reads aws:profil: did you mean aws:profile?"],
    ["asw:profil: acme", "Nobody reads asw:profil: settings begin with dormouse: or aws:"],
    ["other:thing: 1", "Nobody reads other:thing: settings begin with dormouse: or aws:"],
    ["isolatedNetworks: true", "Setting isolatedNetworks is not known: did you mean isolatedNetwork?"],
    ["dormouse:anthropicBaseUrl: models.example.com", "Setting anthropicBaseUrl is an address that begins with https://"],
  ])("is refused where it is for nobody: %s", async (line, words) => {
    await expect(preflight(`${minimal}  ${line}\n`)).rejects.toThrow(words)
  })

  test.each([
    ["throttle: 5", "Setting throttle takes rate, burst, each with a value, not 5"],
    [
      "accountQuotas: [5]",
      "Setting accountQuotas takes runningTasks, fileStorageGib, checkpointStorageGib, each with a value, not [5]",
    ],
    ["domain: { name: agents.example.com }", "Setting domain takes a name and a certificate of us-east-1"],
    ["domain: { certificateArn: 'arn:aws:acm:us-east-1:1:certificate/1' }", "Setting domain takes a name and a certificate"],
    ["reservedConcurrency: 5", "Setting reservedConcurrency takes a number for each file, not 5"],
    ["subscriberAccounts: 123456789012", "Setting subscriberAccounts takes a list, not 123456789012"],
    ["alarmEmail:", "The setting dormouse:alarmEmail has no value"],
  ])("is refused where it has not the shape that is read: %s", async (line, words) => {
    await expect(preflight(`${minimal}  dormouse:${line}\n`)).rejects.toThrow(words)
  })

  test("is refused where it says the same twice, with the project's namespace and without", async () => {
    await expect(preflight(`${minimal}  tenant: other\n`)).rejects.toThrow("The setting dormouse:tenant is there twice")
  })

  test("is the project's where it has no namespace, and may be the provider's and Pulumi's", async () => {
    const { graph, wrong } = await preflight(`${minimal}  logRetentionDays: 7\n  aws:profile: acme\n  pulumi:tags: { team: a }\n`)

    expect(wrong).toEqual([])
    expect(every(graph, "cloudwatch/logGroup:LogGroup")[0]?.inputs.retentionInDays).toBe(7)
  })

  test.each([
    [
      "region",
      "aws:region: us-east-1",
      "The setting aws:region is missing: the stack's file needs one, such as aws:region: us-east-1",
    ],
    [
      "tenant",
      "dormouse:tenant: acme",
      "The setting dormouse:tenant is missing: the stack's file needs one, such as dormouse:tenant",
    ],
    [
      "image tag",
      "dormouse:imageTag: '1'",
      'The setting dormouse:imageTag is missing: the stack\'s file needs one, such as dormouse:imageTag: "0.1.0"',
    ],
  ])("has to name a %s", async (_, line, words) => {
    await expect(preflight(minimal.replace(`  ${line}\n`, ""))).rejects.toThrow(words)
  })

  test.each([
    [minimal.replace("config", "confg"), "A stack's file has no part confg: did you mean config?"],
    ["", "The file has no settings"],
    ["config:\n", "The file has no settings"],
    [
      "config: [",
      "The file is no YAML: Flow sequence in block collection must be sufficiently indented and end with a ] at line 1",
    ],
  ])("has to be a stack's file: %j", async (file, words) => {
    await expect(preflight(file)).rejects.toThrow(words)
  })
})
