import type { Execution } from "./execution.ts"
import type { StoredEvent } from "./store.ts"

/** How AWS shows executions: in answers, in the history, and on the bus. */

/** Seconds since the epoch, as AWS's JSON protocols carry times. */
export const seconds = (time: number) => time / 1_000

const detailsName = (type: string) => {
  if (type.endsWith("StateEntered")) return "stateEnteredEventDetails"
  if (type.endsWith("StateExited")) return "stateExitedEventDetails"
  return `${type.charAt(0).toLowerCase()}${type.slice(1)}EventDetails`
}

const data = new Set([
  "input",
  "inputDetails",
  "output",
  "outputDetails",
  "parameters",
  "assignedVariables",
  "assignedVariablesDetails",
  "error",
  "cause",
])

const withoutData = (details: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(details).filter(([key]) => !data.has(key)))

/** One event of GetExecutionHistory; the payloads are left out on demand. */
export const eventView = ({ id, at, type, details }: StoredEvent, includeData: boolean) => ({
  timestamp: seconds(at),
  type,
  id,
  // One thing happens after the other; only the first state has nothing that it follows.
  previousEventId: id <= 2 ? 0 : id - 1,
  [detailsName(type)]: includeData ? details : withoutData(details),
})

const times = ({ startedAt, stoppedAt }: Execution) => ({
  startDate: seconds(startedAt),
  ...(stoppedAt === undefined ? {} : { stopDate: seconds(stoppedAt) }),
})

/** An item of ListExecutions. */
export const itemView = (execution: Execution) => ({
  executionArn: execution.arn,
  stateMachineArn: execution.machine,
  name: execution.name,
  status: execution.status,
  ...times(execution),
  redriveCount: 0,
})

const noRedrive = ({ status }: Execution) => ({
  redriveStatus: "NOT_REDRIVABLE",
  redriveStatusReason:
    status === "RUNNING" || status === "SUCCEEDED"
      ? `Execution is ${status} and cannot be redriven`
      : "Executions are not redriven here",
})

/** DescribeExecution. */
export const executionView = (execution: Execution, includeData: boolean) => {
  const { input, output, error, cause } = execution
  const given = {
    input,
    inputDetails: { included: true },
    ...(output === undefined ? {} : { output, outputDetails: { included: true } }),
  }
  const problem = { ...(error === undefined ? {} : { error }), ...(cause === undefined ? {} : { cause }) }
  return { ...itemView(execution), ...noRedrive(execution), ...(includeData ? { ...given, ...problem } : {}) }
}

/** Input and output are left out of an event together when they would make it too large for the bus. */
const largestEvent = 248 * 1_024

/** The detail of EventBridge's "Step Functions Execution Status Change". Times are milliseconds since the epoch. */
export const statusChange = (execution: Execution): Record<string, unknown> => {
  const { arn, machine, name, status, startedAt, stoppedAt = null, input, output = null, error = null, cause = null } = execution
  const included = Buffer.byteLength(JSON.stringify([input, output])) <= largestEvent
  return {
    executionArn: arn,
    stateMachineArn: machine,
    name,
    status,
    startDate: startedAt,
    stopDate: stoppedAt,
    input: included ? input : null,
    output: included ? output : null,
    inputDetails: { included },
    outputDetails: output === null ? null : { included },
    stateMachineVersionArn: null,
    stateMachineAliasArn: null,
    redriveCount: 0,
    redriveDate: null,
    ...noRedrive(execution),
    error,
    cause,
  }
}
