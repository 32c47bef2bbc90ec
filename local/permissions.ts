import { tableOf } from "./dynamodb/partiql.ts"
import type { RequestContext } from "./iam.ts"
import { keyArnOf, keyOf } from "./kms.ts"
import type { RestCall } from "./scheduler/service.ts"
import type { Wiring } from "./wiring.ts"

/** One permission that a request takes. */
export interface Need {
  action: string
  resources: string[]
  context?: RequestContext
}

interface Request {
  operation: string
  input: Record<string, unknown>
  region: string
  wiring: Wiring
}

type Needs = (request: Request) => Need[]

/** What a request of each JSON protocol takes, by the first half of its `X-Amz-Target`. */
const needs: Record<string, Needs> = {
  DynamoDB_20120810: (request) => dynamoDb(request),
  DynamoDBStreams_20120810: ({ operation, input, wiring }) => [
    { action: `dynamodb:${operation}`, resources: input.StreamArn ? [String(input.StreamArn)] : streamArns(wiring) },
  ],
  AWSStepFunctions: ({ operation, input, wiring }) => [{ action: `states:${operation}`, resources: machineArns(input, wiring) }],
  AWSEvents: ({ operation, input, region, wiring }) => [
    {
      action: `events:${operation}`,
      resources: listOf(input.Entries).map(({ EventBusName }) => busArn(EventBusName, region, wiring)),
    },
  ],
  TrentService: ({ operation, input, region, wiring }) => [
    { action: `kms:${operation}`, resources: [kmsKeyArn(input, region, wiring)], context: encryptionContext(input) },
  ],
  AmazonEC2ContainerServiceV20141113: (request) => ecs(request),
  AmazonSQS: ({ operation, input, region, wiring }) => [
    // A batch takes the permission of what it is a batch of.
    {
      action: `sqs:${operation.replace(/Batch$/, "")}`,
      resources: [queueArn(input.QueueUrl ?? input.QueueName, region, wiring)],
    },
  ],
}

/** What a call to EventBridge Scheduler takes; whoever hands it a role needs the right to pass that on. */
export function schedulerNeeds({ method, path, query, body }: RestCall, { region, account }: Wiring): Need[] {
  const action = { POST: "Create", DELETE: "Delete" }[method] ?? "Get"
  const name = path.split("/")[2]
  if (!name) return [{ action: "scheduler:ListSchedules", resources: ["*"] }]
  const group = String(body.GroupName ?? query.get("groupName") ?? "default")
  const resources = [`arn:aws:scheduler:${region}:${account}:schedule/${group}/${name}`]
  return [
    { action: `scheduler:${action}Schedule`, resources },
    ...passRole([recordOf(body.Target).RoleArn], "scheduler.amazonaws.com"),
  ]
}

/** The permissions that one call of a JSON protocol takes. */
export function needsOf(target: string, request: Request): Need[] {
  return needs[target]?.(request) ?? []
}

type Row = Record<string, unknown>
const listOf = (value: unknown) => (Array.isArray(value) ? (value as Row[]) : [])
const recordOf = (value: unknown) => (typeof value === "object" && value !== null ? (value as Row) : {})

const tableArn = (table: unknown, { region, wiring }: Request) => {
  const name = String(table)
  return name.startsWith("arn:") ? name : `arn:aws:dynamodb:${region}:${wiring.account}:table/${name}`
}

const transactionActions: Record<string, string> = {
  Put: "dynamodb:PutItem",
  Update: "dynamodb:UpdateItem",
  Delete: "dynamodb:DeleteItem",
  ConditionCheck: "dynamodb:ConditionCheckItem",
  Get: "dynamodb:GetItem",
}

/** Transactions take the permissions of what they do; batches have a permission of their own, for each table. */
const dynamoDb: Needs = (request) => {
  const { operation, input } = request
  if (operation.startsWith("Transact")) {
    return listOf(input.TransactItems).flatMap((item) =>
      Object.entries(item).map(([kind, part]) => ({
        action: transactionActions[kind] ?? `dynamodb:${kind}`,
        resources: [tableArn(recordOf(part).TableName, request)],
      })),
    )
  }
  if (operation === "BatchExecuteStatement") {
    const tables = listOf(input.Statements).map(({ Statement }) => tableArn(tableOf(String(Statement)), request))
    return [{ action: "dynamodb:PartiQLUpdate", resources: tables }]
  }
  const action = `dynamodb:${operation}`
  if (operation.startsWith("Batch")) {
    return [{ action, resources: Object.keys(recordOf(input.RequestItems)).map((name) => tableArn(name, request)) }]
  }
  if (input.TableName === undefined) return [{ action, resources: ["*"] }]
  const table = tableArn(input.TableName, request)
  return [{ action, resources: [input.IndexName ? `${table}/index/${input.IndexName}` : table] }]
}

const streamArns = ({ tables }: Wiring) => tables.flatMap(({ streamArn }) => streamArn ?? [])

/** A task token says nothing of its machine, so it takes the permission on each machine of the stack. */
const machineArns = (input: Row, { stateMachines }: Wiring) => {
  const named = input.stateMachineArn ?? input.executionArn
  if (named) return [String(named)]
  return input.taskToken ? Object.keys(stateMachines) : ["*"]
}

const busArn = (bus: unknown, region: string, { account }: Wiring) => {
  const name = String(bus ?? "default")
  return name.startsWith("arn:") ? name : `arn:aws:events:${region}:${account}:event-bus/${name}`
}

const queueArn = (queue: unknown, region: string, { account }: Wiring) =>
  `arn:aws:sqs:${region}:${account}:${String(queue ?? "*")
    .split("/")
    .at(-1)}`

const kmsKeyArn = (input: Row, region: string, { keys }: Wiring) => {
  if (input.KeyId !== undefined) return keyOf(keys, String(input.KeyId), region).arn
  return keyArnOf(String(input.CiphertextBlob ?? "")) ?? "*"
}

const encryptionContext = ({ EncryptionContext }: Row): RequestContext =>
  Object.fromEntries(
    Object.entries(recordOf(EncryptionContext)).map(([name, value]) => [`kms:EncryptionContext:${name}`, String(value)]),
  )

const taskDefinitionArn = (reference: unknown, { region, wiring }: Request) => {
  const name = String(reference)
  return name.startsWith("arn:") ? name : `arn:aws:ecs:${region}:${wiring.account}:task-definition/${name}`
}

const clusterArn = (cluster: unknown, { region, wiring }: Request) => {
  const name = String(cluster ?? "default")
  return name.startsWith("arn:") ? name : `arn:aws:ecs:${region}:${wiring.account}:cluster/${name}`
}

/** A task goes by its ARN or its id. */
const taskArn = (task: unknown, cluster: string, { region, wiring }: Request) => {
  const name = String(task)
  return name.startsWith("arn:") ? name : `arn:aws:ecs:${region}:${wiring.account}:task/${cluster.split("/").at(-1)}/${name}`
}

/** Whoever hands a role to a container or a schedule needs the right to pass it on. */
const passRole = (roles: unknown[], service = "ecs-tasks.amazonaws.com"): Need[] => {
  const named = roles.filter((role) => typeof role === "string")
  if (named.length === 0) return []
  return [{ action: "iam:PassRole", resources: named, context: { "iam:PassedToService": service } }]
}

const ecs: Needs = (request) => {
  const { operation, input } = request
  const action = `ecs:${operation}`
  const cluster = clusterArn(input.cluster, request)
  const context = { "ecs:cluster": cluster }
  const overrides = recordOf(input.overrides)
  if (operation === "RunTask") {
    const resources = [taskDefinitionArn(input.taskDefinition, request)]
    const needed = [{ action, resources, context }, ...passRole([overrides.taskRoleArn, overrides.executionRoleArn])]
    if (!listOf(input.tags).length) return needed
    const tagged = [taskArn("new", cluster, request)]
    return [...needed, { action: "ecs:TagResource", resources: tagged, context: { "ecs:CreateAction": operation } }]
  }
  if (operation === "RegisterTaskDefinition") {
    return [{ action, resources: ["*"] }, ...passRole([input.taskRoleArn, input.executionRoleArn])]
  }
  if (operation === "StopTask") return [{ action, resources: [taskArn(input.task, cluster, request)], context }]
  if (operation === "DescribeTasks") {
    const tasks = Array.isArray(input.tasks) ? input.tasks : []
    return [{ action, resources: tasks.map((task) => taskArn(task, cluster, request)), context }]
  }
  return [{ action, resources: ["*"], context }]
}
