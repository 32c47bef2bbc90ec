import { createServer } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import * as realDynamo from "@aws-sdk/client-dynamodb"
import * as realEcs from "@aws-sdk/client-ecs"
import * as realEvents from "@aws-sdk/client-eventbridge"
import * as realKms from "@aws-sdk/client-kms"
import * as realScheduler from "@aws-sdk/client-scheduler"
import * as realSfn from "@aws-sdk/client-sfn"
import * as realSqs from "@aws-sdk/client-sqs"
import * as realDocuments from "@aws-sdk/lib-dynamodb"
import { describe, expect, test } from "vitest"
import * as dynamo from "./client-dynamodb.ts"
import * as ecs from "./client-ecs.ts"
import * as events from "./client-eventbridge.ts"
import * as kms from "./client-kms.ts"
import * as scheduler from "./client-scheduler.ts"
import * as sfn from "./client-sfn.ts"
import * as sqs from "./client-sqs.ts"
import { answering, compare, heardSince, type Library, send, withoutMetadata } from "./compare.ts"
import * as documents from "./lib-dynamodb.ts"

const bytes = (value: string) => new Uint8Array(Buffer.from(value))
const base64 = (value: string) => Buffer.from(value).toString("base64")
const second = 1_795_000_000

describe("a command of a JSON service sends what the SDK sends, and answers what it answers", () => {
  const cases: [string, Library, Library, string, string, object, object][] = [
    [
      "KMS",
      kms,
      realKms,
      "KMSClient",
      "DecryptCommand",
      { KeyId: "k", CiphertextBlob: bytes("c"), EncryptionContext: { a: "é" } },
      { KeyId: "k", Plaintext: base64("p") },
    ],
    [
      "KMS",
      kms,
      realKms,
      "KMSClient",
      "GenerateDataKeyCommand",
      { KeyId: "k", KeySpec: "AES_256" },
      { Plaintext: base64("p"), CiphertextBlob: base64("c") },
    ],
    [
      "KMS",
      kms,
      realKms,
      "KMSClient",
      "GenerateMacCommand",
      { KeyId: "k", MacAlgorithm: "HMAC_SHA_256", Message: bytes("m") },
      { Mac: base64("mac") },
    ],
    [
      "Step Functions",
      sfn,
      realSfn,
      "SFNClient",
      "StartExecutionCommand",
      { stateMachineArn: "arn", name: "n", input: "{}" },
      { executionArn: "e", startDate: second + 0.25 },
    ],
    [
      "Step Functions",
      sfn,
      realSfn,
      "SFNClient",
      "DescribeExecutionCommand",
      { executionArn: "e" },
      { executionArn: "e", status: "SUCCEEDED", startDate: second, stopDate: second + 1 },
    ],
    ["Step Functions", sfn, realSfn, "SFNClient", "SendTaskSuccessCommand", { taskToken: "t", output: "{}" }, {}],
    ["Step Functions", sfn, realSfn, "SFNClient", "SendTaskFailureCommand", { taskToken: "t", error: "e", cause: "12" }, {}],
    ["Step Functions", sfn, realSfn, "SFNClient", "SendTaskHeartbeatCommand", { taskToken: "t" }, {}],
    [
      "EventBridge",
      events,
      realEvents,
      "EventBridgeClient",
      "PutEventsCommand",
      { Entries: [{ EventBusName: "b", Source: "s", DetailType: "d", Time: new Date(second * 1000), Detail: "{}" }] },
      { FailedEntryCount: 0, Entries: [{ EventId: "1" }] },
    ],
    [
      "ECS",
      ecs,
      realEcs,
      "ECSClient",
      "RegisterTaskDefinitionCommand",
      { family: "f", containerDefinitions: [{ name: "c", image: "i" }] },
      { taskDefinition: { taskDefinitionArn: "arn", registeredAt: second } },
    ],
    [
      "ECS",
      ecs,
      realEcs,
      "ECSClient",
      "RunTaskCommand",
      { cluster: "c", taskDefinition: "t", clientToken: "token", count: 1 },
      { tasks: [{ taskArn: "arn", createdAt: second }], failures: [] },
    ],
    ["ECS", ecs, realEcs, "ECSClient", "ListTasksCommand", { cluster: "c", startedBy: "s" }, { taskArns: ["arn"] }],
    [
      "ECS",
      ecs,
      realEcs,
      "ECSClient",
      "StopTaskCommand",
      { cluster: "c", task: "arn", reason: "r" },
      { task: { taskArn: "arn", stoppingAt: second } },
    ],
    [
      "SQS",
      sqs,
      realSqs,
      "SQSClient",
      "SendMessageCommand",
      { QueueUrl: "http://127.0.0.1/1/q", MessageBody: "m", MessageGroupId: "g", DelaySeconds: 3 },
      { MessageId: "1", MD5OfMessageBody: "6f8f57715090da2632453988d9a1501b" },
    ],
    [
      "Scheduler",
      scheduler,
      realScheduler,
      "SchedulerClient",
      "CreateScheduleCommand",
      {
        Name: "n.1_a-b",
        GroupName: "g",
        ClientToken: "token",
        ScheduleExpression: "at(2026-01-01T00:00:00)",
        FlexibleTimeWindow: { Mode: "OFF" },
        Target: { Arn: "a", RoleArn: "r", Input: "{}" },
      },
      { ScheduleArn: "arn" },
    ],
  ]
  test.each(cases)("%s", async (_name, ours, real, client, command, input, answer) => {
    answering({ headers: { "content-type": "application/json" }, body: JSON.stringify(answer) })
    const { mine, theirs } = await compare(ours, real, client, command, input)
    expect(withoutMetadata(mine.output)).toEqual(withoutMetadata(theirs.output))
  })
})

const ourDocuments = { ...dynamo, ...documents }
const realDocumentsToo = { ...realDynamo, ...realDocuments }
const key = { pk: "a#1", sk: "b" }
const item = {
  ...key,
  n: 3,
  list: [1, "two", null, true],
  map: { deep: { gone: undefined, set: new Set(["x"]) } },
}
const typedKey = { pk: { S: "a#1" }, sk: { S: "b" } }
const typedItem = {
  ...typedKey,
  n: { N: "3" },
  list: { L: [{ N: "1" }, { S: "two" }, { NULL: true }, { BOOL: true }] },
}
const names = {
  TableName: "t",
  ExpressionAttributeNames: { "#n": "Item" },
  ExpressionAttributeValues: { ":v": 1, ":map": { Key: "x" } },
}

describe("a command of DynamoDB takes and gives plain values as the SDK does", () => {
  const cases: [string, object, object][] = [
    [
      "GetCommand",
      { TableName: "t", Key: key, ConsistentRead: true },
      { Item: typedItem, ConsumedCapacity: { TableName: "t", CapacityUnits: 1 } },
    ],
    ["GetCommand", { TableName: "t", Key: key }, {}],
    ["PutCommand", { ...names, Item: item, ConditionExpression: "attribute_not_exists(pk)" }, { Attributes: typedItem }],
    [
      "UpdateCommand",
      { ...names, Key: key, UpdateExpression: "SET #n = :v", ReturnValues: "ALL_NEW" },
      { Attributes: typedItem },
    ],
    ["DeleteCommand", { ...names, Key: key }, {}],
    [
      "QueryCommand",
      { ...names, KeyConditionExpression: "pk = :v", ExclusiveStartKey: key },
      { Items: [typedItem, typedKey], Count: 2, LastEvaluatedKey: typedKey },
    ],
    ["ScanCommand", { TableName: "t", Limit: 1 }, { Items: [], Count: 0 }],
    [
      "BatchGetCommand",
      { RequestItems: { t: { Keys: [key, key] } } },
      { Responses: { t: [typedItem] }, UnprocessedKeys: { t: { Keys: [typedKey] } } },
    ],
    [
      "BatchWriteCommand",
      { RequestItems: { t: [{ PutRequest: { Item: item } }, { DeleteRequest: { Key: key } }] } },
      { UnprocessedItems: { t: [{ DeleteRequest: { Key: typedKey } }] } },
    ],
    [
      "BatchExecuteStatementCommand",
      { Statements: [{ Statement: 'UPDATE "t" SET "a" = ? WHERE "pk" = ?', Parameters: [1.5, "x"] }] },
      { Responses: [{}, { Error: { Code: "ConditionalCheckFailed", Message: "No", Item: typedItem } }] },
    ],
    ["TransactGetCommand", { TransactItems: [{ Get: { TableName: "t", Key: key } }] }, { Responses: [{ Item: typedItem }, {}] }],
    [
      "TransactWriteCommand",
      {
        ClientRequestToken: "token",
        TransactItems: [
          { Put: { ...names, Item: item } },
          { Update: { ...names, Key: key } },
          { Delete: { ...names, Key: key } },
          { ConditionCheck: { ...names, Key: key } },
        ],
      },
      {},
    ],
  ]
  test.each(cases)("%s", async (command, input, answer) => {
    answering({ headers: { "content-type": "application/x-amz-json-1.0" }, body: JSON.stringify(answer) })
    const { mine, theirs } = await compare(ourDocuments, realDocumentsToo, "DynamoDBClient", command, input)
    expect(withoutMetadata(mine.output)).toEqual(withoutMetadata(theirs.output))
  })

  test("a query is paged to its end", async () => {
    answering(
      { body: JSON.stringify({ Items: [typedKey], LastEvaluatedKey: typedKey }) },
      { body: JSON.stringify({ Items: [typedItem] }) },
    )
    const client = documents.DynamoDBDocumentClient.from(new dynamo.DynamoDBClient())
    const pages = []
    for await (const page of documents.paginateQuery({ client }, { TableName: "t" })) pages.push(page.Items.length)
    expect(pages).toEqual([1, 1])
    expect(heardSince().map(({ body }) => JSON.parse(body).ExclusiveStartKey)).toEqual([undefined, typedKey])
  })
})

test("a client of DynamoDB opens a connection when it is made, and its first call goes over it", async () => {
  const connections: Socket[] = []
  const paths: string[] = []
  const server = createServer((request, response) => {
    paths.push(request.url!)
    response.end("{}")
  }).on("connection", (socket) => connections.push(socket))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const endpoint = process.env.AWS_ENDPOINT_URL
  process.env.AWS_ENDPOINT_URL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  try {
    const client = documents.DynamoDBDocumentClient.from(new dynamo.DynamoDBClient())
    await expect.poll(() => paths).toEqual(["/ping"])
    await client.send(new documents.GetCommand({ TableName: "t", Key: key }))
    expect([paths, connections.length]).toEqual([["/ping", "/"], 1])
  } finally {
    process.env.AWS_ENDPOINT_URL = endpoint
    server.close()
  }
})

describe("a failure is raised as the SDK raises it", () => {
  const get = (answer: object) => {
    answering(answer)
    return compare(ourDocuments, realDocumentsToo, "DynamoDBClient", "GetCommand", { TableName: "t", Key: key })
  }
  const named = (name: string, more = {}) =>
    JSON.stringify({ __type: `com.amazonaws.dynamodb.v20120810#${name}`, message: "Said so.", ...more })

  test.each([
    ["by name", { status: 400, body: named("ConditionalCheckFailedException") }],
    [
      "with what it says in capitals",
      { status: 400, body: JSON.stringify({ __type: "ResourceNotFoundException", Message: "Not there." }) },
    ],
    [
      "by a header",
      { status: 400, headers: { "x-amzn-errortype": "ConflictException:http://internal/" }, body: '{"message":"m"}' },
    ],
    [
      "with the items that a transaction failed on",
      {
        status: 400,
        body: named("TransactionCanceledException", {
          CancellationReasons: [{ Code: "None" }, { Code: "ConditionalCheckFailed", Item: typedItem }],
        }),
      },
    ],
  ])("%s", async (_name, answer) => {
    const { mine, theirs } = await get(answer)
    expect(mine.error).toEqual(theirs.error)
  })

  test("it is one of the class of its name, and of no other", async () => {
    answering({ status: 400, body: named("TransactionCanceledException") })
    const failure = await new sfn.SFNClient().send(new sfn.StartExecutionCommand({})).catch((error) => error)
    expect(failure).toBeInstanceOf(dynamo.TransactionCanceledException)
    expect(failure).toBeInstanceOf(Error)
    expect(failure).not.toBeInstanceOf(sfn.ExecutionAlreadyExists)
  })

  test.each([
    ["a throttled call", { status: 400, body: named("ProvisionedThroughputExceededException") }],
    ["a service that is down", { status: 503, body: "<html>down</html>" }],
    ["a flood", { status: 429, body: "{}" }],
    ["a write that has met a transaction", { status: 400, body: named("TransactionConflictException") }],
  ])("%s is made again, with the same body, three times at most", async (_name, answer) => {
    answering(answer)
    const { error } = await send(ourDocuments, "DynamoDBClient", "GetCommand", { TableName: "t", Key: key })
    expect(error).toMatchObject({ status: (answer as { status: number }).status })
    const calls = heardSince()
    expect(calls).toHaveLength(3)
    expect(new Set(calls.map(({ body }) => body)).size).toBe(1)
    expect(new Set(calls.map(({ headers }) => headers["amz-sdk-invocation-id"])).size).toBe(1)
    expect(calls.map(({ headers }) => headers["amz-sdk-request"])).toEqual([1, 2, 3].map((n) => `attempt=${n}; max=3`))
  })

  test("one that passes ends well, with the same token in every try", async () => {
    answering({ status: 500, body: "{}" }, { body: "{}" })
    const { error } = await send(scheduler, "SchedulerClient", "CreateScheduleCommand", { Name: "n" })
    expect(error).toBeUndefined()
    const tokens = heardSince().map(({ body }) => JSON.parse(body).ClientToken)
    expect(tokens).toEqual([expect.any(String), tokens[0]])
  })
})
