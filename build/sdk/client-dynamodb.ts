import { Client } from "./client.ts"
import { named } from "./error.ts"

export class DynamoDBClient extends Client {
  protected override readonly service = { host: "dynamodb", signed: "dynamodb" }
}

export const TransactionCanceledException = named("TransactionCanceledException")
