import { CustomAttributeType, Entity, type EntityItem } from "electrodb"
import { type providers, regions } from "./agent.entity.ts"
import { table } from "./aws.ts"
import type { StoredDefaults, StoredOverrides } from "./defaults.ts"
import type { Alias } from "./repository.entity.ts"
import type { Mount, Skill } from "./version.entity.ts"

export const statuses = [
  "pending",
  "running",
  "awaiting_input",
  "hibernating",
  "finished",
  "failed",
  "cancelled",
  "expired",
] as const
export const modes = ["autonomous", "conversation"] as const

/** Of the current run: none is live, one is being started, or one has taken it up. */
export const containers = ["none", "starting", "claimed"] as const

export const wakeReasons = ["message", "external_wake", "time", "credit"] as const

export type Mode = (typeof modes)[number]
export type Container = (typeof containers)[number]
export type Status = (typeof statuses)[number]

/** Task, spec and result share a partition and the beginning of their sort keys, so that one query reads all three. */
const pk = { field: "pk", composite: ["accountId", "taskId"], template: "${accountId}#${taskId}", casing: "none" } as const

/** What changes. Kept under 2 KB: a transaction costs two units per KB of the whole row. */
export const TaskEntity = new Entity(
  {
    model: { service: "dormouse", entity: "task", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      taskId: { type: "string", required: true },
      agentId: { type: "string", required: true },
      mode: { type: modes, required: true },
      status: { type: statuses, required: true },
      title: { type: "string", required: true },
      /** Goes up with every change of state; every change is conditional on it. */
      version: { type: "number", required: true },
      /** Number of the latest event. */
      eventSequence: { type: "number", required: true },
      isConversation: { type: "boolean", required: true },
      turnNumber: { type: "number", required: true },
      isTurnStarted: { type: "boolean", required: true },
      turnsCompleted: { type: "number", required: true },
      /** Messages so far, the latest one of a person, and how many of theirs wait for the turn after the current one. */
      messageSequence: { type: "number", required: true },
      personSequence: { type: "number", required: true },
      queuedMessages: { type: "number", required: true },
      container: { type: containers, required: true },
      isCancelling: { type: "boolean", required: true },
      isPaused: { type: "boolean", required: true },
      isQueued: { type: "boolean", required: true },
      losses: { type: "number", required: true },
      /** The current waiting of the execution: a run's id, or that of a park. */
      waitId: { type: "string" },
      /** Of conversations. */
      sessionTtlSeconds: { type: "number" },
      /** Until when it waits for a message. */
      awaitUntilAt: { type: "string" },
      hibernatedAt: { type: "string" },
      hibernateUntilAt: { type: "string" },
      /** Sleeps so far, seconds slept in the last one and in all of them, and why the last one ended. */
      cycle: { type: "number", required: true },
      lastSleepSeconds: { type: "number" },
      sleptSeconds: { type: "number", required: true },
      wakeReason: { type: wakeReasons },
      /** Times that this execution went to sleep or to wait, and when it was started. */
      parks: { type: "number", required: true },
      generationAt: { type: "string", required: true },
      /** Container time that counts against the runtime limit: that of lost attempts does not. */
      runtimeSeconds: { type: "number", required: true },
      /** Executions so far: a very long life needs successors. */
      generation: { type: "number", required: true },
      /** Containers started so far, and the latest one. */
      attempt: { type: "number", required: true },
      runId: { type: "string" },
      error: { type: "string" },
      /** Held back at dispatch; 0 where the account is not charged. */
      reservedMicros: { type: "number", required: true },
      costMicros: { type: "number", required: true },
      containerSeconds: { type: "number", required: true },
      inputTokens: { type: "number", required: true },
      outputTokens: { type: "number", required: true },
      cacheReadTokens: { type: "number", required: true },
      cacheWriteTokens: { type: "number", required: true },
      modelCostMicros: { type: "number", required: true },
      createdAt: { type: "string", required: true, readOnly: true },
      startedAt: { type: "string" },
      completedAt: { type: "string" },
      /** When the sweeper should look, and in which shard of its index. Gone once the task has ended. */
      sweepShard: { type: "string" },
      sweepAt: { type: "string" },
      /** There until the task has ended. */
      phase: { type: ["ongoing"] as const },
    },
    indexes: {
      byId: { pk, sk: { field: "sk", composite: [], template: "task", casing: "none" } },
      byAgent: {
        index: "tasksByAgent",
        pk: { field: "tasksByAgentPk", composite: ["accountId", "agentId"], template: "${accountId}#${agentId}", casing: "none" },
        sk: { field: "tasksByAgentSk", composite: ["taskId"], template: "${taskId}", casing: "none" },
      },
      byAccount: {
        index: "tasksByAccount",
        pk: { field: "tasksByAccountPk", composite: ["accountId"], template: "${accountId}", casing: "none" },
        sk: { field: "tasksByAccountSk", composite: ["taskId"], template: "${taskId}", casing: "none" },
      },
      ongoing: {
        index: "ongoingTasks",
        pk: { field: "ongoingTasksPk", composite: ["accountId", "phase"], template: "${accountId}#${phase}", casing: "none" },
        sk: { field: "ongoingTasksSk", composite: ["taskId"], template: "${taskId}", casing: "none" },
      },
      dueForSweep: {
        index: "sweep",
        pk: { field: "sweepPk", composite: ["sweepShard"], template: "sweep#${sweepShard}", casing: "none" },
        sk: { field: "sweepSk", composite: ["sweepAt", "taskId"], template: "${sweepAt}#${taskId}", casing: "none" },
      },
    },
  },
  table,
)

export interface Execution {
  provider: (typeof providers)[number]
  model: string
  weakModel: string
}

/** A mount with all that its clone needs but its keys: it stays, whatever becomes of the repository. */
export interface Clone extends Mount {
  name: string
  url: string
  aliases: Alias[]
  /** Of the repository. Older clones have none. */
  createdAt?: string
}

/** What the task was dispatched with and resolved to. Never changed. Long texts as text.ts keeps them. */
export const SpecEntity = new Entity(
  {
    model: { service: "dormouse", entity: "task-spec", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      taskId: { type: "string", required: true },
      agentName: { type: "string", required: true },
      versionId: { type: "string", required: true },
      containerImage: { type: "string", required: true },
      containerVersionId: { type: "string" },
      agentRuntime: { type: ["pi"] as const, required: true },
      region: { type: regions, required: true },
      instructions: { type: "string", required: true },
      basePrompt: { type: "string", required: true },
      /** The system prompt for naming the task; none where its first line is its name. */
      titleInstructions: { type: "string" },
      /** Whether the base prompt is the task's own, to be shown among its overrides. */
      overridesBasePrompt: { type: "boolean", required: true },
      execution: { type: CustomAttributeType<Execution>("any"), required: true },
      inputFileIds: { type: "list", items: { type: "string" }, required: true },
      /** Those of the version. */
      referenceFileIds: { type: "list", items: { type: "string" }, required: true },
      /** Where the provider's key may be found, the first that is there counts. */
      keySecretIds: { type: "list", items: { type: "string" }, required: true },
      settings: { type: CustomAttributeType<StoredDefaults>("any"), required: true },
      overrides: { type: CustomAttributeType<StoredOverrides>("any"), required: true },
      /** The version's, then the task's own. */
      repositories: { type: CustomAttributeType<Clone[]>("any"), required: true },
      versionSkills: { type: CustomAttributeType<Skill[]>("any"), required: true },
      skills: { type: CustomAttributeType<Skill[]>("any"), required: true },
      /** As JSON, since a map of the table has narrower numbers and fewer levels than what JSON can say. */
      metadata: { type: "string", required: true },
    },
    indexes: { byId: { pk, sk: { field: "sk", composite: [], template: "task#spec", casing: "none" } } },
  },
  table,
)

export const ResultEntity = new Entity(
  {
    model: { service: "dormouse", entity: "task-result", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      taskId: { type: "string", required: true },
      result: { type: "string", required: true },
    },
    indexes: { byId: { pk, sk: { field: "sk", composite: [], template: "task#result", casing: "none" } } },
  },
  table,
)

export type TaskRow = EntityItem<typeof TaskEntity>
export type SpecRow = EntityItem<typeof SpecEntity>
export type ResultRow = EntityItem<typeof ResultEntity>
