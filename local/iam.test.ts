import { describe, expect, test } from "vitest"
import { authorize } from "./iam.ts"
import type { Statement } from "./wiring.ts"

const account = "123456789012"
const role = `arn:aws:iam::${account}:role/worker`
const table = `arn:aws:dynamodb:us-east-1:${account}:table/main`
const cluster = `arn:aws:ecs:us-east-1:${account}:cluster/tasks`

const allow = (actions: string[], resources: string[], condition?: Statement["condition"]): Statement => ({
  effect: "Allow",
  actions,
  resources,
  ...(condition && { condition }),
})

/** Whether statements let the role do it. */
const may = (statements: Statement[], action: string, resource: string | string[], context?: Record<string, string>) => {
  const caller = { accessKeyId: "key", role, region: "us-east-1" }
  try {
    authorize({ roles: { [role]: statements }, account }, caller, action, [resource].flat(), context)
    return true
  } catch {
    return false
  }
}

describe("actions and resources", () => {
  test("nothing is allowed that no statement allows", () => {
    expect(may([], "dynamodb:GetItem", table)).toBe(false)
    expect(may([allow(["dynamodb:PutItem"], [table])], "dynamodb:GetItem", table)).toBe(false)
    expect(may([allow(["dynamodb:GetItem"], [table])], "dynamodb:GetItem", `${table}/index/byTime`)).toBe(false)
  })

  test("stars stand for anything, a question mark for one character, and actions are the same in any case", () => {
    expect(may([allow(["dynamodb:*Item"], [`${table}/index/*`])], "dynamodb:GetItem", `${table}/index/byTime`)).toBe(true)
    expect(may([allow(["DynamoDB:getitem"], ["arn:aws:dynamodb:??-east-1:*"])], "dynamodb:GetItem", table)).toBe(true)
    expect(may([allow(["dynamodb:GetItem"], [table.replace("main", "m.in")])], "dynamodb:GetItem", table)).toBe(false)
  })

  test("every one of the resources has to be allowed", () => {
    const statements = [allow(["dynamodb:BatchGetItem"], [table])]
    expect(may(statements, "dynamodb:BatchGetItem", [table, `${table}2`])).toBe(false)
    expect(may(statements, "dynamodb:BatchGetItem", [table])).toBe(true)
  })

  test("a statement that denies wins over those that allow", () => {
    const deny: Statement = { effect: "Deny", actions: ["dynamodb:DeleteItem"], resources: ["*"] }
    expect(may([allow(["dynamodb:*"], ["*"]), deny], "dynamodb:GetItem", table)).toBe(true)
    expect(may([allow(["dynamodb:*"], ["*"]), deny], "dynamodb:DeleteItem", table)).toBe(false)
  })
})

describe("conditions", () => {
  const run = (condition: Statement["condition"], context: Record<string, string>) =>
    may([allow(["ecs:RunTask"], ["*"], condition)], "ecs:RunTask", "*", context)

  test.each([
    ["StringEquals", "a", "a", true],
    ["StringEquals", "a*", "ab", false],
    ["StringLike", "a*", "ab", true],
    ["ArnEquals", cluster, cluster, true],
    ["ArnLike", "arn:aws:ecs:*:*:cluster/*", cluster, true],
    ["ArnLike", "arn:aws:*:cluster/tasks", cluster, false],
    ["Bool", "true", "True", true],
    ["Bool", "true", "false", false],
    ["StringNotEquals", "a", "b", false],
  ])("%s %s over %s is %s", (operator, wanted, value, expected) => {
    expect(run({ [operator]: { "ecs:cluster": wanted } }, { "ecs:cluster": value })).toBe(expected)
  })

  test("one of several values is enough, all keys are needed, and a key that is missing does not match", () => {
    expect(run({ StringEquals: { "ecs:cluster": ["x", "y"] } }, { "ecs:cluster": "y" })).toBe(true)
    expect(run({ StringEquals: { a: "1", b: "2" } }, { a: "1" })).toBe(false)
    expect(run({ StringEquals: { "ECS:Cluster": "y" } }, { "ecs:cluster": "y" })).toBe(true)
  })
})

test("the refusal is AWS's sentence, and the operator is never refused", () => {
  const roles = { [role]: [] }
  expect(() =>
    authorize({ roles, account }, { accessKeyId: "key", role, region: "us-east-1" }, "dynamodb:GetItem", [table]),
  ).toThrow(
    `User: arn:aws:sts::${account}:assumed-role/worker/local is not authorized to perform: dynamodb:GetItem on resource: ${table} because no identity-based policy allows the dynamodb:GetItem action`,
  )
  expect(() =>
    authorize({ roles, account }, { accessKeyId: "local", region: "us-east-1" }, "dynamodb:GetItem", [table]),
  ).not.toThrow()
})
