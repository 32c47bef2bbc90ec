import { randomUUID } from "node:crypto"
import type { HttpResponse } from "@smithy/core/protocols"
import { type Call, Client, type Command, type Input } from "./client.ts"
import { named } from "./error.ts"
import { converting, membersOf, toSeconds } from "./json.ts"

export class SchedulerClient extends Client {
  protected override readonly service = { host: "scheduler", signed: "scheduler" }
}

const dates = converting(["StartDate", "EndDate"], toSeconds)

export class CreateScheduleCommand implements Command {
  readonly input: Input

  constructor(input: Input) {
    this.input = input
  }

  call({ Name, ClientToken = randomUUID(), ...members }: Input): Call {
    return {
      method: "POST",
      path: `/schedules/${encodeURIComponent(Name)}`,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ClientToken, ...dates(members) }),
    }
  }

  output(response: HttpResponse) {
    return membersOf(response)
  }
}

export const ConflictException = named("ConflictException")
