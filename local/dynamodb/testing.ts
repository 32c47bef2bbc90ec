/** For tests: a database behind HTTP, and the unmodified AWS SDK before it. */
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { CreateTableCommand, type CreateTableCommandInput, DynamoDBClient } from "@aws-sdk/client-dynamodb"
import { DynamoDBStreamsClient } from "@aws-sdk/client-dynamodb-streams"
import { type DynamoDb, type DynamoDbOptions, openDynamoDb } from "../dynamodb.ts"
import { AwsError, type JsonService } from "../service.ts"
import type { Units } from "./capacity.ts"

export interface Served {
  database: DynamoDb
  client: DynamoDBClient
  streams: DynamoDBStreamsClient
  /** What was reported since it was last read. */
  units(): Units[]
  /** Tables whose streams were announced, in order. */
  announced: string[]
  close(): Promise<void>
}

export const region = "eu-central-1"
export const account = "123456789012"

/** Opens a database and serves it on a free port. */
export async function serve(options: Partial<DynamoDbOptions> = {}): Promise<Served> {
  let units: Units[] = []
  const announced: string[] = []
  const onUnits = (one: Units) => units.push(one)
  const onStream = (name: string) => announced.push(name)
  const database = openDynamoDb({ path: ":memory:", region, account, onUnits, onStream, ...options })
  const server = createServer(async (request, response) => {
    const { status, body } = await dispatch([database.tables, database.streams], request)
    response.writeHead(status, { "content-type": "application/x-amz-json-1.0" }).end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const config = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region,
    credentials: { accessKeyId: "key", secretAccessKey: "secret" },
    maxAttempts: 1,
  }
  const client = new DynamoDBClient(config)
  const streams = new DynamoDBStreamsClient(config)
  return {
    database,
    client,
    streams,
    units() {
      const seen = units
      units = []
      return seen
    },
    announced,
    async close() {
      client.destroy()
      streams.destroy()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      database.close()
    },
  }
}

async function dispatch(services: JsonService[], request: IncomingMessage): Promise<{ status: number; body: object }> {
  const [target, operation] = String(request.headers["x-amz-target"]).split(".")
  const service = services.find((one) => one.target === target)
  try {
    const input = JSON.parse(Buffer.concat(await Array.fromAsync(request)).toString())
    return { status: 200, body: await service!.call(operation!, input, { accessKeyId: "key", region }) }
  } catch (error) {
    if (!(error instanceof AwsError)) return { status: 500, body: { __type: "InternalServerError", message: String(error) } }
    return { status: error.status, body: { __type: error.code, message: error.message, ...error.extra } }
  }
}

export const S = (text: string) => ({ S: text })
export const N = (number: number | string) => ({ N: String(number) })

/** Makes an on-demand table with the string keys `pk` and `sk`, and whatever else is asked for. */
export async function createTable(client: DynamoDBClient, TableName: string, more: Partial<CreateTableCommandInput> = {}) {
  const indexes = [...(more.GlobalSecondaryIndexes ?? []), ...(more.LocalSecondaryIndexes ?? [])]
  const names = new Set(["pk", "sk", ...indexes.flatMap((index) => index.KeySchema!.map(({ AttributeName }) => AttributeName!))])
  const command = new CreateTableCommand({
    TableName,
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: [...names].map((AttributeName) => ({ AttributeName, AttributeType: "S" })),
    KeySchema: keys("pk", "sk"),
    ...more,
  })
  return (await client.send(command)).TableDescription!
}

export const keys = (hash: string, range?: string) => [
  { AttributeName: hash, KeyType: "HASH" as const },
  ...(range ? [{ AttributeName: range, KeyType: "RANGE" as const }] : []),
]

/** A global index on `<name>pk` and `<name>sk`. Without attributes it holds everything. */
export const globalIndex = (
  name: string,
  ProjectionType: "ALL" | "KEYS_ONLY" | "INCLUDE" = "ALL",
  NonKeyAttributes?: string[],
) => ({
  IndexName: name,
  KeySchema: keys(`${name}pk`, `${name}sk`),
  Projection: { ProjectionType, NonKeyAttributes },
})
