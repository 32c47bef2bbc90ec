import { millis } from "../../core/clock.ts"
import { AwsError, type JsonService } from "../service.ts"
import { readDefinition } from "./definition.ts"
import { Engine, type Surroundings } from "./engine.ts"
import { executionOperations } from "./executions.ts"
import { type Machines, machineOperations } from "./machines.ts"
import { openStore } from "./store.ts"
import { taskOperations } from "./tasks.ts"

export interface StepFunctionsOptions extends Surroundings {
  /** The SQLite file that holds everything; made when it is not there. */
  path: string
  /** By state machine ARN. */
  machines: Record<string, { name: string; role: string; definition: object }>
}

export interface StepFunctions extends JsonService {
  /** Begins, or goes on with what was running when the process ended. */
  start(): void
  /** Lets the transition that is under way finish, and closes the file. */
  close(): Promise<void>
}

/** Opens Step Functions over a file. Throws for a machine that cannot run here: only JSONata, and no Parallel or Map. */
export const openStepFunctions = ({ path, machines: given, ...surroundings }: StepFunctionsOptions): StepFunctions => {
  const definitions = Object.entries(given).map(([arn, { name, definition }]) => [arn, readDefinition(name, definition)] as const)
  const store = openStore(path)
  const machines: Machines = new Map()
  for (const [arn, definition] of definitions) {
    const { name, role, definition: source } = given[arn]!
    machines.set(arn, { name, role, definition, source, createdAt: store.machineCreated(arn, millis()) })
  }
  const engine = new Engine(store, surroundings)
  const operations: Record<string, (input: Record<string, unknown>) => Promise<object>> = {
    ...executionOperations(engine, machines),
    ...taskOperations(engine),
    ...machineOperations(machines),
  }

  return {
    target: "AWSStepFunctions",
    contentType: "application/x-amz-json-1.0",
    call: async (operation, input) => {
      const carryOut = Object.hasOwn(operations, operation) ? operations[operation] : undefined
      if (!carryOut) throw new AwsError("UnknownOperationException", `Step Functions here does not know ${operation}.`)
      return carryOut(input)
    },
    start: () => engine.start(),
    close: () => engine.close(),
  }
}
