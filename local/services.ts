import { randomUUID } from "node:crypto"
import { join } from "node:path"
import { now } from "#core/clock.ts"
import { type KeyRing, operatorKeyId } from "./credentials.ts"
import { type DynamoDb, openDynamoDb } from "./dynamodb.ts"
import type { Isolation } from "./ecs/isolation.ts"
import type { Door } from "./ecs/launch.ts"
import { openEcs } from "./ecs/service.ts"
import { type EventBridge, openEventBridge } from "./eventbridge/service.ts"
import { isQueue, openEventSources } from "./eventsources.ts"
import { authorize } from "./iam.ts"
import type { Invocations } from "./invocations.ts"
import { openKms } from "./kms.ts"
import { type Lambda, openLambda } from "./lambda/lambda.ts"
import { connectStreams, provideTable } from "./provision.ts"
import { openS3, type S3 } from "./s3/s3.ts"
import { openScheduler, type Scheduler } from "./scheduler/service.ts"
import { targetsOf } from "./scheduler/target.ts"
import { allow, type Books, count } from "./server.ts"
import { AwsError, type Caller, type JsonService } from "./service.ts"
import { openSqs, type Sqs } from "./sqs/service.ts"
import { openStepFunctions } from "./stepfunctions/service.ts"
import type { Wiring } from "./wiring.ts"

/** Opens the services of a stack and ties them to each other. Each one says through `defer` how it is closed. */

export type Defer = (close: () => unknown) => void

/** Everything that AWS would put on a bill, and what each role made use of. */
export interface Counters extends Books {
  /** State transitions, with the one that ends an execution. */
  transitions: number
  /** Calls of the table and their capacity units, by role and operation: `dormouse-api-tasks PutItem`. */
  units: Map<string, { calls: number; read: number; write: number }>
  /** Events that buses took, by detail type. */
  events: Map<string, number>
}

interface Storage {
  dynamoDb: DynamoDb
  s3: S3
  /** Calls `wake` whenever a table's stream has new records. */
  onStream(wake: (tableName: string) => void): void
}

interface Common {
  wiring: Wiring
  data: string
}

/** Opens DynamoDB and S3. */
export function openStorage(
  { wiring, data, keys, counters }: Common & { keys: KeyRing; counters: Counters },
  defer: Defer,
): Storage {
  let woken: (tableName: string) => void = () => undefined
  const dynamoDb = openDynamoDb({
    path: join(data, "dynamodb.sqlite"),
    region: wiring.region,
    account: wiring.account,
    onStream: (tableName) => woken(tableName),
    onUnits: ({ operation, read, write, indexWrites }, { role = "operator" }) => {
      const indexed = Object.values(indexWrites).reduce((sum, units) => sum + units, 0)
      const step = `${role.split("/").at(-1)} ${operation}`
      const before = counters.units.get(step) ?? { calls: 0, read: 0, write: 0 }
      const after = { calls: before.calls + 1, read: before.read + read, write: before.write + write + indexed }
      counters.units.set(step, after)
    },
  })
  defer(() => dynamoDb.close())
  const s3 = openS3({
    directory: join(data, "s3"),
    secretOf: (accessKeyId) => keys.secret(accessKeyId),
    authorize: (caller, action, resource) => allowS3({ wiring, keys, counters }, caller, action, resource),
    onRequest: (operation) => count(counters, `s3:${operation}`),
  })
  defer(() => s3.close())
  for (const { name, corsRules } of wiring.buckets) s3.createBucket(name, corsRules)
  return {
    dynamoDb,
    s3,
    onStream(wake) {
      woken = wake
    },
  }
}

interface S3Access {
  wiring: Wiring
  keys: KeyRing
  counters: Counters
}

/** S3 says AccessDenied where the JSON protocols say AccessDeniedException. */
function allowS3({ wiring, keys, counters }: S3Access, caller: Caller, action: string, resource: string) {
  try {
    allow(counters, wiring, { ...caller, role: keys.role(caller.accessKeyId) }, action, [resource])
  } catch (error) {
    throw error instanceof AwsError ? new AwsError("AccessDenied", error.message, 403) : error
  }
}

/** Work that is still under way at a stop gets so much time. */
const graceMs = 3000

/** A clock that a test moves is moved for functions and containers too. */
const clockOfTests = (): Record<string, string> =>
  process.env.DORMOUSE_CLOCK ? { DORMOUSE_CLOCK: process.env.DORMOUSE_CLOCK } : {}

interface FunctionOptions extends Common {
  keys: KeyRing
  bundles: string
  awsUrl: string
  verbose: boolean
  isolation: Isolation
}

/** Opens Lambda. */
export function openFunctions(
  { wiring, data, keys, bundles, awsUrl, verbose, isolation }: FunctionOptions,
  defer: Defer,
): Lambda {
  const host: Record<string, string> = {
    AWS_ENDPOINT_URL: awsUrl,
    // What a plain process reaches is in nobody's hands.
    ...(isolation === "none" ? { ISOLATED_REGIONS: "none" } : {}),
    // What this machine's user has configured for AWS is not for the functions.
    AWS_CONFIG_FILE: "/dev/null",
    AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    ...clockOfTests(),
  }
  const lambda = openLambda({
    region: wiring.region,
    functions: wiring.functions,
    bundles,
    data,
    verbose,
    environment: ({ role }) => {
      const { accessKeyId, secretAccessKey } = keys.of(role)
      return { ...host, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }
    },
  })
  defer(() => lambda.close())
  return lambda
}

interface ServiceOptions extends Common {
  counters: Counters
  storage: Storage
  invocations: Invocations
  lambda: Lambda
  keys: KeyRing
  awsUrl: string
  bundles: string
  isolation: Isolation
  doors: Door[]
}

export interface Services {
  services: JsonService[]
  scheduler: Scheduler
  /** Lets the services begin that call functions, once the functions can reach them. */
  start(): void
}

/** Opens the services that call functions. */
export async function openServices(options: ServiceOptions, defer: Defer): Promise<Services> {
  const { wiring, data, storage, lambda } = options
  const streams = await provideTables(wiring, storage.dynamoDb)
  const sqs = openSqs({ path: join(data, "queues.sqlite"), queues: wiring.queues, log: (line) => console.error(line) })
  defer(() => sqs.close())
  const scheduler = openSchedules(options, sqs, defer)
  const eventBridge = openBuses(options, sqs, defer)
  const stepFunctions = openMachines(options, eventBridge, defer)
  const ecs = openEcs({
    path: join(data, "ecs.sqlite"),
    clusters: wiring.clusters,
    taskImage: join(options.bundles, "task-image"),
    isolation: options.isolation,
    doors: options.doors,
    data,
    environment: clockOfTests(),
    putEvent: (region, event) => void eventBridge.put(defaultBus(wiring, region), event),
    log: (line) => console.error(line),
  })
  defer(() => ecs.close())
  const services = [
    storage.dynamoDb.tables,
    storage.dynamoDb.streams,
    openKms({ data, keys: wiring.keys, account: wiring.account }),
    eventBridge,
    stepFunctions,
    ecs,
    sqs,
  ]
  const start = () => {
    stepFunctions.start()
    scheduler.start()
    startEventSources(options, streams, sqs, defer)
    // From the first moment of a stop on, the clock runs for what is still under way.
    defer(() => void setTimeout(() => lambda.close().catch((error: unknown) => console.error(error)), graceMs).unref())
  }
  return { services, scheduler, start }
}

function openSchedules({ wiring, data, invocations }: ServiceOptions, sqs: Sqs, defer: Defer): Scheduler {
  const scheduler = openScheduler({
    path: join(data, "schedules.sqlite"),
    region: wiring.region,
    account: wiring.account,
    groups: wiring.scheduleGroups,
    invoke: targetsOf({ wiring, sqs, invocations }),
    log: (line) => console.error(line),
  })
  defer(() => scheduler.close())
  return scheduler
}

function openBuses({ wiring, data, counters, invocations }: ServiceOptions, sqs: Sqs, defer: Defer): EventBridge {
  const eventBridge = openEventBridge({
    path: join(data, "events.sqlite"),
    buses: wiring.buses,
    invoke: async (functionArn, event) => invocations.leave(functionArn, event),
    send: (queueArn, body) => void sqs.send(queueArn, { body }),
    onEvent: (_bus, event) => {
      const type = event["detail-type"]
      counters.events.set(type, (counters.events.get(type) ?? 0) + 1)
    },
    log: (line) => console.error(line),
  })
  defer(() => eventBridge.close())
  return eventBridge
}

function openMachines({ wiring, data, counters, invocations }: ServiceOptions, eventBridge: EventBridge, defer: Defer) {
  const stepFunctions = openStepFunctions({
    path: join(data, "states.sqlite"),
    machines: wiring.stateMachines,
    invoke: (functionArn, payload, { role }) => invocations.waitAs(functionArn, payload, role),
    onEvent: ({ type }) => {
      if (isTransition(type)) counters.transitions += 1
    },
    onStatus: (detail) => {
      const detailType = "Step Functions Execution Status Change"
      const event = { source: "aws.states", detailType, detail, resources: [String(detail.executionArn)] }
      eventBridge.put(defaultBus(wiring), event)
    },
  })
  defer(() => stepFunctions.close())
  return stepFunctions
}

const isTransition = (type: string) =>
  type.endsWith("StateEntered") ||
  ["ExecutionSucceeded", "ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted"].includes(type)

const defaultBus = ({ region: home, account }: Wiring, region = home) => `arn:aws:events:${region}:${account}:event-bus/default`

async function provideTables(wiring: Wiring, dynamoDb: DynamoDb): Promise<Map<string, string>> {
  const streams = new Map<string, string>()
  for (const table of wiring.tables) {
    const arn = await provideTable(dynamoDb, table, { accessKeyId: operatorKeyId, region: wiring.region })
    if (arn) streams.set(table.name, arn)
  }
  return streams
}

/** What the role of a function needs to be given a stream's records, or a queue's messages. */
const streamActions = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
const queueActions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]

function startEventSources(options: ServiceOptions, streams: ReadonlyMap<string, string>, sqs: Sqs, defer: Defer) {
  const { wiring, data, storage, invocations, lambda } = options
  for (const mapping of wiring.eventSources) {
    const { role } = wiring.functions[lambda.nameOf(mapping.function)]!
    const caller = { accessKeyId: role, role, region: wiring.region }
    for (const action of isQueue(mapping) ? queueActions : streamActions) authorize(wiring, caller, action, [mapping.source])
  }
  const sources = openEventSources({
    path: join(data, "sources.sqlite"),
    mappings: connectStreams(wiring, streams),
    streams: storage.dynamoDb.streams,
    sqs,
    invoke: (functionArn, payload) => invocations.wait(functionArn, payload),
    onFailure: (destinationArn, record) => putFailure(options, destinationArn, record as Failure),
    log: (line) => console.error(line),
  })
  storage.onStream((tableName) => sources.wake(tableName))
  defer(() => sources.close())
}

interface Failure {
  requestContext: { functionArn: string }
}

/** Puts a batch that could not be processed where Lambda puts it, with the rights of the function that it was for. */
async function putFailure({ wiring, keys, lambda, awsUrl }: ServiceOptions, bucketArn: string, record: Failure) {
  const { PutObjectCommand, S3Client } = await import("@aws-sdk/client-s3")
  const { role } = wiring.functions[lambda.nameOf(record.requestContext.functionArn)]!
  const client = new S3Client({ endpoint: awsUrl, region: wiring.region, credentials: keys.of(role), forcePathStyle: true })
  const at = now().toISOString()
  const Key = `aws/lambda/event-source/${at.slice(0, 10).replaceAll("-", "/")}/${at.replaceAll(":", ".")}-${randomUUID()}`
  try {
    await client.send(new PutObjectCommand({ Bucket: bucketArn.split(":::")[1], Key, Body: JSON.stringify(record) }))
  } finally {
    client.destroy()
  }
}
