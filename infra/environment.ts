import { type Input, interpolate } from "@pulumi/pulumi"
import type { Action } from "./grants.ts"
import type { Parts } from "./parts.ts"
import { describeRuntimes } from "./runtime.ts"
import { euRegion } from "./settings.ts"

/** The environment variables that a function may ask for, with what naming each lets it do. */
export const uses = {
  TABLE_NAME: [
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "dynamodb:DeleteItem",
    "dynamodb:Query",
    "dynamodb:BatchGetItem",
    "dynamodb:ConditionCheckItem",
    "kms:Decrypt",
    "kms:GenerateDataKey",
  ],
  // Without s3:ListBucket S3 answers 403 instead of 404 for an object that is not there.
  BUCKET_NAME: ["s3:GetObject", "s3:PutObject", "s3:ListBucket", "kms:Decrypt", "kms:GenerateDataKey"],
  DATA_KEY_ARN: ["kms:Decrypt", "kms:GenerateDataKey"],
  MAC_KEY_ARN: ["kms:GenerateMac", "kms:VerifyMac"],
  BUS_NAME: ["events:PutEvents"],
  STATE_MACHINE_ARN: [],
  RATE_LIMIT: [],
  RUNTIMES: [],
  /** The labels of regions in which a task may do without internet access, with commas between them. */
  ISOLATED_REGIONS: [],
  API_URL: [],
  ISOLATED_API_URL: [],
  TASK_IMAGE: [],
  TASK_FAMILY: [],
  EXECUTION_ROLE_ARN: [],
  DELIVERY_QUEUE_URL: ["sqs:SendMessage", "kms:Decrypt", "kms:GenerateDataKey"],
  SLOW_DELIVERY_QUEUE_URL: ["sqs:SendMessage", "kms:Decrypt", "kms:GenerateDataKey"],
  SCHEDULE_GROUP: ["scheduler:CreateSchedule"],
  SCHEDULER_ROLE_ARN: [],
  WEBHOOK_TARGETS: [],
  ANTHROPIC_BASE_URL: [],
  OPENAI_BASE_URL: [],
  OPENROUTER_BASE_URL: [],
} satisfies Record<string, Action[]>

export type Variable = keyof typeof uses

/** Where a task finds the API: from the internet, and from the isolated network, where there is one. */
export interface Urls {
  api: Input<string>
  isolated: Input<string>
}

/** The isolated network is at home. */
function isolatedRegions({ isolated, home }: Parts) {
  if (!isolated) return "none"
  return home.region === euRegion ? "any,eu" : "any"
}

/** The value of every variable. The address of the API is known once the functions behind it are there. */
export const valuesOf = (parts: Parts, urls?: Urls): Partial<Record<Variable, Input<string>>> => ({
  TABLE_NAME: parts.table.name,
  BUCKET_NAME: parts.bucket.bucket,
  DATA_KEY_ARN: parts.keys.data.arn,
  MAC_KEY_ARN: parts.keys.mac.arn,
  BUS_NAME: parts.bus.name,
  STATE_MACHINE_ARN: parts.home.machineArn,
  RATE_LIMIT: `${parts.home.keyThrottle.rate}/${parts.home.keyThrottle.burst}`,
  RUNTIMES: describeRuntimes(parts.runtimes, parts.isolated),
  ISOLATED_REGIONS: isolatedRegions(parts),
  ...(urls && { API_URL: urls.api, ISOLATED_API_URL: urls.isolated }),
  TASK_IMAGE: interpolate`${parts.registry.repositoryUrl}:${parts.home.imageTag}`,
  TASK_FAMILY: `${parts.home.tenant}-task`,
  EXECUTION_ROLE_ARN: parts.executionRole.arn,
  DELIVERY_QUEUE_URL: parts.queues.deliveries.url,
  SLOW_DELIVERY_QUEUE_URL: parts.queues.slowDeliveries.url,
  SCHEDULE_GROUP: parts.schedules.group.name,
  SCHEDULER_ROLE_ARN: parts.schedules.role.arn,
  WEBHOOK_TARGETS: parts.home.webhookTargets,
  ANTHROPIC_BASE_URL: parts.home.modelBaseUrls.anthropic,
  OPENAI_BASE_URL: parts.home.modelBaseUrls.openai,
  OPENROUTER_BASE_URL: parts.home.modelBaseUrls.openrouter,
})
