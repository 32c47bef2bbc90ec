import { Entity } from "electrodb"
import { table } from "./aws.ts"

/** The registered task definition of an image in a region. No account's own: an image is the same for all. */
export const TaskDefinitionEntity = new Entity(
  {
    model: { service: "dormouse", entity: "task-definition", version: "1" },
    attributes: {
      /** Hash of everything that goes into the definition. */
      fingerprint: { type: "string", required: true },
      region: { type: "string", required: true },
      arn: { type: "string", required: true },
    },
    indexes: {
      byFingerprint: {
        pk: { field: "pk", composite: ["fingerprint"], template: "task-definition#${fingerprint}", casing: "none" },
        sk: { field: "sk", composite: ["region"], template: "${region}", casing: "none" },
      },
    },
  },
  table,
)
