import { DynamoDBClient } from "@aws-sdk/client-dynamodb"
import { ECSClient } from "@aws-sdk/client-ecs"
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda"
import { HeadObjectCommand, ListObjectsV2Command, S3Client, type S3ServiceException } from "@aws-sdk/client-s3"
import { SFNClient } from "@aws-sdk/client-sfn"
import { DynamoDBDocumentClient, QueryCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb"
import { untilItWorks } from "./until.ts"

/** AWS of a stack, with the operator's keys: what is stored and what runs, read as an operator would. */

export interface Aws {
  /** Where AWS's own protocols are spoken. */
  awsUrl: string
  /** The operator's, which every stack has its own of. */
  credentials: { accessKeyId: string; secretAccessKey: string }
}

export const configOf = ({ awsUrl, credentials }: Aws, region = "us-east-1") => ({
  endpoint: awsUrl,
  region,
  credentials,
  maxAttempts: 1,
})

export const ecsOf = (aws: Aws, region?: string) => new ECSClient(configOf(aws, region))
export const sfnOf = (aws: Aws) => new SFNClient(configOf(aws))
export const tableOf = (aws: Aws) => DynamoDBDocumentClient.from(new DynamoDBClient(configOf(aws)))

/** Invokes a function with an event, and answers what it answers. Rejects with an error of the function's own name. */
export const invoke = async (aws: Aws, name: string, event: unknown): Promise<unknown> => {
  const command = new InvokeCommand({ FunctionName: name, Payload: JSON.stringify(event) })
  const { FunctionError, Payload } = await new LambdaClient(configOf(aws)).send(command)
  const answer = JSON.parse(Buffer.from(Payload!).toString("utf8") || "null")
  if (FunctionError) throw Object.assign(new Error(answer.errorMessage), { name: answer.errorType })
  return answer
}

// biome-ignore lint/suspicious/noExplicitAny: items are looked at as they lie in the table.
export type Item = Record<string, any>

/** The items of a partition whose sort keys begin with `prefix`, in their order. */
export const items = async (aws: Aws, partition: string, prefix = ""): Promise<Item[]> => {
  const { Items = [] } = await tableOf(aws).send(
    new QueryCommand({
      TableName: "dormouse",
      ConsistentRead: true,
      KeyConditionExpression: prefix ? "pk = :pk AND begins_with(sk, :prefix)" : "pk = :pk",
      ExpressionAttributeValues: { ":pk": partition, ...(prefix ? { ":prefix": prefix } : {}) },
    }),
  )
  return Items
}

/** Makes an account's count of running tasks larger, or smaller, as tasks would that are none of the test's. */
export const addRunning = (aws: Aws, accountId: string, count: number) =>
  tableOf(aws).send(
    new UpdateCommand({
      TableName: "dormouse",
      Key: { pk: accountId, sk: "account" },
      UpdateExpression: "ADD running :count",
      ExpressionAttributeValues: { ":count": count },
    }),
  )

/** The keys of the objects in the stack's bucket that begin so. */
export const objects = async (aws: Aws, Prefix: string): Promise<string[]> => {
  const s3 = new S3Client({ ...configOf(aws), forcePathStyle: true })
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: "dormouse-data-000000000000", Prefix }))
  return Contents.map(({ Key }) => Key!)
}

/**
 * Everything of a task once all of it was published, in their order: until then the stream's reader takes marks off events and signals, which
 * a comparison would take for a change.
 */
export const published = (aws: Aws, accountId: string, taskId: string): Promise<Item[]> =>
  untilItWorks(
    async () => {
      const all = await items(aws, `${accountId}#${taskId}`)
      const waiting = all.filter(({ sk, sweepAt }) => /^(event|signal)#/.test(sk) && sweepAt)
      if (waiting.length) throw new Error(`Not published yet: ${waiting.map(({ sk }) => sk)}`)
      return all
    },
    { timeout: 20_000, interval: 30 },
  )

/** Whether an object lies in the stack's bucket: S3's status, 200 or 404. */
export const objectAt = async (aws: Aws, Key: string): Promise<number | undefined> => {
  const s3 = new S3Client({ ...configOf(aws), forcePathStyle: true })
  try {
    return (await s3.send(new HeadObjectCommand({ Bucket: "dormouse-data-000000000000", Key }))).$metadata.httpStatusCode
  } catch (error) {
    return (error as S3ServiceException).$metadata.httpStatusCode
  }
}
