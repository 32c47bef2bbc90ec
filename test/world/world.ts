import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { unmarshall } from "@aws-sdk/util-dynamodb"
import { handler as park } from "#functions/lifecycle/park.ts"
import { handler as run } from "#functions/lifecycle/run.ts"
import { handler as settle } from "#functions/lifecycle/settle.ts"
import { handler as publish } from "#functions/reactions/publish.ts"
import { handler as stopped } from "#functions/reactions/stopped.ts"
import { handler as sweep } from "#functions/reactions/sweep.ts"
import { handler as title } from "#functions/reactions/title.ts"
import { openDynamoDb } from "#local/dynamodb.ts"
import { openEventBridge } from "#local/eventbridge/service.ts"
import { isQueue, openEventSources } from "#local/eventsources.ts"
import { openKms } from "#local/kms.ts"
import { connectStreams, provideTable } from "#local/provision.ts"
import type { Sqs } from "#local/sqs/service.ts"
import { openStepFunctions } from "#local/stepfunctions/service.ts"
import { useAwsOf, wiring } from "../core-env.ts"
import { openFargate } from "./fargate.ts"
import { type Intercept, takeRequests } from "./requests.ts"
import { simulateTime } from "./time.ts"

/**
 * The whole control plane in one process, in simulated time: the services of the embedded AWS in memory, the deployed wiring between
 * them, and the functions that it calls, as functions. Nothing goes over a network and nothing waits, so that a task's life takes
 * milliseconds. What a container does and what a person asks for, the test does.
 */

// biome-ignore lint/suspicious/noExplicitAny: events, and items as they lie in the table, are read as they come.
type Any = any

type Handler = (event: Any) => Promise<unknown>

/** What may be put between the parts of a world. */
export interface Between {
  request: Intercept
  /** A function is called by AWS. */
  invocation: (name: string, event: Any, work: () => Promise<unknown>) => Promise<unknown>
}

const functions: Record<string, Handler> = { run, park, settle, publish, stopped, sweep, title }

const nameOf = (functionArn: string) => functionArn.split("-").at(-1)!

const operator = { accessKeyId: "operator", region: "us-east-1" }

/** What Lambda does with an event that nobody waits for: two more tries, after one minute and after two. */
const retryMs = [60_000, 120_000]

export const openWorld = async () => {
  const data = mkdtempSync(join(tmpdir(), "dormouse-world-"))
  const settings = Object.values(wiring.functions).map(({ environment }) => environment)
  useAwsOf({ awsUrl: "http://127.0.0.1:9", credentials: { accessKeyId: "operator", secretAccessKey: "operator" } })
  Object.assign(process.env, ...settings, { API_URL: "http://api.example/api" })
  const time = simulateTime()
  const between: Between = { request: (_, send) => send(), invocation: (_name, _event, work) => work() }
  const told: { type: string; detail: Any }[] = []
  const counts = { transitions: 0, historyEvents: 0, writeUnits: 0, calls: 0 }

  const invoke = (functionArn: string, event: Any): Promise<unknown> => {
    time.move()
    const name = nameOf(functionArn)
    const copy = JSON.parse(JSON.stringify(event))
    return between.invocation(name, copy, () => functions[name]!(copy)).finally(time.move)
  }
  const leave = async (functionArn: string, event: Any, tries = 0): Promise<void> => {
    await invoke(functionArn, event).catch(() => {
      const wait = retryMs[tries]
      if (wait !== undefined) setTimeout(() => void leave(functionArn, event, tries + 1), wait)
    })
  }

  let onStream = (_table: string): void => undefined
  const { account, region } = wiring
  const dynamoDb = openDynamoDb({
    path: ":memory:",
    region,
    account,
    onStream: (table) => onStream(table),
    onUnits: ({ write, indexWrites }) => {
      counts.writeUnits += Object.values(indexWrites).reduce((sum, units) => sum + units, write)
    },
  })
  const streams = new Map<string, string>()
  for (const table of wiring.tables) streams.set(table.name, (await provideTable(dynamoDb, table, operator))!)
  const eventBridge = openEventBridge({
    path: ":memory:",
    buses: wiring.buses,
    invoke: async (functionArn, event) => void leave(functionArn, event),
    // Webhooks are told from here on: what has come so far will be delivered, see core/courier.test.ts.
    send: () => undefined,
    onEvent: (_bus, event) => void told.push({ type: event["detail-type"], detail: event.detail }),
  })
  const put = (where: string, detailType: string, source: string, detail: Record<string, unknown>) =>
    eventBridge.put(`arn:aws:events:${where}:${account}:event-bus/default`, { source, detailType, detail, resources: [] })
  const stepFunctions = openStepFunctions({
    path: ":memory:",
    machines: wiring.stateMachines,
    invoke,
    onEvent: ({ type }) => {
      time.move()
      counts.historyEvents++
      if (type.endsWith("StateEntered")) counts.transitions++
    },
    onStatus: (detail) => put(region, "Step Functions Execution Status Change", "aws.states", detail),
  })
  const fargate = openFargate((where, detail) => put(where, "ECS Task State Change", "aws.ecs", detail))
  const kms = openKms({ data, keys: wiring.keys, account })
  const bucket = new Map<string, number>()
  const services = [dynamoDb.tables, eventBridge, stepFunctions, fargate.service, kms]
  const giveBack = takeRequests(services, bucket, (request, send) => {
    time.move()
    counts.calls++
    return between.request(request, send)
  })
  // One record at a time, so that each is a transition of its own.
  const mappings = connectStreams(wiring, streams)
    .filter((mapping) => !isQueue(mapping))
    .map((mapping) => ({ ...mapping, batchSize: 1 }))
  const sources = openEventSources({
    path: ":memory:",
    mappings,
    streams: dynamoDb.streams,
    sqs: undefined as unknown as Sqs,
    invoke,
    onFailure: () => Promise.reject(new Error("A record could not be published")),
  })
  onStream = (table) => sources.wake(table)
  stepFunctions.start()

  const [stateMachineArn] = Object.keys(wiring.stateMachines) as [string]
  const executionOf = (taskId: string, generation = 1) =>
    `${stateMachineArn.replace(":stateMachine:", ":execution:")}:${taskId}-${generation}`

  return {
    time,
    between,
    fargate,
    bucket,
    /** Every event that a bus took, the first one first. */
    told,
    /** What AWS has been asked for so far: state transitions, events in the histories of executions, write units, calls. */
    counts,
    item: async (pk: string, sk: string): Promise<Any> => {
      const get = { TableName: "dormouse", ConsistentRead: true, Key: { pk: { S: pk }, sk: { S: sk } } }
      const { Item } = (await dynamoDb.tables.call("GetItem", get, operator)) as { Item?: Any }
      return Item && unmarshall(Item)
    },
    /** The items of a partition whose sort keys begin with `prefix`, in their order. */
    items: async (pk: string, prefix = ""): Promise<Any[]> => {
      const values = { ":pk": { S: pk }, ...(prefix ? { ":prefix": { S: prefix } } : {}) }
      const KeyConditionExpression = prefix ? "pk = :pk AND begins_with(sk, :prefix)" : "pk = :pk"
      const query = { TableName: "dormouse", KeyConditionExpression, ExpressionAttributeValues: values }
      const found: Any[] = []
      for (let ExclusiveStartKey: Any; ; ) {
        const request = { ...query, ...(ExclusiveStartKey ? { ExclusiveStartKey } : {}) }
        const { Items, LastEvaluatedKey } = (await dynamoDb.tables.call("Query", request, operator)) as Any
        found.push(...Items.map((item: Any) => unmarshall(item)))
        if (!LastEvaluatedKey) return found
        ExclusiveStartKey = LastEvaluatedKey
      }
    },
    executionOf,
    /** Calls Step Functions as an operator does. */
    stepFunctions: (operation: string, input: object) => stepFunctions.call(operation, { ...input }, operator),
    /** How the executions of a task stand that were started, the first one first. */
    executions: async (taskId: string, generations = 1): Promise<string[]> => {
      const arns = Array.from({ length: generations }, (_, i) => executionOf(taskId, i + 1))
      const described = arns.map((executionArn) => stepFunctions.call("DescribeExecution", { executionArn }, operator))
      const settled = (await Promise.allSettled(described)) as { value?: { status: string } }[]
      return settled.flatMap(({ value }) => value?.status ?? [])
    },
    close: async () => {
      giveBack()
      await sources.close()
      await stepFunctions.close()
      await eventBridge.close()
      dynamoDb.close()
      time.release()
      rmSync(data, { recursive: true, force: true })
    },
  }
}

export type World = Awaited<ReturnType<typeof openWorld>>
