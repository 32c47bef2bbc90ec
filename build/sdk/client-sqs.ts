import { Client } from "./client.ts"
import { jsonCommand } from "./json.ts"

export class SQSClient extends Client {
  protected override readonly service = { host: "sqs", signed: "sqs" }
}

export const SendMessageCommand = jsonCommand("SendMessage", {
  target: "AmazonSQS",
  version: "1.0",
  // Errors are to have the names that they had in the older protocol.
  headers: { "x-amzn-query-mode": "true" },
})
