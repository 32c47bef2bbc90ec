import { randomUUID } from "node:crypto"
import * as z from "zod"
import { millis } from "../../core/clock.ts"
import { AwsError } from "../service.ts"
import type { Engine } from "./engine.ts"
import type { Execution } from "./execution.ts"
import { eventView, executionView, itemView, seconds } from "./history.ts"
import { arn, isJson, isName, pageToken, paging, payload, read, readPageToken } from "./input.ts"
import { findMachine, type Machines } from "./machines.ts"

/** How long an ended execution is remembered, and its name taken. */
const retention = 90 * 86_400_000

const failureText = { error: z.string().max(256).optional(), cause: z.string().max(32_768).optional() }
const data = z.enum(["ALL_DATA", "METADATA_ONLY"]).default("ALL_DATA")

const schemas = {
  start: z.object({ stateMachineArn: arn, name: z.string().optional(), input: payload.default("{}") }),
  describe: z.object({ executionArn: arn, includedData: data }),
  list: z.object({
    stateMachineArn: arn,
    statusFilter: z.enum(["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE"]).optional(),
    redriveFilter: z.never().optional(),
    ...paging,
  }),
  history: z.object({
    executionArn: arn,
    reverseOrder: z.boolean().default(false),
    includeExecutionData: z.boolean().default(true),
    ...paging,
  }),
  stop: z.object({ executionArn: arn, ...failureText }),
}

/** The operations on executions. */
export const executionOperations = (engine: Engine, machines: Machines) => ({
  StartExecution: async (given: Record<string, unknown>) => start(engine, machines, read(schemas.start, given)),

  DescribeExecution: async (given: Record<string, unknown>) => {
    const { executionArn, includedData } = read(schemas.describe, given)
    return executionView(find(engine, executionArn), includedData === "ALL_DATA")
  },

  ListExecutions: async (given: Record<string, unknown>) => {
    const { stateMachineArn, statusFilter, maxResults, nextToken } = read(schemas.list, given)
    findMachine(machines, stateMachineArn)
    const question = `${stateMachineArn} ${statusFilter ?? "any"}`
    const before = readPageToken(question, nextToken, Number.MAX_SAFE_INTEGER)
    const found = engine.store.list(stateMachineArn, statusFilter, before, maxResults + 1)
    const page = found.slice(0, maxResults)
    const last = page.at(-1)
    return {
      executions: page.map(itemView),
      ...(last && found.length > maxResults ? { nextToken: pageToken(question, last.number) } : {}),
    }
  },

  GetExecutionHistory: async (given: Record<string, unknown>) => {
    const { executionArn, reverseOrder, includeExecutionData, maxResults, nextToken } = read(schemas.history, given)
    const { number } = find(engine, executionArn)
    const question = `${executionArn} ${reverseOrder}`
    const after = readPageToken(question, nextToken, reverseOrder ? Number.MAX_SAFE_INTEGER : 0)
    const found = engine.store.events(number, reverseOrder, after, maxResults + 1)
    const page = found.slice(0, maxResults)
    const last = page.at(-1)
    const more = last && found.length > maxResults ? { nextToken: pageToken(question, last.id) } : {}
    return { events: page.map((event) => eventView(event, includeExecutionData)), ...more }
  },

  StopExecution: async (given: Record<string, unknown>) => {
    const { executionArn, error, cause } = read(schemas.stop, given)
    find(engine, executionArn)
    await engine.act(executionArn, ({ status }) =>
      status === "RUNNING"
        ? { change: { events: [], end: { status: "ABORTED", error, cause } }, result: true }
        : { result: false },
    )
    const { stoppedAt } = find(engine, executionArn)
    return { stopDate: seconds(stoppedAt ?? millis()) }
  },
})

const find = (engine: Engine, executionArn: string): Execution => {
  if (!/^arn:[^:]+:states:[^:]*:\d*:execution:[^:]+:.+$/.test(executionArn)) {
    throw new AwsError("InvalidArn", `Invalid Arn: 'Invalid ARN: ${executionArn}'`)
  }
  const execution = engine.store.find(executionArn)
  const forgotten = execution?.stoppedAt !== undefined && execution.stoppedAt <= millis() - retention
  if (execution && !forgotten) return execution
  throw new AwsError("ExecutionDoesNotExist", `Execution Does Not Exist: '${executionArn}'`)
}

/** A name is one execution: the same start again is the same execution while it runs, and another one is refused for 90 days. */
const start = (
  engine: Engine,
  machines: Machines,
  { stateMachineArn, name = randomUUID(), input }: z.infer<typeof schemas.start>,
) => {
  const machine = findMachine(machines, stateMachineArn)
  if (!isName(name)) throw new AwsError("InvalidName", `Invalid Name: '${name}'`)
  if (!isJson(input))
    throw new AwsError("InvalidExecutionInput", "Invalid State Machine Execution Input: 'the input is not valid JSON'")
  const at = millis()
  engine.store.forget(at - retention)
  const executionArn = `${stateMachineArn.replace(":stateMachine:", ":execution:")}:${name}`
  const taken = engine.store.find(executionArn)
  if (taken?.status === "RUNNING" && taken.input === input) return { executionArn, startDate: seconds(taken.startedAt) }
  if (taken) throw new AwsError("ExecutionAlreadyExists", `Execution Already Exists: '${executionArn}'`)
  const { definition, role } = machine
  const { startedAt } = engine.begin({
    arn: executionArn,
    machine: stateMachineArn,
    machineName: machine.name,
    name,
    role,
    definition,
    status: "RUNNING",
    input,
    startedAt: at,
    deadline: definition.TimeoutSeconds === undefined ? undefined : at + 1_000 * definition.TimeoutSeconds,
    progress: { state: definition.StartAt, phase: "ready", input: JSON.parse(input), variables: {}, attempt: 0, retries: {} },
  })
  return { executionArn, startDate: seconds(startedAt) }
}
