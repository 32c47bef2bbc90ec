import { type Input, interpolate } from "@pulumi/pulumi"
import type { Variable } from "./environment.ts"
import type { Home } from "./home.ts"
import type { Statement } from "./iam.ts"
import { type Holder, impliedFor } from "./implied.ts"
import type { Parts } from "./parts.ts"
import { distinct, type Runtime } from "./runtime.ts"

/** Every action that a function's role may hold. */
export type Action = (typeof groups)[number]["actions"][number]

const inClusters = ({ runtimes }: Parts) => ({
  ArnEquals: { "ecs:cluster": distinct(runtimes).map(({ cluster }) => cluster.arn) },
})

/** What is done to what: each group of actions has its resources, and is one statement of a role. */
const groups = [
  {
    sid: "Table",
    actions: [
      "dynamodb:GetItem",
      "dynamodb:PutItem",
      "dynamodb:UpdateItem",
      "dynamodb:DeleteItem",
      "dynamodb:Query",
      "dynamodb:Scan",
      "dynamodb:BatchGetItem",
      "dynamodb:ConditionCheckItem",
      "dynamodb:PartiQLUpdate",
    ],
    on: ({ table }: Parts) => [table.arn, interpolate`${table.arn}/index/*`],
  },
  {
    sid: "Stream",
    actions: ["dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream", "dynamodb:ListStreams"],
    on: ({ table }: Parts) => [interpolate`${table.arn}/stream/*`],
  },
  {
    sid: "Objects",
    actions: ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
    on: ({ bucket }: Parts) => [interpolate`${bucket.arn}/*`],
  },
  { sid: "Bucket", actions: ["s3:ListBucket"], on: ({ bucket }: Parts) => [bucket.arn] },
  { sid: "DataKey", actions: ["kms:Decrypt", "kms:GenerateDataKey"], on: ({ keys }: Parts) => [keys.data.arn] },
  { sid: "MacKey", actions: ["kms:GenerateMac", "kms:VerifyMac"], on: ({ keys }: Parts) => [keys.mac.arn] },
  { sid: "Bus", actions: ["events:PutEvents"], on: ({ bus }: Parts) => [bus.arn] },
  {
    sid: "Machine",
    actions: ["states:StartExecution", "states:SendTaskSuccess", "states:SendTaskFailure", "states:SendTaskHeartbeat"],
    on: ({ home }: Parts) => [home.machineArn],
  },
  {
    sid: "Executions",
    actions: ["states:DescribeExecution"],
    on: ({ home }: Parts) => [interpolate`arn:aws:states:${home.region}:${home.account}:execution:${home.tenant}-task:*`],
  },
  // ECS has no resource to name for a definition that is not there yet.
  { sid: "TaskDefinitions", actions: ["ecs:RegisterTaskDefinition"], on: () => ["*"] },
  {
    sid: "RunTask",
    actions: ["ecs:RunTask"],
    on: ({ home, runtimes }: Parts) =>
      distinct(runtimes).map(
        ({ region }) => interpolate`arn:aws:ecs:${region}:${home.account}:task-definition/${home.tenant}-task-*`,
      ),
    condition: inClusters,
  },
  {
    sid: "TagTasks",
    actions: ["ecs:TagResource"],
    on: ({ home, runtimes }: Parts) => distinct(runtimes).map((runtime) => tasksOf(home, runtime)),
    condition: () => ({ StringEquals: { "ecs:CreateAction": "RunTask" } }),
  },
  // A list of tasks has no resource to name either.
  { sid: "ListTasks", actions: ["ecs:ListTasks"], on: () => ["*"], condition: inClusters },
  {
    sid: "Tasks",
    actions: ["ecs:StopTask"],
    on: ({ home, runtimes }: Parts) => distinct(runtimes).map((runtime) => tasksOf(home, runtime)),
  },
  { sid: "Send", actions: ["sqs:SendMessage"], on: ({ queues }: Parts) => [queues.deliveries.arn, queues.slowDeliveries.arn] },
  {
    sid: "Receive",
    actions: ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
    on: ({ queues }: Parts) => [queues.events.arn, queues.deliveries.arn, queues.slowDeliveries.arn],
  },
  {
    sid: "Schedules",
    actions: ["scheduler:CreateSchedule"],
    on: ({ home, schedules }: Parts) => [
      interpolate`arn:aws:scheduler:${home.region}:${home.account}:schedule/${schedules.group.name}/*`,
    ],
  },
  {
    sid: "PassSchedulerRole",
    forRole: "SCHEDULER_ROLE_ARN",
    actions: ["iam:PassRole"],
    on: ({ schedules }: Parts) => [schedules.role.arn],
    condition: () => ({ StringEquals: { "iam:PassedToService": "scheduler.amazonaws.com" } }),
  },
  {
    sid: "PassRole",
    forRole: "EXECUTION_ROLE_ARN",
    actions: ["iam:PassRole"],
    on: ({ executionRole }: Parts) => [executionRole.arn],
    condition: () => ({ StringEquals: { "iam:PassedToService": "ecs-tasks.amazonaws.com" } }),
  },
] as const satisfies Group[]

interface Group {
  sid: string
  /** The variable that names the role to pass: only who knows it may pass it. */
  forRole?: "SCHEDULER_ROLE_ARN" | "EXECUTION_ROLE_ARN"
  actions: readonly string[]
  on: (parts: Parts) => Input<string>[]
  condition?: (parts: Parts) => NonNullable<Statement["condition"]>
}

const tasksOf = (home: Home, { region, cluster }: Runtime) =>
  interpolate`arn:aws:ecs:${region}:${home.account}:task/${cluster.name}/*`

/** The statements for the role of a function that uses these variables: what it does itself, and what AWS does in its name. */
export function grantsFor(parts: Parts, environment: Variable[], holder: Holder): Statement[] {
  const wanted = new Set([...holder.actions, ...impliedFor(holder)])
  return groups.flatMap((group: Group) => {
    if (group.forRole && !environment.includes(group.forRole)) return []
    const granted = group.actions.filter((action) => wanted.has(action))
    if (!granted.length) return []
    return [{ sid: group.sid, actions: granted, resources: group.on(parts), condition: group.condition?.(parts) }]
  })
}
