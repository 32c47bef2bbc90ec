import { type Input, interpolate } from "@pulumi/pulumi"
import type { Parts } from "./parts.ts"
import { describeRuntimes } from "./runtime.ts"
import { type AccountQuotas, euRegion } from "./settings.ts"
import { tagsOf } from "./tags.ts"

/** Where a task finds the API: from the internet, and from the isolated network, where there is one. */
export interface Urls {
  api: Input<string>
  isolated: Input<string>
}

const gib = 1024 ** 3

const describeQuotas = ({ runningTasks, fileStorageGib, checkpointStorageGib }: AccountQuotas) =>
  JSON.stringify({
    runningTasks,
    fileStorageBytes: fileStorageGib * gib,
    checkpointStorageBytes: checkpointStorageGib * gib,
  })

/** The isolated network is at home. */
function isolatedRegions({ isolated, home }: Parts) {
  if (!isolated) return "none"
  return home.region === euRegion ? "any,eu" : "any"
}

/** The value of every variable that a function may ask for. The address of the API is known once the functions behind it are there. */
export const valuesOf = (parts: Parts, urls?: Urls) => ({
  TABLE_NAME: parts.table.name,
  BUCKET_NAME: parts.bucket.bucket,
  DATA_KEY_ARN: parts.keys.data.arn,
  MAC_KEY_ARN: parts.keys.mac.arn,
  BUS_NAME: parts.bus.name,
  STATE_MACHINE_ARN: parts.home.machineArn,
  RATE_LIMIT: `${parts.home.keyThrottle.rate}/${parts.home.keyThrottle.burst}`,
  ACCOUNT_QUOTAS: describeQuotas(parts.home.accountQuotas),
  WARM_SECONDS: String(parts.home.warmSeconds),
  RUNTIMES: describeRuntimes(parts.runtimes, parts.isolated),
  /** The labels of regions in which a task may do without internet access, with commas between them. */
  ISOLATED_REGIONS: isolatedRegions(parts),
  ...(urls && { API_URL: urls.api, ISOLATED_API_URL: urls.isolated }),
  TASK_IMAGE: interpolate`${parts.registry.repositoryUrl}:${parts.home.imageTag}`,
  TASK_FAMILY: `${parts.home.tenant}-task`,
  /** What the bill of a container is known by. */
  TASK_TAGS: JSON.stringify(tagsOf(parts.home)),
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

export type Variable = keyof ReturnType<typeof valuesOf>
