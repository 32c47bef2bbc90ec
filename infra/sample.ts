import { accountQuotas, type Settings, warmSeconds } from "./settings.ts"
import type { Sources } from "./sources.ts"

/** A stack as small as can be, for the tests of the evaluator and the policies: every function, a few routes, two states. */
export const sampleSettings: Settings = {
  tenant: "sample",
  region: "us-east-1",
  imageTag: "1",
  logRetentionDays: 30,
  throttle: { rate: 100, burst: 200 },
  keyThrottle: { rate: 50, burst: 100 },
  accountQuotas,
  warmSeconds,
  modelBaseUrls: { anthropic: "", openai: "", openrouter: "" },
  setsApiLogRole: true,
  webhookTargets: "public",
  firewall: false,
  isolatedNetwork: false,
  eventArchiveDays: 30,
  subscriberAccounts: [],
  reservedConcurrency: {},
}

const state = (name: string) => ({
  Type: "Task",
  Resource: "arn:aws:states:::lambda:invoke",
  Arguments: { FunctionName: `\${${name}FunctionArn}`, Payload: "{% $states.input %}" },
})

export const sampleSources: Sources = {
  functions: [
    ...["account", "agents", "files", "openapi", "tasks"].map((file) => `api/${file}`),
    ...["outputs", "tasks"].map((file) => `agent/${file}`),
    "operate/operate",
    "gateway/models",
    ...["run", "settle"].map((file) => `lifecycle/${file}`),
    ...["deliver", "fanout", "publish", "stopped", "sweep", "title"].map((file) => `reactions/${file}`),
  ],
  documents: {
    api: {
      paths: {
        "/api/v1/account": { get: {} },
        "/api/v1/agents/{agentId}/tasks": { get: {}, post: {} },
        "/api/v1/agents": { get: {} },
        "/api/v1/files/{fileId}/content": { get: { "x-dormouse-streaming": true } },
        "/api/v1/openapi.json": { get: {} },
      },
    },
    agent: {
      paths: {
        "/api/agent/tasks/claim-next": { post: {} },
        "/api/agent/tasks/{taskId}/outputs": { post: {} },
        "/api/agent/models/{provider}/{proxy}": { post: { "x-dormouse-streaming": true, "x-dormouse-proxy": true } },
      },
    },
  },
  machine: JSON.stringify({
    QueryLanguage: "JSONata",
    StartAt: "Run",
    States: { Run: { ...state("Run"), Next: "Settle" }, Settle: { ...state("Settle"), End: true } },
  }),
}
