import { Entity, type EntityItem } from "electrodb"
import { table } from "./aws.ts"

export const providers = ["anthropic", "openrouter", "openai"] as const
export const regions = ["any", "eu"] as const

export const AgentEntity = new Entity(
  {
    model: { service: "dormouse", entity: "agent", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      agentId: { type: "string", required: true },
      name: { type: "string", required: true },
      description: { type: "string" },
      /** The version that new tasks get, and its number. */
      versionId: { type: "string", required: true },
      number: { type: "number", required: true },
      /** Goes up with every write. */
      revision: { type: "number", required: true },
      archivedAt: { type: "string" },
      createdAt: { type: "string", required: true, readOnly: true },
    },
    indexes: {
      byId: {
        pk: { field: "pk", composite: ["accountId"], template: "${accountId}", casing: "none" },
        sk: { field: "sk", composite: ["agentId"], template: "agent#${agentId}", casing: "none" },
      },
    },
  },
  table,
)

export type AgentRow = EntityItem<typeof AgentEntity>
