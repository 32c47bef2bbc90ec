import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { DynamoDBClient, GetItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb"
import { EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge"
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda"
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from "@aws-sdk/client-s3"
import { DescribeExecutionCommand, SFNClient, StartExecutionCommand } from "@aws-sdk/client-sfn"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { functionArn, makeFixture, roleOf } from "./fixture.ts"
import { type Stack, startStack } from "./stack.ts"
import type { Statement } from "./wiring.ts"

const account = "123456789012"
const region = "us-east-1"
const table = `arn:aws:dynamodb:${region}:${account}:table/main`
const stream = `${table}/stream/2026-01-01T00:00:00.000`
const machine = `arn:aws:states:${region}:${account}:stateMachine:life`
const machineRole = `arn:aws:iam::${account}:role/fixture-machine`
const bus = `arn:aws:events:${region}:${account}:event-bus/domain`
const failures = "arn:aws:s3:::failures"

const allow = (actions: string[], resources: string[]): Statement => ({ effect: "Allow", actions, resources })
const collect = `
  import { appendFileSync } from "node:fs"
  export const handler = async (event) => appendFileSync(process.env.COLLECTED, JSON.stringify(event) + "\\n")`

const fixture = makeFixture(
  {
    writer: {
      code: `import { DynamoDBClient, DeleteItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb"
        const client = new DynamoDBClient({})
        const commands = { put: ({ id }) => new PutItemCommand({ TableName: process.env.TABLE, Item: { id: { S: id } } }),
          delete: ({ id }) => new DeleteItemCommand({ TableName: process.env.TABLE, Key: { id: { S: id } } }) }
        export const handler = async (event) => { await client.send(commands[event.do](event)); return { did: event.do } }`,
      environment: { TABLE: "main" },
      allows: [allow(["dynamodb:PutItem"], [table])],
    },
    addresses: {
      code: "export const handler = async () => process.env",
      environment: { API: "{{API_URL}}", MODELS: "{{ANTHROPIC_BASE_URL}}" },
    },
    onStream: {
      code: `import { appendFileSync } from "node:fs"
        export const handler = async (event) => {
          const text = JSON.stringify(event)
          if (text.includes("poison")) throw new Error("This record cannot be processed")
          appendFileSync(process.env.COLLECTED, text + "\\n")
        }`,
      allows: [
        allow(["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"], [stream]),
        allow(["s3:PutObject"], [`${failures}/*`]),
      ],
    },
    onEvent: { code: collect },
    hangs: { code: "export const handler = () => new Promise(() => setInterval(() => {}, 1000))", timeoutSeconds: 900 },
    streams: {
      code: `export const handler = awslambda.streamifyResponse(async (_event, response) => {
        const head = awslambda.HttpResponseStream.from(response, { statusCode: 200, headers: {} })
        head.write("open")
        await new Promise(() => setInterval(() => {}, 1000))
      })`,
    },
    step: {
      code: "export const handler = async ({ n }) => { if (n < 0) throw new RangeError('below zero'); return { n: n + 1 } }",
    },
    api: { code: "export const handler = async (event) => ({ statusCode: 200, body: event.path })" },
  },
  {
    roles: { [machineRole]: [allow(["lambda:InvokeFunction"], [functionArn("step")])] },
    api: {
      id: "api",
      stage: "api",
      gatewayResponses: {},
      binaryMediaTypes: [],
      routes: [
        { method: "GET", path: "/v1/things", function: "api", streaming: false, timeoutSeconds: 29 },
        { method: "GET", path: "/v1/streams", function: "streams", streaming: true, timeoutSeconds: 900 },
      ],
    },
    tables: [
      {
        name: "main",
        arn: table,
        streamArn: stream,
        ttlAttribute: "expiresAt",
        create: {
          TableName: "main",
          BillingMode: "PAY_PER_REQUEST",
          AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
          KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
          StreamSpecification: { StreamEnabled: true, StreamViewType: "NEW_AND_OLD_IMAGES" },
        },
      },
    ],
    buckets: [{ name: "failures", arn: failures, corsRules: [] }],
    buses: {
      [bus]: {
        name: "domain",
        region,
        rules: [
          {
            name: "made",
            arn: `arn:aws:events:${region}:${account}:rule/domain/made`,
            pattern: { "detail-type": ["made"] },
            targets: [{ arn: functionArn("onEvent") }],
          },
        ],
      },
    },
    eventSources: [
      {
        source: stream,
        function: "onStream",
        batchSize: 10,
        windowSeconds: 0,
        filters: [{ eventName: ["INSERT"] }],
        bisectOnError: true,
        maximumRetries: 0,
        partialFailures: false,
        parallelization: 1,
        failureDestinationArn: failures,
      },
    ],
    stateMachines: {
      [machine]: {
        name: "life",
        role: machineRole,
        definition: {
          QueryLanguage: "JSONata",
          StartAt: "Step",
          States: {
            Step: {
              Type: "Task",
              Resource: "arn:aws:states:::lambda:invoke",
              Arguments: { FunctionName: functionArn("step"), Payload: "{% $states.input %}" },
              Output: "{% $states.result.Payload %}",
              End: true,
            },
          },
        },
      },
    },
  },
)

for (const name of ["onStream", "onEvent"]) fixture.wiring.functions[name]!.environment.COLLECTED = join(fixture.data, name)

let stack: Stack

const start = () =>
  startStack({
    wiring: fixture.wiring,
    data: fixture.data,
    bundles: fixture.bundles,
    isolation: "none",
    env: { ANTHROPIC_BASE_URL: "http://127.0.0.1:9" },
  })

beforeAll(async () => {
  stack = await start()
})

afterAll(async () => {
  await stack.stop()
  fixture.remove()
})

const config = (credentials = stack.credentials) => ({ endpoint: stack.awsUrl, region, credentials, maxAttempts: 1 })
const linesOf = (name: string) => {
  const path = join(fixture.data, name)
  // Without what comes after the last line break: a line that is being written.
  return existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : []
}

describe("a function", () => {
  test("does with the unmodified SDK what its role allows, and is refused the rest", async () => {
    expect(await stack.invoke("writer", { do: "put", id: "one" })).toEqual({ did: "put" })
    const read = new GetItemCommand({ TableName: "main", Key: { id: { S: "one" } } })
    expect((await new DynamoDBClient(config()).send(read)).Item).toEqual({ id: { S: "one" } })
    await expect(stack.invoke("writer", { do: "delete", id: "one" })).rejects.toMatchObject({
      name: "AccessDeniedException",
      message: expect.stringContaining(
        `assumed-role/fixture-writer/local is not authorized to perform: dynamodb:DeleteItem on resource: ${table}`,
      ),
    })
    expect(stack.counters.used.get(roleOf("writer"))).toEqual(new Map([["dynamodb:PutItem", 1]]))
    expect(stack.counters.calls.get("dynamodb:PutItem")).toBe(1)
    expect(stack.counters.units.get("fixture-writer PutItem")).toMatchObject({ write: 1 })
  })

  test("finds the addresses of this machine in its environment", async () => {
    expect(await stack.invoke("addresses", {})).toMatchObject({
      API: `${stack.apiUrl}/api`,
      MODELS: "http://127.0.0.1:9",
      AWS_ENDPOINT_URL: stack.awsUrl,
    })
  })

  test("is reached through the API", async () => {
    expect(await (await fetch(`${stack.apiUrl}/api/v1/things`)).text()).toBe("/v1/things")
  })

  test("gets the records of a table's stream that its filter passes", async () => {
    const put = new PutItemCommand({ TableName: "main", Item: { id: { S: "streamed" } } })
    await new DynamoDBClient(config()).send(put)
    await expect.poll(() => linesOf("onStream").join(), { timeout: 10_000 }).toContain("streamed")
  })

  test("leaves what it cannot process in the failure destination, with the rights of its own role", async () => {
    const put = new PutItemCommand({ TableName: "main", Item: { id: { S: "poison" } } })
    await new DynamoDBClient(config()).send(put)
    const s3 = new S3Client({ ...config(), forcePathStyle: true })
    const list = async () =>
      (await s3.send(new ListObjectsV2Command({ Bucket: "failures", Prefix: "aws/lambda/" }))).Contents ?? []
    await expect.poll(list, { timeout: 10_000 }).toHaveLength(1)
    const kept = await s3.send(new GetObjectCommand({ Bucket: "failures", Key: (await list())[0]!.Key }))
    expect(await kept.Body!.transformToString()).toContain("poison")
    expect(stack.counters.used.get(roleOf("onStream"))!.get("s3:PutObject")).toBe(1)
  })

  test("gets the events that a rule gives it", async () => {
    const Entries = [{ EventBusName: bus, Source: "test", DetailType: "made", Detail: '{"a":1}' }]
    await new EventBridgeClient(config()).send(new PutEventsCommand({ Entries }))
    await expect.poll(() => linesOf("onEvent").length, { timeout: 10_000 }).toBe(1)
    expect(JSON.parse(linesOf("onEvent")[0]!)).toMatchObject({ "detail-type": "made", detail: { a: 1 } })
    expect(stack.counters.events.get("made")).toBe(1)
  })
})

describe("a state machine", () => {
  const run = async (input: object) => {
    const client = new SFNClient(config())
    const { executionArn } = await client.send(
      new StartExecutionCommand({ stateMachineArn: machine, input: JSON.stringify(input) }),
    )
    const describeIt = () => client.send(new DescribeExecutionCommand({ executionArn }))
    await expect.poll(async () => (await describeIt()).status, { timeout: 10_000 }).not.toBe("RUNNING")
    return describeIt()
  }

  test("calls a function with the rights of its role, and every transition is counted", async () => {
    const before = stack.counters.transitions
    expect(await run({ n: 1 })).toMatchObject({ status: "SUCCEEDED", output: '{"n":2}' })
    expect(stack.counters.transitions - before).toBe(2)
  })

  test("fails by the name of what the function threw, and the default bus hears of it", async () => {
    expect(await run({ n: -1 })).toMatchObject({ status: "FAILED", error: "RangeError" })
    expect(stack.counters.events.get("Step Functions Execution Status Change")).toBeGreaterThan(0)
  })
})

describe("who calls", () => {
  test("a wrong secret and an unknown key are refused", async () => {
    const read = new GetItemCommand({ TableName: "main", Key: { id: { S: "one" } } })
    const wrong = new DynamoDBClient(config({ accessKeyId: "local", secretAccessKey: "wrong" }))
    await expect(wrong.send(read)).rejects.toMatchObject({ name: expect.stringMatching(/Signature/) })
    const unknown = new DynamoDBClient(config({ accessKeyId: "AKIANOBODY", secretAccessKey: "wrong" }))
    await expect(unknown.send(read)).rejects.toMatchObject({ name: "UnrecognizedClientException" })
  })

  test("a role without the right to invoke may not", async () => {
    const client = new LambdaClient(config(stack.credentialsOf(roleOf("writer"))))
    await expect(client.send(new InvokeCommand({ FunctionName: "step" }))).rejects.toMatchObject({
      name: "AccessDeniedException",
    })
  })

  test("S3 asks for the right of the role too", async () => {
    const put = (credentials = stack.credentials) =>
      new S3Client({ ...config(credentials), forcePathStyle: true }).send(
        new PutObjectCommand({ Bucket: "failures", Key: "a", Body: "text" }),
      )
    const before = stack.counters.calls.get("s3:PutObject") ?? 0
    await put()
    await expect(put(stack.credentialsOf(roleOf("writer")))).rejects.toMatchObject({ name: "AccessDenied" })
    expect(stack.counters.calls.get("s3:PutObject")).toBe(before + 2)
  })
})

describe("starting", () => {
  test("a second stack on the same data folder is refused", async () => {
    await expect(start()).rejects.toThrow(/in use by another Dormouse/)
  })

  test("a port that is taken is an error, and leaves the data folder free", async () => {
    const other = makeFixture({})
    const apiPort = Number(new URL(stack.apiUrl).port)
    await expect(startStack({ wiring: other.wiring, data: other.data, apiPort })).rejects.toMatchObject({ code: "EADDRINUSE" })
    const second = await startStack({ wiring: other.wiring, data: other.data })
    await second.stop()
    other.remove()
  })

  test("a stop ends functions that hang and streams that are open", async () => {
    const open = await fetch(`${stack.apiUrl}/api/v1/streams`)
    const reader = open.body!.getReader()
    expect(new TextDecoder().decode((await reader.read()).value)).toBe("open")
    const hanging = stack.invoke("hangs", {}).catch((error: Error) => error.name)
    await stack.stop()
    expect(await hanging).toBe("Runtime.ExitError")
    await expect(reader.read()).rejects.toThrow()
    stack = await start()
  })

  test("what was stored is there after a stop and a start", async () => {
    await new S3Client({ ...config(), forcePathStyle: true }).send(
      new PutObjectCommand({ Bucket: "failures", Key: "kept", Body: "text" }),
    )
    await stack.stop()
    stack = await start()
    const object = await new S3Client({ ...config(), forcePathStyle: true }).send(
      new GetObjectCommand({ Bucket: "failures", Key: "kept" }),
    )
    expect(await object.Body!.transformToString()).toBe("text")
    const read = new GetItemCommand({ TableName: "main", Key: { id: { S: "one" } } })
    expect((await new DynamoDBClient(config()).send(read)).Item).toEqual({ id: { S: "one" } })
  })

  test("what roles made use of is kept in a file, and counted on by the next start", async () => {
    const kept = () => JSON.parse(readFileSync(join(fixture.data, "permissions-used.json"), "utf8"))[roleOf("writer")]
    await stack.stop()
    expect(kept()).toEqual({ "dynamodb:PutItem": 1 })
    stack = await start()
    await stack.invoke("writer", { do: "put", id: "two" })
    await stack.stop()
    expect(kept()).toEqual({ "dynamodb:PutItem": 2 })
    stack = await start()
  })
})
