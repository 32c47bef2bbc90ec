import { arnOf, every, type Graph, nameOf, text } from "../graph.ts"
import type { Policy } from "../policies.ts"
import { allStatements } from "../statements.ts"
import { label } from "./names.ts"

export const stores: Record<string, Policy> = {
  "everything stored at home is encrypted with our key": (graph) => unencrypted(graph).map(label),

  "our keys rotate": (graph) =>
    every(graph, "kms/key:Key")
      .filter(({ inputs }) => inputs.keyUsage !== "GENERATE_VERIFY_MAC" && !inputs.enableKeyRotation)
      .map(label),

  "the services that use a key may use it": (graph) =>
    every(graph, "kms/key:Key").flatMap((key) => {
      const allowed = allStatements(graph)
        .filter(({ owner, effect }) => owner.urn === key.urn && effect === "Allow")
        .flatMap(({ principal }) => (typeof principal === "object" ? (principal.Service ?? []) : []))
      return servicesUsing(graph, arnOf(key))
        .filter((service) => !allowed.includes(service))
        .map((service) => `${label(key)}: ${service} may not use it`)
    }),

  "every log group forgets": (graph) =>
    every(graph, "cloudwatch/logGroup:LogGroup")
      .filter(({ inputs }) => !inputs.retentionInDays)
      .map(label),

  "every function writes to a log group of ours": (graph) => {
    const ours = new Set(every(graph, "cloudwatch/logGroup:LogGroup").map(nameOf))
    return every(graph, "lambda/function:Function")
      .filter(({ inputs }) => !ours.has(inputs.loggingConfig?.logGroup ?? ""))
      .map(label)
  },

  "buckets are closed to the public and to plain HTTP": (graph) =>
    every(graph, "s3/bucket:Bucket")
      .filter((bucket) => !closed(graph, text(bucket, "bucket")))
      .map(label),

  "tables and buckets cannot be lost by accident": (graph) => [
    ...every(graph, "dynamodb/table:Table")
      .filter(({ inputs, protect }) => !inputs.pointInTimeRecovery?.enabled || !inputs.deletionProtectionEnabled || !protect)
      .map(label),
    ...every(graph, "s3/bucket:Bucket")
      .filter(({ inputs, protect }) => inputs.forceDestroy || !protect)
      .map(label),
  ],
}

/**
 * A key encrypts only in its own region. Away from home there are logs and undelivered events, which CloudWatch and SQS encrypt by
 * themselves, and alarms.
 */
function unencrypted(graph: Graph) {
  const encryptedBuckets = new Set(
    every(graph, "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration")
      .filter(({ inputs }) => inputs.rules.every((rule) => rule.applyServerSideEncryptionByDefault?.kmsMasterKeyId))
      .map(({ inputs }) => inputs.bucket),
  )
  return [
    ...every(graph, "dynamodb/table:Table").filter(({ inputs }) => !inputs.serverSideEncryption?.kmsKeyArn),
    ...every(graph, "cloudwatch/logGroup:LogGroup").filter(({ inputs, region }) => region === graph.region && !inputs.kmsKeyId),
    ...every(graph, "cloudwatch/eventBus:EventBus").filter(({ inputs }) => !inputs.kmsKeyIdentifier),
    ...every(graph, "sfn/stateMachine:StateMachine").filter(({ inputs }) => !inputs.encryptionConfiguration?.kmsKeyId),
    ...every(graph, "sns/topic:Topic").filter(({ inputs, region }) => region === graph.region && !inputs.kmsMasterKeyId),
    ...every(graph, "sqs/queue:Queue").filter(({ inputs, region }) =>
      region === graph.region ? !inputs.kmsMasterKeyId : !inputs.sqsManagedSseEnabled,
    ),
    ...every(graph, "s3/bucket:Bucket").filter((bucket) => !encryptedBuckets.has(text(bucket, "bucket"))),
  ]
}

/** Services that use a key in their own name, rather than in that of a role. */
function servicesUsing(graph: Graph, key: string): string[] {
  const logs = every(graph, "cloudwatch/logGroup:LogGroup").filter(({ inputs }) => inputs.kmsKeyId === key)
  const buses = every(graph, "cloudwatch/eventBus:EventBus").filter(({ inputs }) => inputs.kmsKeyIdentifier === key)
  const machines = every(graph, "sfn/stateMachine:StateMachine").filter(
    ({ inputs }) => inputs.encryptionConfiguration?.kmsKeyId === key && inputs.loggingConfiguration,
  )
  const topics = every(graph, "sns/topic:Topic").filter(({ inputs }) => inputs.kmsMasterKeyId === key)
  return [
    ...(topics.length ? ["cloudwatch.amazonaws.com"] : []),
    ...new Set(logs.map(({ region }) => `logs.${region}.amazonaws.com`)),
    ...(buses.length ? ["events.amazonaws.com"] : []),
    ...(machines.length ? ["delivery.logs.amazonaws.com"] : []),
  ]
}

function closed(graph: Graph, bucket: string): boolean {
  const blocked = every(graph, "s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
    .filter(({ inputs }) => inputs.bucket === bucket)
    .some(
      ({ inputs }) =>
        inputs.blockPublicAcls && inputs.blockPublicPolicy && inputs.ignorePublicAcls && inputs.restrictPublicBuckets,
    )
  const tls = allStatements(graph)
    .filter(({ effect, resources }) => effect === "Deny" && resources.includes(`arn:aws:s3:::${bucket}/*`))
    .some(({ condition }) => condition?.Bool?.["aws:SecureTransport"] === "false")
  return blocked && tls
}
