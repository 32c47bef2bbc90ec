import type { Variable } from "./environment.ts"
import type { Action } from "./grants.ts"

/** What a function has to be given. What its environment names, its role may use (`environment.ts`). */
export interface Needs {
  environment: Variable[]
  /** What it does beyond the ordinary use of what its environment names. */
  actions?: Action[]
  timeoutSeconds: number
  memoryMb?: number
}

const api: Needs = {
  environment: ["TABLE_NAME", "BUCKET_NAME", "DATA_KEY_ARN", "MAC_KEY_ARN", "RATE_LIMIT", "ISOLATED_REGIONS"],
  timeoutSeconds: 29,
}

const agent: Needs = {
  ...api,
  environment: [...api.environment, "STATE_MACHINE_ARN"],
  actions: ["states:SendTaskHeartbeat"],
}

/** As long as the gateway lets an answer be streamed, which is as long as a Lambda may run. */
const streaming = { timeoutSeconds: 900 }

/** For which the consumers of queues may run: a message that is being worked at stays out of sight for six times as long. */
export const consumerSeconds = 60

const receive: Action[] = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]

/** By folder, or by file where one differs from its folder. */
const needs: Record<string, Needs> = {
  api,
  "api/tasks": { ...api, actions: ["s3:DeleteObject"] },
  "api/files": { ...api, ...streaming },
  "api/events": { ...api, ...streaming },
  "api/webhooks": { ...api, environment: [...api.environment, "WEBHOOK_TARGETS"] },

  agent,
  "agent/checkpoints": {
    environment: ["TABLE_NAME", "BUCKET_NAME", "DATA_KEY_ARN"],
    actions: ["s3:DeleteObject"],
    timeoutSeconds: 29,
  },

  "operate/operate": {
    environment: ["TABLE_NAME", "BUCKET_NAME", "DATA_KEY_ARN", "STATE_MACHINE_ARN", "RUNTIMES"],
    // What the sweeper may do, on request; and reading all of the table, to erase an account.
    actions: [
      "dynamodb:Scan",
      "states:StartExecution",
      "states:DescribeExecution",
      "states:SendTaskFailure",
      "ecs:StopTask",
      "ecs:ListTasks",
      "ecs:DescribeTasks",
      "s3:DeleteObject",
    ],
    timeoutSeconds: 60,
  },

  "gateway/models": {
    environment: ["TABLE_NAME", "BUCKET_NAME", "DATA_KEY_ARN", "ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "OPENROUTER_BASE_URL"],
    ...streaming,
  },

  "lifecycle/run": {
    environment: [
      "TABLE_NAME",
      "BUCKET_NAME",
      "MAC_KEY_ARN",
      "API_URL",
      "ISOLATED_API_URL",
      "RUNTIMES",
      "TASK_IMAGE",
      "EXECUTION_ROLE_ARN",
      "TASK_FAMILY",
    ],
    actions: [
      "ecs:RegisterTaskDefinition",
      "ecs:RunTask",
      "ecs:StopTask",
      "ecs:ListTasks",
      "iam:PassRole",
      "states:SendTaskSuccess",
      "states:SendTaskFailure",
    ],
    timeoutSeconds: 60,
  },
  "lifecycle/park": {
    environment: ["TABLE_NAME", "BUCKET_NAME"],
    actions: ["states:SendTaskSuccess", "states:SendTaskFailure"],
    timeoutSeconds: 60,
  },
  "lifecycle/settle": {
    environment: ["TABLE_NAME", "BUCKET_NAME", "RUNTIMES"],
    actions: ["ecs:StopTask", "ecs:ListTasks"],
    timeoutSeconds: 60,
  },

  "reactions/publish": {
    environment: ["TABLE_NAME", "BUCKET_NAME", "BUS_NAME", "STATE_MACHINE_ARN", "DELIVERY_QUEUE_URL"],
    actions: [
      "dynamodb:GetRecords",
      "dynamodb:GetShardIterator",
      "dynamodb:DescribeStream",
      "dynamodb:ListStreams",
      "states:StartExecution",
      "states:SendTaskSuccess",
      "states:SendTaskFailure",
    ],
    timeoutSeconds: 60,
  },
  "reactions/title": {
    environment: ["TABLE_NAME", "BUCKET_NAME", "DATA_KEY_ARN", "ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "OPENROUTER_BASE_URL"],
    timeoutSeconds: 30,
  },
  "reactions/stopped": { environment: ["TABLE_NAME"], timeoutSeconds: 30 },
  "reactions/fanout": {
    environment: ["TABLE_NAME", "BUCKET_NAME", "DELIVERY_QUEUE_URL", "SLOW_DELIVERY_QUEUE_URL"],
    actions: receive,
    timeoutSeconds: consumerSeconds,
  },
  "reactions/deliver": {
    environment: [
      "TABLE_NAME",
      "BUCKET_NAME",
      "DATA_KEY_ARN",
      "DELIVERY_QUEUE_URL",
      "SLOW_DELIVERY_QUEUE_URL",
      "SCHEDULE_GROUP",
      "SCHEDULER_ROLE_ARN",
      "WEBHOOK_TARGETS",
    ],
    actions: [...receive, "iam:PassRole"],
    timeoutSeconds: consumerSeconds,
  },
  "reactions/sweep": {
    environment: ["TABLE_NAME", "BUCKET_NAME", "BUS_NAME", "STATE_MACHINE_ARN", "RUNTIMES", "DELIVERY_QUEUE_URL"],
    actions: [
      "states:StartExecution",
      "states:DescribeExecution",
      "states:SendTaskSuccess",
      "states:SendTaskFailure",
      "ecs:StopTask",
      "ecs:ListTasks",
      "ecs:DescribeTasks",
      "s3:DeleteObject",
    ],
    timeoutSeconds: 240,
  },
}

/** What the function of this file needs. Fails for a file that nobody has thought of. */
export function needsOf(file: string): Required<Needs> {
  const [folder = ""] = file.split("/")
  const found = needs[file] ?? needs[folder]
  if (!found) throw new Error(`functions/${file}.ts has no entry in infra/functions.ts, and neither has its folder`)
  return { actions: [], memoryMb: 512, ...found }
}

/** Entries that name a single file. */
export const filesWithNeeds = Object.keys(needs).filter((key) => key.includes("/"))
