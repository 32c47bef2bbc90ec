import { CustomAttributeType, Entity, type EntityItem } from "electrodb"
import { table } from "./aws.ts"

export interface Alias {
  name: string
  target: string
}

export const RepositoryEntity = new Entity(
  {
    model: { service: "dormouse", entity: "repository", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      repositoryId: { type: "string", required: true },
      name: { type: "string", required: true },
      url: { type: "string", required: true },
      postCloneScriptPath: { type: "string" },
      aliases: { type: CustomAttributeType<Alias[]>("any"), required: true },
      /** Keys that open it. The other direction is `SshKeyLinkEntity`; both change in one transaction. */
      sshKeyIds: { type: "set", items: "string" },
      /** Agents that are not archived and whose current version mounts it, counted with each change of theirs. */
      uses: { type: "number", required: true },
      /** Goes up when a key is attached or detached, so that none is forgotten when the repository is deleted. */
      revision: { type: "number", required: true },
      createdAt: { type: "string", required: true, readOnly: true },
    },
    indexes: {
      byId: {
        pk: { field: "pk", composite: ["accountId"], template: "${accountId}", casing: "none" },
        sk: { field: "sk", composite: ["repositoryId"], template: "repository#${repositoryId}", casing: "none" },
      },
    },
  },
  table,
)

export type RepositoryRow = EntityItem<typeof RepositoryEntity>
