import { Client, type Options } from "./client.ts"
import { named } from "./error.ts"

export class DynamoDBClient extends Client {
  protected override readonly service = { host: "dynamodb", signed: "dynamodb" }

  /** Every function calls it first. */
  constructor(options?: Options) {
    super(options)
    this.connect()
  }
}

export const TransactionCanceledException = named("TransactionCanceledException")
