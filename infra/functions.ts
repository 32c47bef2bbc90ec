import type { Variable } from "./environment.ts"
import type { Action } from "./grants.ts"

/** What a function has to be given. */
export interface Needs {
  environment: Variable[]
  /** What it asks of AWS. Each has to be seen in use (`seen.json`); what AWS does in its name comes by itself (`implied.ts`). */
  actions: Action[]
  /** What Lambda hands to it. */
  consumes?: "queue" | "stream"
  timeoutSeconds: number
}

/** Several needs as one. Whoever says nothing of its time has as long as the gateway waits for an answer. */
const all = (...parts: Partial<Needs>[]): Needs => ({
  timeoutSeconds: 29,
  ...Object.assign({}, ...parts),
  environment: parts.flatMap(({ environment = [] }) => environment),
  actions: parts.flatMap(({ actions = [] }) => actions),
})

const may = (...actions: Action[]): Partial<Needs> => ({ actions })
const knows = (...environment: Variable[]): Partial<Needs> => ({ environment })
const takes = (consumes: "queue" | "stream"): Partial<Needs> => ({ consumes })
const seconds = (timeoutSeconds: number): Partial<Needs> => ({ timeoutSeconds })

/** Items of the table that it reads, makes and changes. */
const changes: Partial<Needs> = {
  environment: ["TABLE_NAME"],
  actions: ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
}

/** Finds out whose key it is called with, and counts how often. */
const keyed = all(changes, knows("RATE_LIMIT"))

/** Signs cursors of lists, and what it keeps for an Idempotency-Key. */
const signs: Partial<Needs> = { environment: ["MAC_KEY_ARN"], actions: ["kms:GenerateMac"] }

/** Long texts and long answers lie in the bucket. */
const texts: Partial<Needs> = { environment: ["BUCKET_NAME"], actions: ["s3:GetObject", "s3:PutObject"] }

/** Seals secrets, or opens them. */
const secrets = knows("DATA_KEY_ARN")

/** Asks models, at their own addresses or at others. */
const models = knows("ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "OPENROUTER_BASE_URL")

/** As long as the gateway lets an answer be streamed, which is as long as a Lambda may run. */
const streaming = seconds(900)

/** For which the consumers of queues may run: a message that is being worked at stays out of sight for six times as long. */
export const consumerSeconds = 60

/** What each function of this file needs. */
const needs: Record<string, Needs> = {
  "api/account": all(keyed, secrets, knows("ACCOUNT_QUOTAS"), may("dynamodb:BatchGetItem", "dynamodb:DeleteItem")),
  "api/agents": all(keyed, signs, texts, secrets, may("dynamodb:Query", "dynamodb:BatchGetItem")),
  "api/api-keys": all(keyed, signs, may("dynamodb:Query", "dynamodb:DeleteItem")),
  "api/containers": all(keyed, signs, texts, may("dynamodb:Query")),
  "api/conversations": all(
    keyed,
    signs,
    texts,
    secrets,
    knows("ISOLATED_REGIONS"),
    may("dynamodb:Query", "dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem"),
  ),
  "api/docs": all(),
  "api/events": all(keyed, signs, knows("BUCKET_NAME"), may("dynamodb:Query", "dynamodb:DeleteItem", "s3:GetObject"), streaming),
  "api/files": all(keyed, signs, knows("BUCKET_NAME"), may("dynamodb:Query", "s3:GetObject"), streaming),
  "api/messages": all(keyed, signs, texts, may("dynamodb:Query")),
  "api/openapi": all(),
  "api/reference-files": all(keyed, signs, texts),
  "api/repositories": all(
    keyed,
    signs,
    texts,
    may("dynamodb:Query", "dynamodb:DeleteItem", "dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem"),
  ),
  "api/ssh-keys": all(keyed, signs, texts, secrets, may("dynamodb:Query", "dynamodb:DeleteItem")),
  "api/tasks": all(
    keyed,
    signs,
    texts,
    secrets,
    knows("ISOLATED_REGIONS"),
    may("dynamodb:Query", "dynamodb:DeleteItem", "dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem", "s3:DeleteObject"),
  ),
  "api/uploads": all(keyed, signs, texts, knows("ACCOUNT_QUOTAS")),
  "api/webhook-deliveries": all(keyed, signs, texts, may("dynamodb:Query", "dynamodb:BatchGetItem")),
  "api/webhooks": all(keyed, signs, texts, secrets, knows("WEBHOOK_TARGETS"), may("dynamodb:Query", "dynamodb:DeleteItem")),

  "agent/channels": all(changes, knows("BUCKET_NAME"), may("dynamodb:Query", "s3:GetObject")),
  "agent/checkpoints": all(changes, texts, knows("ACCOUNT_QUOTAS"), may("dynamodb:ConditionCheckItem", "s3:DeleteObject")),
  "agent/files": all(knows("TABLE_NAME", "BUCKET_NAME"), may("dynamodb:GetItem", "dynamodb:Query", "s3:GetObject")),
  "agent/outputs": all(knows("TABLE_NAME"), texts, may("dynamodb:GetItem", "dynamodb:PutItem")),
  "agent/tasks": all(
    changes,
    signs,
    texts,
    secrets,
    knows("WARM_SECONDS"),
    may("dynamodb:Query", "dynamodb:BatchGetItem", "states:SendTaskHeartbeat"),
  ),

  "gateway/models": all(
    knows("TABLE_NAME", "BUCKET_NAME"),
    secrets,
    models,
    may("dynamodb:GetItem", "dynamodb:UpdateItem", "s3:GetObject"),
    streaming,
  ),

  "lifecycle/run": all(
    changes,
    signs,
    knows(
      "ACCOUNT_QUOTAS",
      "API_URL",
      "ISOLATED_API_URL",
      "RUNTIMES",
      "TASK_IMAGE",
      "EXECUTION_ROLE_ARN",
      "TASK_FAMILY",
      "TASK_TAGS",
    ),
    may("states:SendTaskSuccess", "states:SendTaskFailure"),
    may("dynamodb:Query", "dynamodb:DeleteItem"),
    may("ecs:RegisterTaskDefinition", "ecs:RunTask", "ecs:TagResource", "ecs:ListTasks", "ecs:StopTask", "iam:PassRole"),
    seconds(60),
  ),
  "lifecycle/park": all(
    changes,
    knows("ACCOUNT_QUOTAS"),
    may("dynamodb:Query", "dynamodb:DeleteItem", "states:SendTaskSuccess", "states:SendTaskFailure"),
    seconds(60),
  ),
  "lifecycle/settle": all(changes, may("dynamodb:DeleteItem", "ecs:ListTasks", "ecs:StopTask"), seconds(60)),

  "reactions/publish": all(
    takes("stream"),
    changes,
    knows("BUS_NAME", "STATE_MACHINE_ARN", "DELIVERY_QUEUE_URL", "ACCOUNT_QUOTAS"),
    may("dynamodb:Query", "dynamodb:DeleteItem", "events:PutEvents", "sqs:SendMessage"),
    may("states:StartExecution", "states:SendTaskSuccess", "states:SendTaskFailure"),
    seconds(60),
  ),
  "reactions/title": all(changes, secrets, models, knows("BUCKET_NAME"), may("s3:GetObject"), seconds(30)),
  "reactions/stopped": all(changes, seconds(30)),
  "reactions/fanout": all(
    takes("queue"),
    knows("TABLE_NAME", "BUCKET_NAME", "DELIVERY_QUEUE_URL", "SLOW_DELIVERY_QUEUE_URL"),
    may("dynamodb:Query", "dynamodb:PutItem", "s3:PutObject", "sqs:SendMessage"),
    seconds(consumerSeconds),
  ),
  "reactions/deliver": all(
    takes("queue"),
    knows("TABLE_NAME", "BUCKET_NAME", "DELIVERY_QUEUE_URL", "SLOW_DELIVERY_QUEUE_URL"),
    knows("SCHEDULE_GROUP", "SCHEDULER_ROLE_ARN", "WEBHOOK_TARGETS"),
    secrets,
    may("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:UpdateItem", "dynamodb:PartiQLUpdate", "s3:GetObject"),
    may("sqs:SendMessage", "scheduler:CreateSchedule", "iam:PassRole"),
    seconds(consumerSeconds),
  ),
  "reactions/sweep": all(
    changes,
    knows("BUCKET_NAME", "BUS_NAME", "STATE_MACHINE_ARN", "DELIVERY_QUEUE_URL", "ACCOUNT_QUOTAS"),
    may("dynamodb:Query", "dynamodb:BatchGetItem", "dynamodb:DeleteItem", "s3:GetObject", "s3:DeleteObject"),
    may("events:PutEvents", "sqs:SendMessage"),
    may("states:StartExecution", "states:DescribeExecution", "states:SendTaskSuccess", "states:SendTaskFailure"),
    may("ecs:ListTasks", "ecs:StopTask"),
    seconds(240),
  ),

  "operate/operate": all(
    changes,
    knows("BUCKET_NAME", "STATE_MACHINE_ARN"),
    // Reading all of the table, to erase an account.
    may("dynamodb:Query", "dynamodb:Scan", "dynamodb:DeleteItem", "s3:ListBucket", "s3:DeleteObject"),
    // What the sweeper may do, on request.
    may("states:StartExecution", "states:DescribeExecution", "ecs:ListTasks", "ecs:StopTask"),
    seconds(60),
  ),
}

/** What the function of this file needs. Fails for a file that nobody has thought of. */
export function needsOf(file: string): Needs {
  const found = needs[file]
  if (!found) throw new Error(`functions/${file}.ts has no entry in infra/functions.ts`)
  return found
}

/** Files that are thought of. */
export const filesWithNeeds = Object.keys(needs)
