import { UpdateCommand } from "@aws-sdk/lib-dynamodb"
import { type Aws, tableOf } from "./aws.ts"
import { hashOf } from "./container.ts"

/** Leaves a request as a crash after its last transaction leaves it: done, with nobody to say so. */
export const loseAnswer = (aws: Aws, accountId: string, key: string, { lockedForMs = 0 } = {}) =>
  tableOf(aws).send(
    new UpdateCommand({
      TableName: "dormouse",
      Key: { pk: `${accountId}#idempotency#${hashOf(key)}`, sk: "idempotency" },
      UpdateExpression: "SET lockedUntil = :until REMOVE answer",
      ConditionExpression: "attribute_exists(answer)",
      ExpressionAttributeValues: { ":until": lockedForMs ? Date.now() + lockedForMs : 0 },
    }),
  )
