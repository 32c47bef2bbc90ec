import * as z from "zod"
import { millis } from "../../core/clock.ts"
import { AwsError } from "../service.ts"
import { type Engine, taskOver } from "./engine.ts"
import type { Change, Execution } from "./execution.ts"
import { isJson, payload, read } from "./input.ts"
import { executionOfToken } from "./token.ts"

const taskToken = z.string().min(1).max(2_048)
const schemas = {
  success: z.object({ taskToken, output: payload }),
  failure: z.object({ taskToken, error: z.string().max(256).optional(), cause: z.string().max(32_768).optional() }),
  heartbeat: z.object({ taskToken }),
}

/** The operations by which a task's worker reports. They answer once what they said has been committed. */
export const taskOperations = (engine: Engine) => ({
  SendTaskSuccess: async (given: Record<string, unknown>) => {
    const { taskToken, output } = read(schemas.success, given)
    if (!isJson(output)) throw new AwsError("InvalidOutput", "Invalid Output: 'the output is not valid JSON'")
    return report(engine, taskToken, (execution) => taskOver(execution, { output }))
  },

  SendTaskFailure: async (given: Record<string, unknown>) => {
    const { taskToken, error = "States.TaskFailed", cause } = read(schemas.failure, given)
    return report(engine, taskToken, (execution) => taskOver(execution, { failure: { error, cause } }))
  },

  SendTaskHeartbeat: async (given: Record<string, unknown>) => {
    const { taskToken } = read(schemas.heartbeat, given)
    return report(engine, taskToken, heartbeat)
  },
})

const heartbeat = ({ progress }: Execution): Change => {
  const { heartbeatMs } = progress
  return { events: [], progress: heartbeatMs === undefined ? progress : { ...progress, heartbeatAt: millis() + heartbeatMs } }
}

/** A token is good from the moment its task is scheduled until the task is over, however it ended. */
const report = async (engine: Engine, token: string, change: (execution: Execution) => Change) => {
  const known = await engine.act(executionOfToken(token), (execution) =>
    execution.status === "RUNNING" && execution.progress.token === token
      ? { change: change(execution), result: "open" }
      : { result: "over" },
  )
  if (known === undefined) throw new AwsError("TaskDoesNotExist", "Task Does Not Exist: 'Provided task does not exist'")
  if (known === "over") throw new AwsError("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
  return {}
}
