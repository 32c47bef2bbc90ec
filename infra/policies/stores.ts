import { arnOf, every, type Graph, nameOf, text } from "../graph.ts"
import type { Policy } from "../policies.ts"
import { allStatements, type Statement } from "../statements.ts"
import { label } from "./names.ts"

export const stores: Record<string, Policy> = {
  "everything stored at home is encrypted with our key": (graph) => unencrypted(graph).map(label),

  "our keys rotate": (graph) =>
    every(graph, "kms/key:Key")
      .filter(({ inputs }) => inputs.keyUsage !== "GENERATE_VERIFY_MAC" && !inputs.enableKeyRotation)
      .map(label),

  "the services that use a key may use it": (graph) =>
    every(graph, "kms/key:Key").flatMap((key) => {
      const statements = allStatements(graph).filter(({ owner, effect }) => owner.urn === key.urn && effect === "Allow")
      return usesOf(graph, arnOf(key)).flatMap(({ service, actions, told }) =>
        actions
          .filter((action) => !statements.some((statement) => lets(statement, service, action, told)))
          .map((action) => `${label(key)}: ${service} lacks ${action}, asked with ${told ?? "nothing"}`),
      )
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

/** What a service asks of a key in its own name, rather than in that of a role, and what it tells of itself: no other condition can hold. */
interface Use {
  service: string
  actions: string[]
  told?: string
}

const onBehalf = "aws:SourceAccount"
const forBus = "kms:EncryptionContext:aws:events:event-bus:arn"
const dataKey = ["kms:Decrypt", "kms:GenerateDataKey"]

const lets = ({ principal, actions, condition = {} }: Statement, service: string, action: string, told?: string) =>
  servicesIn(principal).includes(service) &&
  actions.includes(action) &&
  Object.values(condition)
    .flatMap(Object.keys)
    .every((name) => name === told)

const servicesIn = (principal: Statement["principal"]) => (typeof principal === "object" ? (principal.Service ?? []) : [])

function usesOf(graph: Graph, key: string): Use[] {
  const logs = every(graph, "cloudwatch/logGroup:LogGroup").filter(({ inputs }) => inputs.kmsKeyId === key)
  const buses = every(graph, "cloudwatch/eventBus:EventBus").filter(({ inputs }) => inputs.kmsKeyIdentifier === key)
  const machines = every(graph, "sfn/stateMachine:StateMachine").filter(
    ({ inputs }) => inputs.encryptionConfiguration?.kmsKeyId === key && inputs.loggingConfiguration,
  )
  const archives = every(graph, "cloudwatch/eventArchive:EventArchive").filter(({ inputs }) => inputs.kmsKeyIdentifier === key)
  const topics = every(graph, "sns/topic:Topic").filter(({ inputs }) => inputs.kmsMasterKeyId === key)
  const queues = every(graph, "sqs/queuePolicy:QueuePolicy").filter(({ inputs }) =>
    every(graph, "sqs/queue:Queue").some(
      (queue) => text(queue, "url") === inputs.queueUrl && queue.inputs.kmsMasterKeyId === key,
    ),
  )
  const events = "events.amazonaws.com"
  return [
    ...topics.map(() => ({ service: "cloudwatch.amazonaws.com", actions: dataKey, told: onBehalf })),
    ...logs.map(({ region }) => ({
      service: `logs.${region}.amazonaws.com`,
      actions: ["kms:Encrypt", ...dataKey, "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:DescribeKey"],
      told: "kms:EncryptionContext:aws:logs:arn",
    })),
    ...machines.map(() => ({
      service: "delivery.logs.amazonaws.com",
      actions: ["kms:Decrypt"],
      told: "kms:EncryptionContext:SourceArn",
    })),
    ...[...buses, ...archives].map(() => ({ service: events, actions: ["kms:DescribeKey"] })),
    ...buses.map(() => ({ service: events, actions: dataKey, told: forBus })),
    ...archives.map(() => ({ service: events, actions: [...dataKey, "kms:ReEncryptFrom", "kms:ReEncryptTo"], told: forBus })),
    ...queues.map(() => ({ service: events, actions: dataKey, told: onBehalf })),
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
