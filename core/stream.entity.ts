import { Entity } from "electrodb"
import { table } from "./aws.ts"

/** A place for one open stream of an account. It is free again when the stream lets go of it, or when its time is over. */
export const StreamEntity = new Entity(
  {
    model: { service: "dormouse", entity: "stream", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      place: { type: "number", required: true, padding: { length: 4, char: "0" } },
      streamId: { type: "string", required: true },
      /** Milliseconds since the epoch. */
      until: { type: "number", required: true },
      expiresAt: { type: "number", required: true },
    },
    indexes: {
      byPlace: {
        pk: { field: "pk", composite: ["accountId"], template: "${accountId}#streams", casing: "none" },
        sk: { field: "sk", composite: ["place"], template: "stream#${place}", casing: "none" },
      },
    },
  },
  table,
)
