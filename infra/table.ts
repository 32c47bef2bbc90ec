import * as aws from "@pulumi/aws"
import type { Home } from "./home.ts"

/** Attributes under which ElectroDB keeps the name and the version of an item's entity. */
const entity = ["__edb_e__", "__edb_v__"]

/** An index per question, with the attributes that its answer shows. Its keys are `<name>Pk` and `<name>Sk`. */
const indexes = [
  { name: "tasksByAgent", shows: ["accountId", "taskId", "status", "mode"] },
  { name: "tasksByAccount", shows: ["accountId", "taskId", "agentId", "status", "mode", "createdAt"] },
  { name: "ongoingTasks", shows: ["accountId", "taskId", "agentId", "status", "mode", "createdAt"] },
  { name: "deliveriesByWebhook", shows: ["accountId", "webhookId", "deliveryId"] },
  { name: "sweep", shows: ["accountId", "taskId", "deliveryId", "uploadId", "fileId"] },
]

/** The one table. */
export function createTable(home: Home, key: aws.kms.Key) {
  const keys = ["pk", "sk", ...indexes.flatMap(({ name }) => [`${name}Pk`, `${name}Sk`])]
  return new aws.dynamodb.Table(
    "table",
    {
      name: home.tenant,
      billingMode: "PAY_PER_REQUEST",
      hashKey: "pk",
      rangeKey: "sk",
      attributes: keys.map((name) => ({ name, type: "S" })),
      globalSecondaryIndexes: indexes.map(({ name, shows }) => ({
        name,
        keySchemas: [
          { attributeName: `${name}Pk`, keyType: "HASH" },
          { attributeName: `${name}Sk`, keyType: "RANGE" },
        ],
        projectionType: "INCLUDE",
        nonKeyAttributes: [...shows, ...entity],
      })),
      ttl: { enabled: true, attributeName: "expiresAt" },
      streamEnabled: true,
      streamViewType: "NEW_IMAGE",
      pointInTimeRecovery: { enabled: true },
      serverSideEncryption: { enabled: true, kmsKeyArn: key.arn },
      deletionProtectionEnabled: true,
    },
    { protect: true },
  )
}
