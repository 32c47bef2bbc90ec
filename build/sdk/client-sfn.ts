import { Client } from "./client.ts"
import { named } from "./error.ts"
import { converting, fromSeconds, jsonCommand } from "./json.ts"

export class SFNClient extends Client {
  protected override readonly service = { host: "states", signed: "states" }
}

const states = {
  target: "AWSStepFunctions",
  version: "1.0",
  output: converting(["startDate", "stopDate", "redriveDate"], fromSeconds),
} as const

export const DescribeExecutionCommand = jsonCommand("DescribeExecution", states)
export const SendTaskFailureCommand = jsonCommand("SendTaskFailure", states)
export const SendTaskHeartbeatCommand = jsonCommand("SendTaskHeartbeat", states)
export const SendTaskSuccessCommand = jsonCommand("SendTaskSuccess", states)
export const StartExecutionCommand = jsonCommand("StartExecution", states)

export const ExecutionAlreadyExists = named("ExecutionAlreadyExists")
export const ExecutionDoesNotExist = named("ExecutionDoesNotExist")
export const InvalidToken = named("InvalidToken")
export const TaskDoesNotExist = named("TaskDoesNotExist")
export const TaskTimedOut = named("TaskTimedOut")
