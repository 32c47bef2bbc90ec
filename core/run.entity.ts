import { CustomAttributeType, Entity, type EntityItem } from "electrodb"
import { table } from "./aws.ts"

export const runStatuses = ["starting", "claimed", "completed", "failed", "released", "lost"] as const

export interface Use {
  inputTokens: number
  outputTokens: number
  cacheReadTokens: number
  cacheWriteTokens: number
  modelCostMicros: number
}

/** One attempt: one container. Heartbeats and the model gateway write here and nowhere else. */
export const RunEntity = new Entity(
  {
    model: { service: "dormouse", entity: "run", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      taskId: { type: "string", required: true },
      runId: { type: "string", required: true },
      attempt: { type: "number", required: true },
      status: { type: runStatuses, required: true },
      /** When the execution entered the state that started this run: the same on a retry of the start, another on a new attempt. */
      entry: { type: "string", required: true },
      region: { type: "string", required: true },
      cluster: { type: "string", required: true },
      taskDefinition: { type: "string", required: true },
      containerArn: { type: "string" },
      tokenHash: { type: "string" },
      createdAt: { type: "string", required: true, readOnly: true },
      claimedAt: { type: "string" },
      heartbeatAt: { type: "string" },
      leaseUntil: { type: "string" },
      /** Since when its time is not charged yet. Nothing while it waits for a message. */
      billedFrom: { type: "string" },
      endedAt: { type: "string" },
      /** Why it was lost. */
      reason: { type: "string" },
      beats: { type: "number", required: true },
      /** Metered by the model gateway. */
      requests: { type: "number", required: true },
      inputTokens: { type: "number", required: true },
      outputTokens: { type: "number", required: true },
      cacheReadTokens: { type: "number", required: true },
      cacheWriteTokens: { type: "number", required: true },
      /** Reported by the daemon, by the agent runtime's price list. */
      modelCostMicros: { type: "number", required: true },
      /** What of these the task has been told of. */
      settled: { type: CustomAttributeType<Use>("any"), required: true },
    },
    indexes: {
      byId: {
        pk: { field: "pk", composite: ["accountId", "taskId"], template: "${accountId}#${taskId}", casing: "none" },
        sk: { field: "sk", composite: ["runId"], template: "run#${runId}", casing: "none" },
      },
    },
  },
  table,
)

/** Found by the hash of a run token, which is all that is known when a container calls: so it lies outside its account's key. */
export const RunTokenEntity = new Entity(
  {
    model: { service: "dormouse", entity: "run-token", version: "1" },
    attributes: {
      hash: { type: "string", required: true },
      accountId: { type: "string", required: true },
      taskId: { type: "string", required: true },
      runId: { type: "string", required: true },
      expiresAt: { type: "number", required: true },
    },
    indexes: {
      byHash: {
        pk: { field: "pk", composite: ["hash"], template: "run-token#${hash}", casing: "none" },
        sk: { field: "sk", composite: [], template: "run-token", casing: "none" },
      },
    },
  },
  table,
)

export type RunRow = EntityItem<typeof RunEntity>
