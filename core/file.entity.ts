import { Entity, type EntityItem } from "electrodb"
import { table } from "./aws.ts"

/** A file that a customer has uploaded. Its bytes never change. */
export const FileEntity = new Entity(
  {
    model: { service: "dormouse", entity: "file", version: "1" },
    attributes: {
      accountId: { type: "string", required: true },
      fileId: { type: "string", required: true },
      filename: { type: "string", required: true },
      contentType: { type: "string" },
      sizeBytes: { type: "number", required: true },
      objectKey: { type: "string", required: true },
      /** Agents that have it among the reference files of their current version, or had when they were archived. */
      agentIds: { type: "set", items: "string" },
      createdAt: { type: "string", required: true, readOnly: true },
      /** From then on it is gone for its owner. Its bytes stay for a while, for tasks that were given it before. */
      deletedAt: { type: "string" },
      /** When the sweeper deletes the bytes of a deleted file. */
      sweepShard: { type: "string" },
      sweepAt: { type: "string" },
    },
    indexes: {
      byId: {
        pk: { field: "pk", composite: ["accountId"], template: "${accountId}#files", casing: "none" },
        sk: { field: "sk", composite: ["fileId"], template: "file#${fileId}", casing: "none" },
      },
      dueForSweep: {
        index: "sweep",
        pk: { field: "sweepPk", composite: ["sweepShard"], template: "sweep-files#${sweepShard}", casing: "none" },
        sk: { field: "sweepSk", composite: ["sweepAt"], template: "${sweepAt}", casing: "none" },
      },
    },
  },
  table,
)

export type FileRow = EntityItem<typeof FileEntity>
