import * as aws from "@pulumi/aws"
import { type Lambdas, lambda } from "./lambda.ts"
import type { Parts } from "./parts.ts"

/** New events and signals, deliveries that were asked for, and credit; everything else that changes in the table is nobody's news. */
const images = [
  { __edb_e__: { S: ["event", "signal"] } },
  { __edb_e__: { S: ["delivery"] }, isRequested: { BOOL: [true] } },
  { __edb_e__: { S: ["ledger"] }, kind: { S: ["credit"] } },
]

/** The table's stream and its one consumer. What it cannot process ends in the bucket, whole. */
export function consumeStream({ table, bucket }: Parts, lambdas: Lambdas) {
  const publish = lambda(lambdas, "reactions/publish")
  return new aws.lambda.EventSourceMapping(
    "publish",
    {
      eventSourceArn: table.streamArn,
      functionName: publish.function.arn,
      startingPosition: "TRIM_HORIZON",
      batchSize: 25,
      maximumBatchingWindowInSeconds: 0,
      parallelizationFactor: 10,
      filterCriteria: {
        filters: images.map((NewImage) => ({ pattern: JSON.stringify({ eventName: ["INSERT"], dynamodb: { NewImage } }) })),
      },
      bisectBatchOnFunctionError: true,
      maximumRetryAttempts: 10,
      functionResponseTypes: ["ReportBatchItemFailures"],
      // For the alarm: how many records were given up.
      metricsConfig: { metrics: ["EventCount"] },
      destinationConfig: { onFailure: { destinationArn: bucket.arn } },
    },
    { dependsOn: [publish.policy] },
  )
}
