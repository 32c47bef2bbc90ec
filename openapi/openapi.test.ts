import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { stringify } from "yaml"
import { type Contract, holdAgainst } from "./contract.ts"
import { agentDocument, publicDocument } from "./document.ts"

const read = (name: string) => readFileSync(new URL(name, import.meta.url), "utf8")
const contract = JSON.parse(read("contract.json")) as Contract
const containers = JSON.parse(read("containers.json")) as Contract

describe("the committed documents", () => {
  test.each([
    ["openapi.yaml", publicDocument],
    ["agent.yaml", agentDocument],
  ])("%s is what the routes say (npm run openapi writes it anew)", async (name, generate) => {
    expect(read(name)).toBe(stringify(await generate()))
  })

  test.each([
    ["the public API", publicDocument],
    ["the container protocol", agentDocument],
  ])("every operation of %s has an id of its own, and every reference leads somewhere", async (_, generate) => {
    const document = await generate()
    const operations = Object.values(document.paths).flatMap((path) => Object.values(path))
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length)
    const references = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name)
    expect(Object.keys(document.components.schemas)).toEqual(expect.arrayContaining(references))
    for (const schema of Object.values(document.components.schemas)) expect(Object.keys(schema as object)).not.toEqual([])
  })
})

describe("what the product must offer", () => {
  test("everything is there, as the contract says", async () => {
    expect(holdAgainst(contract, await publicDocument())).toEqual({ missing: [], different: [] })
  })

  test("the same for the containers of the earlier API, of which nothing is missing", async () => {
    expect(holdAgainst(containers, await publicDocument())).toEqual({ missing: [], different: [] })
  })
})

describe("holding a document against the contract", () => {
  type Change = (document: Awaited<ReturnType<typeof publicDocument>>) => void
  // biome-ignore lint/suspicious/noExplicitAny: the tests reach into a document to break it.
  const schemas = (document: any) => document.components.schemas

  test.each<[string, Change, string]>([
    [
      "a field that is gone",
      (document) => delete schemas(document).Account.properties.creditBalance,
      "GET /api/v1/account -> 200.creditBalance: is missing",
    ],
    [
      "a field that may be absent",
      (document) => schemas(document).Account.required.splice(0, 1),
      "GET /api/v1/account -> 200.id: must always be there",
    ],
    [
      "a field of another type",
      (document) => (schemas(document).Account.properties.creditBalance = { type: "string" }),
      "GET /api/v1/account -> 200.creditBalance: must be number, is string",
    ],
    [
      "a field that may be null",
      (document) => (schemas(document).Account.properties.id.nullable = true),
      "GET /api/v1/account -> 200.id: must not be nullable",
    ],
    [
      "a value that is gone",
      (document) => schemas(document).Account.properties.billingMode.enum.pop(),
      "GET /api/v1/account -> 200.billingMode: lacks the value unlimited_grant",
    ],
    [
      "a time that is any text",
      (document) => delete schemas(document).Account.properties.createdAt.format,
      "GET /api/v1/account -> 200.createdAt: must be a date-time",
    ],
    [
      "a field that must be sent",
      (document) => (schemas(document).CreateTask.required = ["metadata"]),
      "POST /api/v1/agents/{agentId}/tasks body.metadata: must not be required",
    ],
    [
      "a variant that is gone",
      (document) => schemas(document).OutputPolicyInput.oneOf?.pop() ?? schemas(document).OutputPolicyInput.anyOf.pop(),
      "POST /api/v1/agents body.defaults.outputPolicy: lacks mode=named",
    ],
    [
      "an answer that is gone",
      (document) => delete document.paths["/api/v1/agents/{agentId}/tasks"]!.post!.responses[402],
      "POST /api/v1/agents/{agentId}/tasks -> 402: is missing",
    ],
    [
      "a parameter that is gone",
      (document) => (document.paths["/api/v1/agents"]!.get!.parameters = []),
      "GET /api/v1/agents ?cursor: is missing",
    ],
    [
      "an open door",
      (document) => (document.paths["/api/v1/account"]!.get!.security = []),
      "GET /api/v1/account: must need a key",
    ],
  ])("finds %s", async (_, change, finding) => {
    const document = structuredClone(await publicDocument())
    change(document)
    expect(holdAgainst(contract, document).different).toContain(finding)
  })
})
