import type * as aws from "@pulumi/aws"
import type { Home } from "./home.ts"
import type { IsolatedNetwork } from "./isolated.ts"
import type { Queues } from "./queues.ts"
import type { Runtimes } from "./runtime.ts"
import type { Schedules } from "./schedules.ts"

/** What functions are made of and with. */
export interface Parts {
  home: Home
  keys: { data: aws.kms.Key; mac: aws.kms.Key }
  table: aws.dynamodb.Table
  bucket: aws.s3.Bucket
  bus: aws.cloudwatch.EventBus
  /** Where alarms go. */
  topic: aws.sns.Topic
  queues: Queues
  /** What the bus and the rules at home could not deliver. */
  undelivered: aws.sqs.Queue
  schedules: Schedules
  runtimes: Runtimes
  isolated?: IsolatedNetwork
  executionRole: aws.iam.Role
  registry: aws.ecr.Repository
}
