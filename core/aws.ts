import { DynamoDBClient } from "@aws-sdk/client-dynamodb"
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb"

/** A value of the function's deployed environment. A missing one is a fault of the stack, found at the first call. */
export const setting = (name: string) => {
  const value = process.env[name]
  if (!value) throw new Error(`The environment variable ${name} is not set`)
  return value
}

/** The client of the one table. Retries are the SDK's own, except for transaction conflicts: see `transaction.ts`. */
export const documents = DynamoDBDocumentClient.from(new DynamoDBClient({}), { marshallOptions: { removeUndefinedValues: true } })

/** Where every entity lies. */
export const table = { client: documents, table: process.env.TABLE_NAME ?? "dormouse" }
