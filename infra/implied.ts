/**
 * What a role has to be allowed although no code of ours asks for it: AWS does it in the role's name. Each with where AWS says so.
 * Everything else that a role may do has to be seen in use (`seen.json`).
 */

/** A role, as far as it decides what AWS does in its name. */
export interface Holder {
  /** Of the role, without the tenant: `reactions-publish`. */
  name: string
  /** What its function asks for itself. */
  actions: readonly string[]
  /** What Lambda hands to its function. */
  consumes?: "queue" | "stream" | undefined
}

interface Implied {
  to: (holder: Holder) => boolean
  actions: string[]
  /** The page of AWS's documentation. */
  source: string
  why: string
}

/** Roles that are not a function's: a service takes each on for one purpose. */
const services = ["task", "task-execution", "deliveries", "forward", "api-logs"]

const named = (wanted: string) => (holder: Holder) => holder.name === wanted
const consuming = (wanted: Holder["consumes"]) => (holder: Holder) => holder.consumes === wanted
const doing = (wanted: RegExp) => (holder: Holder) => holder.actions.some((action) => wanted.test(action))

/** What whoever sends a log to CloudWatch has to be allowed. None of it takes a resource. */
export const logDelivery = [
  "logs:CreateLogDelivery",
  "logs:GetLogDelivery",
  "logs:UpdateLogDelivery",
  "logs:DeleteLogDelivery",
  "logs:ListLogDeliveries",
  "logs:PutResourcePolicy",
  "logs:DescribeResourcePolicies",
  "logs:DescribeLogGroups",
]

export const implied: Implied[] = [
  {
    to: ({ name }) => !services.includes(name),
    actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
    source: "https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html",
    why: "Lambda writes a function's log with the function's role.",
  },
  {
    to: consuming("queue"),
    actions: ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
    source: "https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html",
    why: "Lambda polls a function's queue with the function's role.",
  },
  {
    to: consuming("stream"),
    actions: ["dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream", "dynamodb:ListStreams"],
    source: "https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html",
    why: "Lambda reads a table's stream with the function's role.",
  },
  {
    to: consuming("stream"),
    actions: ["s3:PutObject", "s3:ListBucket"],
    source: "https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html",
    why: "Lambda puts the records that it gives up into the bucket with the function's role.",
  },
  {
    to: doing(/^(dynamodb|s3|sqs):/),
    actions: ["kms:Decrypt", "kms:GenerateDataKey"],
    source: "https://docs.aws.amazon.com/kms/latest/developerguide/services-dynamodb.html",
    why: "Table, bucket and queues are encrypted with our key, and ask KMS for it in the name of whoever calls them.",
  },
  {
    to: doing(/^s3:GetObject$/),
    actions: ["s3:ListBucket"],
    source: "https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html",
    why: "Without it S3 answers 403 instead of 404 for an object that is not there.",
  },
  {
    to: named("task"),
    actions: ["lambda:InvokeFunction"],
    source: "https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html",
    why: "The state machine calls the functions that its definition names.",
  },
  {
    to: named("task"),
    actions: ["kms:Decrypt", "kms:GenerateDataKey"],
    source: "https://docs.aws.amazon.com/step-functions/latest/dg/encryption-at-rest.html",
    why: "Executions are encrypted with our key.",
  },
  {
    to: named("task"),
    actions: logDelivery,
    source: "https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html",
    why: "Step Functions arranges for its log to be delivered.",
  },
  {
    to: named("task-execution"),
    actions: [
      "ecr:GetAuthorizationToken",
      "ecr:BatchGetImage",
      "ecr:GetDownloadUrlForLayer",
      "ecr:BatchCheckLayerAvailability",
      "logs:CreateLogStream",
      "logs:PutLogEvents",
    ],
    source: "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html",
    why: "ECS pulls a task's images and writes its log.",
  },
  {
    to: named("task-execution"),
    actions: ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"],
    source: "https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html",
    why: "The first pull through a cache has ECR make the image's repository and bring the image, for whoever pulls.",
  },
  {
    to: named("deliveries"),
    actions: ["sqs:SendMessage", "kms:Decrypt", "kms:GenerateDataKey"],
    source: "https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html",
    why: "Scheduler puts into an encrypted queue what is due.",
  },
  {
    to: named("forward"),
    actions: ["events:PutEvents"],
    source: "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-region.html",
    why: "EventBridge sends home what happens in the other region.",
  },
]

/** What this role has to be allowed for AWS's sake. */
export const impliedFor = (holder: Holder): string[] => implied.filter(({ to }) => to(holder)).flatMap(({ actions }) => actions)
