import { AwsError, type Caller, type JsonService } from "#local/service.ts"

/**
 * Fargate of a world whose time is simulated: a process would take real time. A container is a row here, and what it does is done by the
 * test. One that is asked to stop and does not end by itself is killed when its time is over.
 */

export interface Container {
  arn: string
  region: string
  cluster: string
  startedBy: string
  environment: Record<string, string>
  /** Milliseconds since the epoch. */
  startedAt: number
  stopAskedAt?: number
  stoppedAt?: number
}

export interface Exit {
  exitCode?: number
  reason?: string
}

type Input = Record<string, unknown>

/** Between SIGTERM and SIGKILL, as the task definition has it. */
const stopTimeoutMs = 120_000

interface Overrides {
  containerOverrides: { environment: { name: string; value: string }[] }[]
}

/** `onStopped` is what ECS tells EventBridge. */
export const openFargate = (onStopped: (region: string, detail: Input) => void) => {
  const containers: Container[] = []
  const byToken = new Map<string, Container>()

  const exit = (container: Container, { exitCode = 0, reason }: Exit = {}) => {
    if (container.stoppedAt !== undefined) return
    container.stoppedAt = Date.now()
    const { cluster: clusterArn, startedBy, region } = container
    const agent = { name: "agent", exitCode, ...(reason === undefined ? {} : { reason }) }
    const stoppedReason = "Essential container in task exited"
    onStopped(region, { clusterArn, lastStatus: "STOPPED", startedBy, stoppedReason, containers: [agent] })
  }

  const run = ({ clientToken, cluster, startedBy, overrides }: Input, { region }: Caller) => {
    const known = byToken.get(String(clientToken))
    if (known) return known
    const { environment } = (overrides as Overrides).containerOverrides[0]!
    const container: Container = {
      arn: `arn:aws:ecs:${region}:000000000000:task/dormouse-task/${containers.length + 1}`,
      region,
      cluster: String(cluster),
      startedBy: String(startedBy),
      environment: Object.fromEntries(environment.map(({ name, value }) => [name, value])),
      startedAt: Date.now(),
    }
    containers.push(container)
    byToken.set(String(clientToken), container)
    return container
  }

  const stop = ({ task }: Input) => {
    const container = containers.find(({ arn }) => arn === task)
    if (!container) throw new AwsError("InvalidParameterException", "The referenced task was not found.")
    if (container.stoppedAt === undefined && container.stopAskedAt === undefined) {
      container.stopAskedAt = Date.now()
      setTimeout(() => exit(container, { exitCode: 137 }), stopTimeoutMs)
    }
    return { task: { taskArn: container.arn } }
  }

  const list = ({ startedBy }: Input) =>
    containers.filter((it) => it.startedBy === startedBy && it.stoppedAt === undefined).map(({ arn }) => arn)

  const operations: Record<string, (input: Input, caller: Caller) => object> = {
    RegisterTaskDefinition: ({ family }, { region }) => ({
      taskDefinition: { taskDefinitionArn: `arn:aws:ecs:${region}:000000000000:task-definition/${family}:1` },
    }),
    RunTask: (input, caller) => ({ tasks: [{ taskArn: run(input, caller).arn }], failures: [] }),
    ListTasks: (input) => ({ taskArns: list(input) }),
    StopTask: stop,
  }
  const service: JsonService = {
    target: "AmazonEC2ContainerServiceV20141113",
    contentType: "application/x-amz-json-1.1",
    call: async (operation, input, caller) => operations[operation]!(input, caller),
  }
  return {
    service,
    exit,
    /** Every container of a task so far, the first one first. */
    of: (taskId: string) => containers.filter(({ startedBy }) => startedBy.includes(taskId)),
  }
}
