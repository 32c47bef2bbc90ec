import * as aws from "@pulumi/aws"
import { ComponentResource, output, secret } from "@pulumi/pulumi"
import { describe, expect, test } from "vitest"
import { evaluate } from "./evaluate.ts"
import { every, only } from "./graph.ts"

const stack = { name: "test", region: "us-east-1", account: "000000000000" }

describe("evaluate", () => {
  test("gives every resource its region, and what it depends on", async () => {
    const graph = await evaluate(() => {
      const key = new aws.kms.Key("key", { region: "eu-central-1" })
      const group = new aws.cloudwatch.LogGroup("group", { name: "/group", kmsKeyId: key.arn }, { protect: true })
      new aws.cloudwatch.LogGroup("later", { name: "/later" }, { dependsOn: [group] })
      return { key: key.arn }
    }, stack)

    const [group, later] = every(graph, "cloudwatch/logGroup:LogGroup")
    const key = only(graph, "kms/key:Key")
    expect(key).toMatchObject({ region: "eu-central-1", protect: false })
    expect(group).toMatchObject({
      region: "us-east-1",
      protect: true,
      inputs: { kmsKeyId: "arn:aws:kms:eu-central-1:000000000000:key/key" },
      propertyDependencies: { kmsKeyId: [key.urn] },
    })
    expect(later?.dependencies).toEqual([group?.urn])
    expect(graph.outputs).toEqual({ key: key.state.arn })
  })

  test("knows which component a resource belongs to", async () => {
    const graph = await evaluate(() => {
      const parent = new ComponentResource("test:test:Component", "component")
      new aws.kms.Key("key", {}, { parent })
    }, stack)

    const component = graph.resources.find(({ name }) => name === "component")
    expect(only(graph, "kms/key:Key").parent).toBe(component?.urn)
  })

  test("keeps secrets out of the graph", async () => {
    const graph = await evaluate(() => {
      new aws.cloudwatch.LogGroup("group", { name: secret("whispered") })
    }, stack)

    expect(JSON.stringify(graph.resources.map(({ inputs }) => inputs))).not.toContain("whispered")
  })

  test("fails when the program throws", async () => {
    const run = evaluate(() => {
      throw new Error("no tenant")
    }, stack)

    await expect(run).rejects.toThrow("no tenant")
  })

  test("fails when an output's value cannot be made, and says what was never made for it", async () => {
    const run = evaluate(() => {
      const name = output("x").apply((): string => {
        throw new Error("no name")
      })
      new aws.cloudwatch.LogGroup("group", { name })
    }, stack)

    await expect(run).rejects.toThrow(/no name.*Never made: aws:cloudwatch\/logGroup:LogGroup group/)
  })

  test("fails when the program asks AWS something that it has no answer to", async () => {
    const run = evaluate(() => {
      new aws.cloudwatch.LogGroup("group", { name: aws.ec2.getVpcOutput({}).id })
    }, stack)

    await expect(run).rejects.toThrow("aws:ec2/getVpc:getVpc")
  })

  test("starts afresh after a failure, and takes programs one at a time", async () => {
    const make = (name: string) =>
      evaluate(() => {
        new aws.kms.Key(name)
      }, stack)
    const failed = evaluate(() => Promise.reject(new Error("broken")), stack)
    const [a, b] = [make("a"), make("b")]

    await expect(failed).rejects.toThrow("broken")
    expect(every(await a, "kms/key:Key").map(({ name }) => name)).toEqual(["a"])
    expect(every(await b, "kms/key:Key").map(({ name }) => name)).toEqual(["b"])
  })
})
