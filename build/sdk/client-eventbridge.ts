import { Client, type Input } from "./client.ts"
import { converting, jsonCommand, toSeconds } from "./json.ts"

export class EventBridgeClient extends Client {
  protected override readonly service = { host: "events", signed: "events" }
}

const entry = converting(["Time"], toSeconds)

export const PutEventsCommand = jsonCommand("PutEvents", {
  target: "AWSEvents",
  version: "1.1",
  input: converting(["Entries"], (entries: Input[]) => entries.map(entry)),
})
