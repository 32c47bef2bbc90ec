import { Entity } from "electrodb"
import { table } from "./aws.ts"

export const kinds = ["provider-key", "ssh-key", "webhook-secret"] as const

export const SecretEntity = new Entity(
  {
    model: { service: "dormouse", entity: "secret", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      secretId: { type: "string", required: true },
      kind: { type: kinds, required: true },
      /** The data key, encrypted by KMS, and what it encrypts; all base64. */
      dataKey: { type: "string", required: true },
      iv: { type: "string", required: true },
      tag: { type: "string", required: true },
      ciphertext: { type: "string", required: true },
    },
    indexes: {
      byId: {
        pk: { field: "pk", composite: ["accountId"], template: "${accountId}", casing: "none" },
        sk: { field: "sk", composite: ["secretId"], template: "secret#${secretId}", casing: "none" },
      },
    },
  },
  table,
)
