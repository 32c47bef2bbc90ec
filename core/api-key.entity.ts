import { Entity, type EntityItem } from "electrodb"
import { table } from "./aws.ts"

/** Found by the hash of the key, which is all that is known when a request comes in: so it lies outside its account's key. */
export const ApiKeyHashEntity = new Entity(
  {
    model: { service: "dormouse", entity: "api-key", version: "1" },
    attributes: {
      hash: { type: "string", required: true },
      accountId: { type: "string", required: true },
      keyId: { type: "string", required: true },
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

/** What an account sees of its keys. */
export const ApiKeyEntity = new Entity(
  {
    model: { service: "dormouse", entity: "api-key-of-account", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      keyId: { type: "string", required: true },
      name: { type: "string", required: true },
      hash: { type: "string", required: true },
      lastFour: { type: "string", required: true },
      createdAt: { type: "string", required: true, readOnly: true },
    },
    indexes: {
      byId: {
        pk: { field: "pk", composite: ["accountId"], template: "${accountId}", casing: "none" },
        sk: { field: "sk", composite: ["keyId"], template: "api-key#${keyId}", casing: "none" },
      },
    },
  },
  table,
)

export type ApiKeyRow = EntityItem<typeof ApiKeyEntity>
