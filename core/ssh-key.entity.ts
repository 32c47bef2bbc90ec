import { Entity, type EntityItem } from "electrodb"
import { table } from "./aws.ts"

export const SshKeyEntity = new Entity(
  {
    model: { service: "dormouse", entity: "ssh-key", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      sshKeyId: { type: "string", required: true },
      name: { type: "string", required: true },
      description: { type: "string" },
      /** In OpenSSH's format. */
      publicKey: { type: "string", required: true },
      /** The private half; see secret.ts. */
      secretId: { type: "string", required: true },
      /** Goes up with every new link, so that the key is not deleted beside one that nobody has seen. */
      revision: { type: "number", required: true },
      createdAt: { type: "string", required: true, readOnly: true },
    },
    indexes: {
      byId: {
        pk: { field: "pk", composite: ["accountId"], template: "${accountId}", casing: "none" },
        sk: { field: "sk", composite: ["sshKeyId"], template: "ssh-key#${sshKeyId}", casing: "none" },
      },
    },
  },
  table,
)

/** A repository that a key opens. */
export const SshKeyLinkEntity = new Entity(
  {
    model: { service: "dormouse", entity: "ssh-key-link", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      sshKeyId: { type: "string", required: true },
      repositoryId: { type: "string", required: true },
    },
    indexes: {
      byKey: {
        pk: { field: "pk", composite: ["accountId", "sshKeyId"], template: "${accountId}#${sshKeyId}", casing: "none" },
        sk: { field: "sk", composite: ["repositoryId"], template: "repository#${repositoryId}", casing: "none" },
      },
    },
  },
  table,
)

export type SshKeyRow = EntityItem<typeof SshKeyEntity>
