import { Entity, type EntityItem } from "electrodb"
import { table } from "./aws.ts"

/** A file on its way in: what was announced of it, and the file that it has become. */
export const UploadEntity = new Entity(
  {
    model: { service: "dormouse", entity: "upload", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      uploadId: { type: "string", required: true },
      status: { type: ["prepared", "completed", "expired"] as const, required: true },
      filename: { type: "string", required: true },
      contentType: { type: "string" },
      /** As announced; what was not announced is not known before it is there. */
      sizeBytes: { type: "number" },
      sha256: { type: "string" },
      objectKey: { type: "string", required: true },
      /** What it has become. */
      fileId: { type: "string" },
      createdAt: { type: "string", required: true, readOnly: true },
      /** When the sweeper gives up on it. Gone once it is completed, or nothing of it is left. */
      sweepShard: { type: "string" },
      sweepAt: { type: "string" },
      /** When the table forgets the row, long after it is of use: in seconds. Only set once it holds no quota any more. */
      expiresAt: { type: "number" },
    },
    indexes: {
      byId: {
        pk: { field: "pk", composite: ["accountId"], template: "${accountId}#uploads", casing: "none" },
        sk: { field: "sk", composite: ["uploadId"], template: "upload#${uploadId}", casing: "none" },
      },
      dueForSweep: {
        index: "sweep",
        pk: { field: "sweepPk", composite: ["sweepShard"], template: "sweep-uploads#${sweepShard}", casing: "none" },
        sk: { field: "sweepSk", composite: ["sweepAt"], template: "${sweepAt}", casing: "none" },
      },
    },
  },
  table,
)

export type UploadRow = EntityItem<typeof UploadEntity>
