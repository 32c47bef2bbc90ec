/** What differs between stacks. One stack is one tenant. */
export interface Settings {
  /** First part of every physical name. */
  tenant: string
  /** Home region: the API, the table and the state machine are here. */
  region: string
  /** Tag of our own image in the stack's repository. */
  imageTag: string
  logRetentionDays: number
  /** Requests per second, and the most at once, that the whole API takes before it answers 429. */
  throttle: { rate: number; burst: number }
  /** Addresses that replace those of the model providers; empty where the provider's own counts. */
  modelBaseUrls: { anthropic: string; openai: string; openrouter: string }
  /**
   * Whether this stack names the role with which API Gateway writes logs. AWS has one such setting per account and region, so of
   * several stacks in the same account and region exactly one says yes.
   */
  setsApiLogRole: boolean
}

/** Where EU tasks run. */
export const euRegion = "eu-central-1"

/** The numbers of days for which CloudWatch keeps logs. */
const retentions = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]

/** The same settings, or an error that names the one that AWS would refuse only after half of the stack is there. */
export function checked(settings: Settings): Settings {
  const { tenant, region, imageTag, logRetentionDays, throttle } = settings
  demand(/^[a-z][a-z0-9-]{0,18}[a-z0-9]$/.test(tenant), "tenant", "takes 2 to 20 lower-case letters, digits and hyphens")
  demand(/^[a-z]{2}(-[a-z]+)+-\d$/.test(region), "region", "is the name of an AWS region, such as us-east-1")
  demand(/^[\w][\w.-]{0,127}$/.test(imageTag), "imageTag", "is the tag of a container image")
  demand(retentions.includes(logRetentionDays), "logRetentionDays", `is one of ${retentions.join(", ")}`)
  demand(throttle.rate > 0 && throttle.burst > 0, "throttle", "takes a rate and a burst above 0")
  return settings
}

function demand(holds: boolean, setting: string, rule: string) {
  if (!holds) throw new Error(`Setting ${setting} ${rule}`)
}
