import { beforeAll, describe, expect, test } from "vitest"
import { evaluate } from "./evaluate.ts"
import { filesWithNeeds } from "./functions.ts"
import { every, type Graph, nameOf, only } from "./graph.ts"
import { physicalName } from "./policies/names.ts"
import { violations } from "./preflight.ts"
import { sampleSettings, sampleSources } from "./sample.ts"
import type { Settings } from "./settings.ts"
import { readSources, type Sources } from "./sources.ts"
import { defineStack } from "./stack.ts"

const account = "000000000000"
const evaluateWith = (settings: Partial<Settings> = {}, sources: Partial<Sources> = {}) => {
  const all = { ...sampleSettings, ...settings }
  const stack = { name: all.tenant, region: all.region, account }
  return evaluate(() => defineStack(all, { ...sampleSources, ...sources }), stack)
}

describe("a stack", () => {
  let sample: Graph
  beforeAll(async () => {
    sample = await evaluateWith()
  })

  test("is the same every time", async () => {
    expect(await evaluateWith()).toEqual(sample)
  })

  test("shares no name with the stack of another tenant", async () => {
    const names = (graph: Graph) => new Set(graph.resources.filter(({ custom }) => custom).map(physicalName))
    const other = await evaluateWith({ tenant: "other" })

    const shared = names(sample).intersection(names(other))
    expect([...shared].filter((name) => name !== undefined)).toEqual([])
  })

  test("carries the tenant's tag beside the tags that things have of their own", () => {
    const tags = sample.resources.filter(({ type }) => type === "aws:ec2/vpc:Vpc").map(({ inputs }) => inputs.tags)
    expect(tags).toEqual([
      { Name: "sample-task", "dormouse:tenant": "sample" },
      { Name: "sample-task", "dormouse:tenant": "sample" },
    ])
  })

  test("is one Lambda per file, named after it", () => {
    const names = every(sample, "lambda/function:Function").map(nameOf)
    expect(new Set(names)).toEqual(new Set(sampleSources.functions.map((file) => `sample-${file.replace("/", "-")}`)))
  })

  test("runs tasks in the EU beside home", () => {
    expect(every(sample, "ecs/cluster:Cluster").map(({ region }) => region)).toEqual(["eu-central-1", "us-east-1"])
  })

  test("runs all tasks at home where home is in the EU", async () => {
    const graph = await evaluateWith({ region: "eu-central-1" })

    expect(every(graph, "ecs/cluster:Cluster").map(({ region }) => region)).toEqual(["eu-central-1"])
    expect(new Set(graph.resources.map(({ region }) => region))).toEqual(new Set(["eu-central-1", undefined]))
  })

  test.each(["eu-central-1", "eu-west-1"])("keeps everything in the EU where home is %s", async (region) => {
    const graph = await evaluateWith({ region, isolatedNetwork: true })

    const regions = new Set(graph.resources.map((resource) => resource.region).filter((name) => name !== undefined))
    expect([...regions].filter((name) => !name.startsWith("eu-"))).toEqual([])
    expect(regions).toEqual(new Set([region, "eu-central-1"]))
    expect(JSON.stringify(graph).match(/\b(us|ap|ca|sa|me|af|il)-[a-z]+-\d\b/g)).toBeNull()
    expect(violations(graph)).toEqual([])
  })

  test.each([
    ["us-east-1", ["us-east-1b", "us-east-1c"]],
    ["us-west-1", ["us-west-1a", "us-west-1c"]],
    ["ap-northeast-1", ["ap-northeast-1b", "ap-northeast-1c"]],
    ["eu-central-1", ["eu-central-1a", "eu-central-1b"]],
  ])(
    "starts no task in %s where Fargate is not: az3, az2 and az3 of the first three, as an account may name them",
    async (region, zones) => {
      const graph = await evaluateWith({ region, isolatedNetwork: true })

      const atHome = every(graph, "ec2/subnet:Subnet").filter((subnet) => subnet.region === region)
      expect(new Set(atHome.map(({ inputs }) => inputs.availabilityZone))).toEqual(new Set(zones))
      expect(violations(graph)).toEqual([])
    },
  )

  test("leaves the account's API log role to another stack where told to", async () => {
    const roles = (graph: Graph) => graph.resources.filter(({ type }) => type === "aws:apigateway/account:Account")
    expect(roles(sample)).toHaveLength(1)
    expect(roles(await evaluateWith({ setsApiLogRole: false }))).toHaveLength(0)
  })

  test("keeps every rule with every option of its settings", async () => {
    const graph = await evaluateWith({
      alarmEmail: "ops@example.com",
      monthlyBudgetUsd: 500,
      domain: {
        name: "agents.example.com",
        certificateArn: `arn:aws:acm:us-east-1:${account}:certificate/1`,
        hostedZoneId: "Z1",
      },
      firewall: true,
      isolatedNetwork: true,
      eventArchiveDays: 90,
      subscriberAccounts: ["111111111111"],
      reservedConcurrency: { "api/tasks": 20 },
    })

    const kinds = new Set(graph.resources.map(({ type }) => type.split(":").at(-1)))
    const wanted = [
      "TopicSubscription",
      "Budget",
      "VpcEndpoint",
      "DomainName",
      "BasePathMapping",
      "Record",
      "WebAcl",
      "WebAclAssociation",
    ]
    expect([...wanted, "EventArchive", "EventBusPolicy"].filter((kind) => !kinds.has(kind))).toEqual([])
    expect(violations(graph)).toEqual([])
  })

  test("has at its own domain the addresses that it has on one machine, and no others", async () => {
    const certificateArn = `arn:aws:acm:us-east-1:${account}:certificate/1`
    const graph = await evaluateWith({ domain: { name: "agents.example.com", certificateArn } })

    const mappings = every(graph, "apigateway/basePathMapping:BasePathMapping").map(({ inputs }) => inputs)
    const { restApi, stageName } = only(graph, "apigateway/stage:Stage").inputs
    expect(mappings).toEqual([{ domainName: "agents.example.com", restApi, stageName, basePath: "api" }])
  })

  test("has nothing that costs while it is idle unless its settings ask for it", () => {
    const idle = /WebAcl|NatGateway|VpcEndpoint|Eip|LoadBalancer|ProvisionedConcurrency/
    expect(sample.resources.filter(({ type }) => idle.test(type))).toEqual([])
  })

  test("is not made with a function that nobody gave anything", async () => {
    const functions = [...sampleSources.functions, "lifecycle/forgotten"]
    await expect(evaluateWith({}, { functions })).rejects.toThrow(
      "functions/lifecycle/forgotten.ts has no entry in infra/functions.ts",
    )
  })

  test("is not made without a function that the state machine names", async () => {
    const functions = sampleSources.functions.filter((file) => file !== "lifecycle/settle")
    await expect(evaluateWith({}, { functions })).rejects.toThrow("functions/lifecycle/settle.ts")
  })

  test.each([
    ["tenant", { tenant: "Tenant" }],
    ["imageTag", { imageTag: "" }],
    ["logRetentionDays", { logRetentionDays: 31 }],
    ["throttle", { throttle: { rate: 0, burst: 1 } }],
    ["warmSeconds", { warmSeconds: 3_601 }],
    ["anthropicBaseUrl", { modelBaseUrls: { anthropic: "models.example.com", openai: "", openrouter: "" } }],
    ["alarmEmail", { alarmEmail: "nobody" }],
    ["monthlyBudgetUsd", { monthlyBudgetUsd: 100 }],
    ["domain", { domain: { name: "a.example.com", certificateArn: "arn:aws:acm:eu-west-1:1:certificate/1" } }],
    ["eventArchiveDays", { eventArchiveDays: 0.5 }],
    ["subscriberAccounts", { subscriberAccounts: ["me"] }],
    ["reservedConcurrency", { reservedConcurrency: { "api/tasks": 0 } }],
  ])("is not made with a bad %s", async (setting, settings) => {
    await expect(evaluateWith(settings)).rejects.toThrow(`Setting ${setting}`)
  })

  test.each([
    ["eu-centrl-1", "There is no region eu-centrl-1: did you mean eu-central-1?"],
    ["us-wst-2", "There is no region us-wst-2: did you mean us-west-2?"],
    ["Frankfurt", "There is no region Frankfurt: known are af-south-1, "],
    ["us-gov-west-1", "The region us-gov-west-1 is in another partition than aws"],
  ])("is not made in %s, where no stack can be", async (region, words) => {
    await expect(evaluateWith({ region })).rejects.toThrow(words)
  })
})

describe("the repository", () => {
  test("has a file for every entry in infra/functions.ts that names one", () => {
    expect(readSources().functions).toEqual(expect.arrayContaining(filesWithNeeds))
  })

  test("puts out what else has to know of a stack", async () => {
    const config = { "dormouse:tenant": "sample", "dormouse:imageTag": "1" }
    const graph = await evaluate(() => import("./index.ts"), {
      name: "sample",
      region: "us-east-1",
      account,
      config,
    })

    expect(graph.outputs).toEqual({
      apiUrl: "https://api.execute-api.us-east-1.amazonaws.com/api",
      tableName: "sample",
      bucketName: `sample-data-${account}`,
      busName: "sample-domain",
      imageRepository: `${account}.dkr.ecr.us-east-1.amazonaws.com/sample-task`,
      alarmTopicArn: `arn:aws:sns:us-east-1:${account}:sample-alarms`,
    })
  })
})
