import { Client, type Input } from "./client.ts"
import { named } from "./error.ts"
import { converting, fromSeconds, jsonCommand } from "./json.ts"

export class ECSClient extends Client {
  protected override readonly service = { host: "ecs", signed: "ecs" }
}

const dates = converting(
  ["createdAt", "startedAt", "stoppedAt", "stoppingAt", "pullStartedAt", "pullStoppedAt", "connectivityAt", "executionStoppedAt"],
  fromSeconds,
)
const definitionDates = converting(["registeredAt", "deregisteredAt"], fromSeconds)
const ecs = { target: "AmazonEC2ContainerServiceV20141113", version: "1.1" } as const

export const RegisterTaskDefinitionCommand = jsonCommand("RegisterTaskDefinition", {
  ...ecs,
  output: converting(["taskDefinition"], definitionDates),
})
export const RunTaskCommand = jsonCommand("RunTask", {
  ...ecs,
  output: converting(["tasks"], (tasks: Input[]) => tasks.map(dates)),
})
export const ListTasksCommand = jsonCommand("ListTasks", ecs)
export const StopTaskCommand = jsonCommand("StopTask", { ...ecs, output: converting(["task"], dates) })

export const InvalidParameterException = named("InvalidParameterException")
export const ConflictException = named("ConflictException")
