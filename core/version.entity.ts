import { CustomAttributeType, Entity, type EntityItem } from "electrodb"
import { table } from "./aws.ts"
import type { StoredDefaults } from "./defaults.ts"

/** For `skills add`, with a key where it needs one. */
export interface Skill {
  skill: string
  sshKeyId?: string | undefined
}

/** How a repository lies in a workspace. */
export interface Mount {
  repositoryId: string
  tag: string
  mountingPoint: string
  setupScript?: string | undefined
}

/** One execution of an agent's definition, never changed once written. */
export const VersionEntity = new Entity(
  {
    model: { service: "dormouse", entity: "version", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      agentId: { type: "string", required: true },
      versionId: { type: "string", required: true },
      number: { type: "number", required: true },
      /** The image, as given or as the container version had it. */
      containerImage: { type: "string", required: true },
      containerVersionId: { type: "string" },
      agentRuntime: { type: ["pi"] as const, required: true },
      /** See text.ts. */
      basePrompt: { type: "string", required: true },
      taskTitleInstructions: { type: "string" },
      defaults: { type: CustomAttributeType<StoredDefaults>("any"), required: true },
      skills: { type: CustomAttributeType<Skill[]>("any"), required: true },
      repositories: { type: CustomAttributeType<Mount[]>("any"), required: true },
      referenceFileIds: { type: "list", items: { type: "string" }, required: true },
      createdAt: { type: "string", required: true, readOnly: true },
    },
    indexes: {
      byAgent: {
        pk: { field: "pk", composite: ["accountId", "agentId"], template: "${accountId}#${agentId}", casing: "none" },
        sk: { field: "sk", composite: ["versionId"], template: "version#${versionId}", casing: "none" },
      },
    },
  },
  table,
)

export type VersionRow = EntityItem<typeof VersionEntity>
