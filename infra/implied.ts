/**
 * What a role has to be allowed although no code of ours asks for it: AWS does it in the role's name. Each with where AWS says so.
 * Everything else that a role may do has to be seen in use (`npm run permissions`).
 */

interface Implied {
  actions: string[]
  /** The page of AWS's documentation. */
  source: string
  why: string
}

export const implied: Implied[] = [
  {
    actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
    source: "https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html",
    why: "Lambda writes a function's log with the function's role.",
  },
  {
    actions: ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
    source: "https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html",
    why: "Lambda polls a function's queue with the function's role.",
  },
  {
    actions: ["dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream", "dynamodb:ListStreams"],
    source: "https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html",
    why: "Lambda reads a table's stream with the function's role.",
  },
  {
    actions: ["kms:Decrypt", "kms:GenerateDataKey"],
    source: "https://docs.aws.amazon.com/kms/latest/developerguide/services-dynamodb.html",
    why: "Table, bucket and queues are encrypted with our key, and ask KMS for it in the name of whoever calls them.",
  },
  {
    actions: ["s3:ListBucket"],
    source: "https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html",
    why: "Without it S3 answers 403 instead of 404 for an object that is not there.",
  },
]
