import { describe, expect, test } from "vitest"
import { makeFixture } from "./fixture.ts"
import { needsOf } from "./permissions.ts"

const account = "123456789012"
const key = `arn:aws:kms:us-east-1:${account}:key/one`
const machine = `arn:aws:states:us-east-1:${account}:stateMachine:life`
const fixture = makeFixture(
  {},
  {
    keys: [{ arn: key, region: "us-east-1", usage: "ENCRYPT_DECRYPT" }],
    stateMachines: { [machine]: { name: "life", role: "", definition: {} } },
  },
)
fixture.remove()

/** The permissions that a request takes, each as `action resource`. */
const needs = (target: string, input: Record<string, unknown>) => {
  const [name, operation] = target.split(".") as [string, string]
  return needsOf(name, { operation, input, region: "us-east-1", wiring: fixture.wiring }).flatMap(({ action, resources }) =>
    resources.map((resource) => `${action} ${resource}`),
  )
}

const table = `arn:aws:dynamodb:us-east-1:${account}:table/main`

describe("DynamoDB", () => {
  test("a request is about its table, or the index that it names", () => {
    expect(needs("DynamoDB_20120810.GetItem", { TableName: "main" })).toEqual([`dynamodb:GetItem ${table}`])
    expect(needs("DynamoDB_20120810.Query", { TableName: table, IndexName: "byTime" })).toEqual([
      `dynamodb:Query ${table}/index/byTime`,
    ])
  })

  test("a transaction takes the permission of each of its parts", () => {
    const part = { TableName: "main" }
    const TransactItems = [{ Put: part }, { Update: part }, { Delete: part }, { ConditionCheck: part }, { Get: part }]
    expect(needs("DynamoDB_20120810.TransactWriteItems", { TransactItems })).toEqual(
      ["PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem", "GetItem"].map((action) => `dynamodb:${action} ${table}`),
    )
  })

  test("a batch of statements takes the permission of what they do, on every table that they name", () => {
    const Statements = ["main", "main2"].map((name) => ({ Statement: `UPDATE "${name}" SET "a" = ? WHERE "pk" = ?` }))
    expect(needs("DynamoDB_20120810.BatchExecuteStatement", { Statements })).toEqual([
      `dynamodb:PartiQLUpdate ${table}`,
      `dynamodb:PartiQLUpdate ${table}2`,
    ])
  })

  test("a batch takes a permission of its own on every table", () => {
    expect(needs("DynamoDB_20120810.BatchWriteItem", { RequestItems: { main: [], main2: [] } })).toEqual([
      `dynamodb:BatchWriteItem ${table}`,
      `dynamodb:BatchWriteItem ${table}2`,
    ])
  })
})

test("Step Functions: starting is about the machine, an execution about itself, a token about the machines of the stack", () => {
  const execution = `arn:aws:states:us-east-1:${account}:execution:life:one`
  expect(needs("AWSStepFunctions.StartExecution", { stateMachineArn: machine })).toEqual([`states:StartExecution ${machine}`])
  expect(needs("AWSStepFunctions.StopExecution", { executionArn: execution })).toEqual([`states:StopExecution ${execution}`])
  expect(needs("AWSStepFunctions.SendTaskSuccess", { taskToken: "token" })).toEqual([`states:SendTaskSuccess ${machine}`])
})

test("EventBridge: every entry is about its bus, the default one where it names none", () => {
  const bus = `arn:aws:events:us-east-1:${account}:event-bus`
  expect(needs("AWSEvents.PutEvents", { Entries: [{ EventBusName: "domain" }, {}] })).toEqual([
    `events:PutEvents ${bus}/domain`,
    `events:PutEvents ${bus}/default`,
  ])
})

test("KMS: a request is about its key, whose ARN stands in the ciphertext where the request names none", () => {
  const sealed = Buffer.concat([Buffer.from([1, key.length]), Buffer.from(key)]).toString("base64")
  expect(needs("TrentService.Encrypt", { KeyId: "one" })).toEqual([`kms:Encrypt ${key}`])
  expect(needs("TrentService.Decrypt", { CiphertextBlob: sealed })).toEqual([`kms:Decrypt ${key}`])
})

describe("ECS", () => {
  const ecs = `arn:aws:ecs:us-east-1:${account}`

  test("running is about the task definition, with the cluster as a condition", () => {
    const input = { taskDefinition: "agent:1", cluster: "tasks" }
    const [need] = needsOf("AmazonEC2ContainerServiceV20141113", {
      operation: "RunTask",
      input,
      region: "us-east-1",
      wiring: fixture.wiring,
    })
    expect(need).toEqual({
      action: "ecs:RunTask",
      resources: [`${ecs}:task-definition/agent:1`],
      context: { "ecs:cluster": `${ecs}:cluster/tasks` },
    })
  })

  test("what is tagged as it is started takes the right to be tagged then", () => {
    const input = { taskDefinition: "agent:1", cluster: "tasks", tags: [{ key: "whose", value: "ours" }] }
    const request = { operation: "RunTask", input, region: "us-east-1", wiring: fixture.wiring }
    expect(needsOf("AmazonEC2ContainerServiceV20141113", request)[1]).toEqual({
      action: "ecs:TagResource",
      resources: [`${ecs}:task/tasks/new`],
      context: { "ecs:CreateAction": "RunTask" },
    })
  })

  test("handing on a role takes the right to pass it", () => {
    expect(
      needs("AmazonEC2ContainerServiceV20141113.RegisterTaskDefinition", { executionRoleArn: "execution", taskRoleArn: "task" }),
    ).toEqual(["ecs:RegisterTaskDefinition *", "iam:PassRole task", "iam:PassRole execution"])
  })

  test("stopping and describing are about the tasks", () => {
    const task = `${ecs}:task/tasks/abc`
    expect(needs("AmazonEC2ContainerServiceV20141113.StopTask", { cluster: "tasks", task: "abc" })).toEqual([
      `ecs:StopTask ${task}`,
    ])
    expect(needs("AmazonEC2ContainerServiceV20141113.DescribeTasks", { cluster: "tasks", tasks: ["abc", task] })).toEqual([
      `ecs:DescribeTasks ${task}`,
      `ecs:DescribeTasks ${task}`,
    ])
  })
})
