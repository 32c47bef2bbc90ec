import { Config, runtime } from "@pulumi/pulumi"
import { hint } from "./nearest.ts"
import { type AccountQuotas, accountQuotas, type Domain, type Settings, warmSeconds } from "./settings.ts"

type Provider = keyof Settings["modelBaseUrls"]

/** What a stack's file calls its settings, after `dormouse:`, and the parts of those that have some. The region is the provider's. */
const names: Record<Exclude<keyof Settings, "region" | "modelBaseUrls"> | `${Provider}BaseUrl`, string[]> = {
  tenant: [],
  imageTag: [],
  logRetentionDays: [],
  throttle: ["rate", "burst"],
  keyThrottle: ["rate", "burst"],
  accountQuotas: Object.keys(accountQuotas),
  warmSeconds: [],
  anthropicBaseUrl: [],
  openaiBaseUrl: [],
  openrouterBaseUrl: [],
  setsApiLogRole: [],
  alarmEmail: [],
  monthlyBudgetUsd: [],
  domain: ["name", "certificateArn", "hostedZoneId"],
  firewall: [],
  isolatedNetwork: [],
  eventArchiveDays: [],
  webhookTargets: [],
  subscriberAccounts: [],
  reservedConcurrency: [],
}

export const settingNames = Object.keys(names)

/** The stack's configuration. This is the only file that reads it; everything else is a function of these settings. */
export function readSettings(): Settings {
  refuseUnknown()
  const config = new Config()
  return {
    tenant: required(config, "tenant", "acme"),
    region: required(new Config("aws"), "region", "us-east-1"),
    imageTag: required(config, "imageTag", '"0.1.0"'),
    logRetentionDays: config.getNumber("logRetentionDays") ?? 30,
    throttle: config.getObject<Settings["throttle"]>("throttle") ?? { rate: 200, burst: 400 },
    keyThrottle: config.getObject<Settings["keyThrottle"]>("keyThrottle") ?? { rate: 50, burst: 100 },
    accountQuotas: { ...accountQuotas, ...config.getObject<Partial<AccountQuotas>>("accountQuotas") },
    warmSeconds: config.getNumber("warmSeconds") ?? warmSeconds,
    modelBaseUrls: {
      anthropic: config.get("anthropicBaseUrl") ?? "",
      openai: config.get("openaiBaseUrl") ?? "",
      openrouter: config.get("openrouterBaseUrl") ?? "",
    },
    setsApiLogRole: config.getBoolean("setsApiLogRole") ?? true,
    alarmEmail: config.get("alarmEmail"),
    monthlyBudgetUsd: config.getNumber("monthlyBudgetUsd"),
    domain: config.getObject<Domain>("domain"),
    firewall: config.getBoolean("firewall") ?? false,
    isolatedNetwork: config.getBoolean("isolatedNetwork") ?? false,
    eventArchiveDays: config.getNumber("eventArchiveDays") ?? 30,
    webhookTargets: (config.get("webhookTargets") ?? "public") as "public" | "any",
    subscriberAccounts: config.getObject<string[]>("subscriberAccounts") ?? [],
    reservedConcurrency: config.getObject<Record<string, number>>("reservedConcurrency") ?? {},
  }
}

/** A setting with a slip in its name would leave the default where somebody asked for something else. */
function refuseUnknown() {
  const config = new Config()
  const prefix = `${config.name}:`
  for (const key of Object.keys(runtime.allConfig()).filter((key) => key.startsWith(prefix))) {
    const name = key.slice(prefix.length)
    if (!(name in names)) refuse(name, settingNames)
  }
  for (const [name, parts] of Object.entries(names).filter(([, parts]) => parts.length)) {
    const given = mapOf(config, name, `${parts.join(", ")}, each with a value`)
    for (const part of Object.keys(given).filter((part) => !parts.includes(part))) refuse(`${name}.${part}`, parts)
  }
  mapOf(config, "reservedConcurrency", "a number for each file")
  const accounts = config.getObject<unknown>("subscriberAccounts") ?? []
  if (!Array.isArray(accounts)) throw new Error(`Setting subscriberAccounts takes a list, not ${JSON.stringify(accounts)}`)
}

/** The parts of a setting: of anything but a map none would be found, and the defaults would stay without a word. */
function mapOf(config: Config, name: string, parts: string): object {
  const value = config.getObject<unknown>(name) ?? {}
  if (typeof value === "object" && !Array.isArray(value)) return value
  throw new Error(`Setting ${name} takes ${parts}, not ${JSON.stringify(value)}`)
}

function refuse(name: string, known: string[]): never {
  throw new Error(`Setting ${name} is not known: ${hint(name.split(".").at(-1)!, known)}`)
}

/** A setting that every stack has to have; Pulumi's own words for it would not say how. */
function required(config: Config, name: string, example: string): string {
  const value = config.get(name)
  if (value) return value
  const key = `${config.name}:${name}`
  throw new Error(`The setting ${key} is missing: the stack's file needs one, such as ${key}: ${example}`)
}
