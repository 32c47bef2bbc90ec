import { Entity, type EntityItem } from "electrodb"
import { providers } from "./agent.entity.ts"
import { table } from "./aws.ts"

export const billingModes = ["standard", "unlimited_grant"] as const

export const AccountEntity = new Entity(
  {
    model: { service: "dormouse", entity: "account", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      name: { type: "string" },
      email: { type: "string" },
      billingMode: { type: billingModes, required: true },
      /** Whose models run agents that name no provider. */
      defaultProvider: { type: providers },
      /** Credit left after reservations, in millionths of a US dollar. May be below zero: a task is charged in full. */
      balanceMicros: { type: "number", required: true },
      /** Of files, and of uploads that were prepared and not completed yet; the latter are in `uploadBytes` as well. */
      fileBytes: { type: "number", required: true, default: 0 },
      uploadBytes: { type: "number", required: true, default: 0 },
      checkpointBytes: { type: "number", required: true, default: 0 },
      /** Tasks that have a container, or for which one is being started. */
      running: { type: "number", required: true, default: 0 },
      /** How many there are. */
      webhooks: { type: "number", required: true, default: 0 },
      createdAt: { type: "string", required: true, readOnly: true },
    },
    indexes: {
      byId: {
        pk: { field: "pk", composite: ["accountId"], template: "${accountId}", casing: "none" },
        sk: { field: "sk", composite: [], template: "account", casing: "none" },
      },
    },
  },
  table,
)

export type AccountRow = EntityItem<typeof AccountEntity>
