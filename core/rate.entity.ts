import { Entity } from "electrodb"
import { table } from "./aws.ts"

/** How much of its rate an API key has used, as all functions together know it. */
export const RateEntity = new Entity(
  {
    model: { service: "dormouse", entity: "rate", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      keyId: { type: "string", required: true },
      /** When the key would have its whole burst again, in milliseconds. */
      dueAt: { type: "number", required: true },
      expiresAt: { type: "number", required: true },
    },
    indexes: {
      byKey: {
        pk: { field: "pk", composite: ["accountId", "keyId"], template: "${accountId}#rate#${keyId}", casing: "none" },
        sk: { field: "sk", composite: [], template: "rate", casing: "none" },
      },
    },
  },
  table,
)
