import { evaluate } from "./evaluate.ts"
import type { Graph } from "./graph.ts"
import { accountQuotas, type Settings, warmSeconds } from "./settings.ts"
import type { Sources } from "./sources.ts"
import { defineStack } from "./stack.ts"

/** The stack that one machine runs, evaluated: from the repository's own sources and settings unless a test brings others. */
export const evaluateLocal = (sources?: Sources, settings: Partial<Settings> = {}): Promise<Graph> =>
  evaluate(
    () =>
      defineStack(
        {
          tenant: "dormouse",
          region: "us-east-1",
          imageTag: "local",
          logRetentionDays: 30,
          throttle: { rate: 1000, burst: 2000 },
          keyThrottle: { rate: 1000, burst: 2000 },
          accountQuotas,
          warmSeconds,
          modelBaseUrls: { anthropic: "", openai: "", openrouter: "" },
          setsApiLogRole: true,
          firewall: false,
          isolatedNetwork: true,
          eventArchiveDays: 30,
          webhookTargets: "any",
          subscriberAccounts: [],
          reservedConcurrency: {},
          ...settings,
        },
        sources,
      ),
    { name: "local", region: "us-east-1", account: "000000000000" },
  )
