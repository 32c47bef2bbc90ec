import * as z from "zod"
import { AwsError } from "../service.ts"
import type { Definition } from "./definition.ts"
import { seconds } from "./history.ts"
import { arn, pageToken, paging, read, readPageToken } from "./input.ts"

/** A state machine that was opened: as it was given, and as it is run. */
export interface Machine {
  name: string
  role: string
  definition: Definition
  source: object
  /** When this machine was first opened, in milliseconds since the epoch. */
  createdAt: number
}

/** By ARN. */
export type Machines = Map<string, Machine>

export const findMachine = (machines: Machines, stateMachineArn: string): Machine => {
  if (!/^arn:[^:]+:states:[^:]*:\d*:stateMachine:.+$/.test(stateMachineArn)) {
    throw new AwsError("InvalidArn", `Invalid Arn: 'Invalid ARN: ${stateMachineArn}'`)
  }
  const machine = machines.get(stateMachineArn)
  if (machine) return machine
  throw new AwsError("StateMachineDoesNotExist", `State Machine Does Not Exist: '${stateMachineArn}'`)
}

const describe = z.object({ stateMachineArn: arn })
const list = z.object(paging)

/** The operations on state machines: they can be read; they are made by the deployment. */
export const machineOperations = (machines: Machines) => ({
  DescribeStateMachine: async (given: Record<string, unknown>) => {
    const { stateMachineArn } = read(describe, given)
    const { name, role, source, createdAt } = findMachine(machines, stateMachineArn)
    return {
      stateMachineArn,
      name,
      status: "ACTIVE",
      definition: JSON.stringify(source),
      roleArn: role,
      type: "STANDARD",
      creationDate: seconds(createdAt),
      loggingConfiguration: { level: "OFF", includeExecutionData: false },
      tracingConfiguration: { enabled: false },
    }
  },

  ListStateMachines: async (given: Record<string, unknown>) => {
    const { maxResults, nextToken } = read(list, given)
    const from = readPageToken("machines", nextToken, 0)
    const all = [...machines].sort(([one], [other]) => (one < other ? -1 : 1))
    const stateMachines = all.slice(from, from + maxResults).map(([stateMachineArn, { name, createdAt }]) => ({
      ...{ stateMachineArn, name, type: "STANDARD", creationDate: seconds(createdAt) },
    }))
    const next = from + maxResults
    return { stateMachines, ...(next < all.length ? { nextToken: pageToken("machines", next) } : {}) }
  },
})
