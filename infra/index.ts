import { Config } from "@pulumi/pulumi"
import { type AccountQuotas, accountQuotas, type Domain } from "./settings.ts"
import { defineStack } from "./stack.ts"

/** The only file that reads the stack's configuration; everything below it is a function of these settings. */
const config = new Config()

const stack = defineStack({
  tenant: config.require("tenant"),
  region: new Config("aws").require("region"),
  imageTag: config.require("imageTag"),
  logRetentionDays: config.getNumber("logRetentionDays") ?? 30,
  throttle: config.getObject<{ rate: number; burst: number }>("throttle") ?? { rate: 200, burst: 400 },
  keyThrottle: config.getObject<{ rate: number; burst: number }>("keyThrottle") ?? { rate: 50, burst: 100 },
  accountQuotas: { ...accountQuotas, ...config.getObject<Partial<AccountQuotas>>("accountQuotas") },
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
})

export const { apiUrl, tableName, bucketName, busName, imageRepository, alarmTopicArn } = stack
