import { demandRegion } from "./regions.ts"

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
  /** Requests per second, and the most at once, that one API key may make before it is answered 429. */
  keyThrottle: { rate: number; burst: number }
  /** What each account may have at most. */
  accountQuotas: AccountQuotas
  /** Seconds that a container stays for the next message after a turn of a conversation. */
  warmSeconds: number
  /** Addresses that replace those of the model providers; empty where the provider's own counts. */
  modelBaseUrls: { anthropic: string; openai: string; openrouter: string }
  /**
   * Whether this stack names the role with which API Gateway writes logs. AWS has one such setting per account and region, so of
   * several stacks in the same account and region exactly one says yes.
   */
  setsApiLogRole: boolean
  /** Who is written to when an alarm rings or the budget is near its end. */
  alarmEmail?: string
  /** US dollars that this stack is expected to stay below in a month; needs `alarmEmail`, and the tag `dormouse:tenant` activated for cost allocation. */
  monthlyBudgetUsd?: number
  /** An address of one's own for the API, with the certificate that proves it. */
  domain?: Domain
  /** Whether requests pass AWS's firewall first: its common rules, and a limit per address. */
  firewall: boolean
  /** Whether tasks may ask for no internet access, for which they need a network of their own that costs while it is idle. */
  isolatedNetwork: boolean
  /** How long events can be replayed; 0 keeps none. */
  eventArchiveDays: number
  /**
   * Where webhooks may go: to `https://` on the public internet, or, on a developer's machine, anywhere. Anywhere includes the network
   * of the stack, so that whoever has a key could look into it.
   */
  webhookTargets: "public" | "any"
  /** Accounts that may put rules of their own on the bus. */
  subscriberAccounts: string[]
  /** Concurrency set aside for single functions, by file: `{"api/tasks": 50}`. New accounts have little to set aside. */
  reservedConcurrency: Record<string, number>
}

export interface AccountQuotas {
  /** Containers at a time. What is dispatched beyond it waits. */
  runningTasks: number
  fileStorageGib: number
  checkpointStorageGib: number
}

export const accountQuotas: AccountQuotas = { runningTasks: 100, fileStorageGib: 10, checkpointStorageGib: 20 }

export const warmSeconds = 120

/** A run may wait so long in all its turns: see `warmRunSeconds` in core/limits.ts. */
const warmSecondsMost = 3_600

export interface Domain {
  name: string
  /** In the home region. */
  certificateArn: string
  /** The hosted zone that the name is put into. Without it the name is somebody else's to point here. */
  hostedZoneId?: string
}

/** Where EU tasks run. */
export const euRegion = "eu-central-1"

/** The numbers of days for which CloudWatch keeps logs. */
const retentions = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]

/** The same settings, or an error that names the one that AWS would refuse only after half of the stack is there. */
export function checked(settings: Settings): Settings {
  const { tenant, region, imageTag, logRetentionDays, throttle, keyThrottle } = settings
  demand(/^[a-z][a-z0-9-]{0,18}[a-z0-9]$/.test(tenant), "tenant", "takes 2 to 20 lower-case letters, digits and hyphens")
  demandRegion(region)
  demand(/^[\w][\w.-]{0,127}$/.test(imageTag), "imageTag", "is the tag of a container image")
  demand(retentions.includes(logRetentionDays), "logRetentionDays", `is one of ${retentions.join(", ")}`)
  demand(["public", "any"].includes(settings.webhookTargets), "webhookTargets", "is public or any")
  demand(throttle.rate > 0 && throttle.burst > 0, "throttle", "takes a rate and a burst above 0")
  demand(keyThrottle.rate > 0 && keyThrottle.burst >= 1, "keyThrottle", "takes a rate above 0 and a burst of at least 1")
  const { runningTasks, ...storage } = settings.accountQuotas
  demand(Number.isInteger(runningTasks) && runningTasks > 0, "accountQuotas", "takes a whole number of runningTasks above 0")
  demand(
    Object.values(storage).every((size) => size > 0),
    "accountQuotas",
    "takes sizes in GiB above 0",
  )
  const { warmSeconds } = settings
  const isWhole = Number.isInteger(warmSeconds) && warmSeconds >= 1 && warmSeconds <= warmSecondsMost
  demand(isWhole, "warmSeconds", `is a whole number from 1 to ${warmSecondsMost}`)
  for (const [provider, url] of Object.entries(settings.modelBaseUrls)) {
    const isAddress = url === "" || (/^https?:\/\/./.test(url) && URL.canParse(url))
    demand(isAddress, `${provider}BaseUrl`, "is an address that begins with https:// or http://")
  }
  checkOptions(settings)
  return settings
}

function checkOptions({ region, alarmEmail, monthlyBudgetUsd, domain, eventArchiveDays, ...settings }: Settings) {
  demand(alarmEmail === undefined || /^\S+@\S+$/.test(alarmEmail), "alarmEmail", "is an address for mail")
  demand(monthlyBudgetUsd === undefined || monthlyBudgetUsd > 0, "monthlyBudgetUsd", "is above 0")
  demand(monthlyBudgetUsd === undefined || !!alarmEmail, "monthlyBudgetUsd", "needs alarmEmail, so that somebody hears of it")
  const certificate = `arn:aws:acm:${region}:`
  demand(!domain || isDomain(domain, certificate), "domain", `takes a name and a certificate of ${region}`)
  demand(Number.isInteger(eventArchiveDays) && eventArchiveDays >= 0, "eventArchiveDays", "is a whole number of days")
  const areAccounts = settings.subscriberAccounts.every((account) => /^\d{12}$/.test(account))
  demand(areAccounts, "subscriberAccounts", "takes account numbers of 12 digits")
  const areCounts = Object.values(settings.reservedConcurrency).every((count) => Number.isInteger(count) && count > 0)
  demand(areCounts, "reservedConcurrency", "takes whole numbers above 0")
}

/** A file may leave out what the type has. */
const isDomain = ({ name, certificateArn }: Partial<Domain>, certificate: string) =>
  !!name && !!certificateArn?.startsWith(certificate)

function demand(holds: boolean, setting: string, rule: string) {
  if (!holds) throw new Error(`Setting ${setting} ${rule}`)
}
