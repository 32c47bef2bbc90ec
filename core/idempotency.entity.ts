import { Entity, type EntityItem } from "electrodb"
import { table } from "./aws.ts"

/** A request that came with an idempotency key. Found by the hash of the key, so that any text may be one. */
export const IdempotencyEntity = new Entity(
  {
    model: { service: "dormouse", entity: "idempotency", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      keyHash: { type: "string", required: true },
      /** Hash of what was asked: route, path, query and body. */
      fingerprint: { type: "string", required: true },
      /** Whoever carries the request out knows it; changes with every attempt. */
      token: { type: "string", required: true },
      /** The moment in which the request is carried out, in milliseconds: its ids and times come from it. */
      startedAt: { type: "number", required: true },
      /** Until then nobody else takes the request up, in milliseconds. */
      lockedUntil: { type: "number", required: true },
      /** Transactions of the request that are committed. Counted in those transactions themselves. */
      steps: { type: "number", required: true },
      /** What was answered, sealed; as text.ts keeps it. */
      answer: { type: "string" },
      expiresAt: { type: "number", required: true },
    },
    indexes: {
      byKey: {
        pk: {
          field: "pk",
          composite: ["accountId", "keyHash"],
          template: "${accountId}#idempotency#${keyHash}",
          casing: "none",
        },
        sk: { field: "sk", composite: [], template: "idempotency", casing: "none" },
      },
    },
  },
  table,
)

export type IdempotencyRow = EntityItem<typeof IdempotencyEntity>
