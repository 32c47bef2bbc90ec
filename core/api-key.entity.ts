import { Entity } from "electrodb"
import { table } from "./aws.ts"

/** Found by the hash of the key, which is all that is known when a request comes in: so it lies outside its account's key. */
export const ApiKeyEntity = new Entity(
  {
    model: { service: "dormouse", entity: "api-key", version: "1" },
    attributes: {
      hash: { type: "string", required: true },
      accountId: { type: "string", required: true },
      keyId: { type: "string", required: true },
      createdAt: { type: "string", required: true, readOnly: true },
      revokedAt: { type: "string" },
    },
    indexes: {
      byHash: {
        pk: { field: "pk", composite: ["hash"], template: "api-key#${hash}", casing: "none" },
        sk: { field: "sk", composite: [], template: "api-key", casing: "none" },
      },
    },
  },
  table,
)
