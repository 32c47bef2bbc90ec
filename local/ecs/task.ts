import { createHash, randomUUID } from "node:crypto"
import { AwsError } from "../service.ts"
import type { ContainerDefinition, TaskDefinition } from "./definition.ts"

type Input = Record<string, unknown>

export interface TaskContainer {
  containerArn: string
  taskArn: string
  name: string
  image: string
  lastStatus: string
  exitCode?: number
  reason?: string
  networkInterfaces: []
}

/** A task as ECS describes it, with times in seconds since the epoch. */
export interface Task {
  taskArn: string
  clusterArn: string
  taskDefinitionArn: string
  containers: TaskContainer[]
  lastStatus: "PROVISIONING" | "RUNNING" | "STOPPED"
  desiredStatus: "RUNNING" | "STOPPED"
  launchType: "FARGATE"
  platformVersion: string
  platformFamily: string
  cpu?: string
  memory?: string
  group: string
  startedBy?: string
  overrides: Input
  tags: unknown[]
  createdAt: number
  startedAt?: number
  stoppingAt?: number
  stoppedAt?: number
  stopCode?: string
  stoppedReason?: string
  version: number
}

interface ContainerOverride extends Input {
  name: string
  command?: string[]
  environment?: { name: string; value: string }[]
}

const invalid = (message: string) => new AwsError("InvalidParameterException", message)

export const idOf = (task: Pick<Task, "taskArn">) => task.taskArn.split("/").at(-1) ?? ""

/** The container whose command is run here. */
export const essentialOf = (definition: TaskDefinition): ContainerDefinition => {
  const essential = definition.containerDefinitions.filter((container) => container.essential)
  if (essential.length === 1) return essential[0]!
  throw invalid("A task with more than one essential container does not run here.")
}

const containerOverrides = (overrides: Input): ContainerOverride[] =>
  Array.isArray(overrides.containerOverrides) ? overrides.containerOverrides : []

const overrideOf = ({ overrides }: Task, name: string) => containerOverrides(overrides).find((one) => one.name === name)

/** What the essential container runs, with which variables. The later of two variables of one name counts. */
export const commandOf = (task: Task, definition: TaskDefinition) => {
  const container = essentialOf(definition)
  const override = overrideOf(task, container.name)
  const variables = [...container.environment, ...(override?.environment ?? [])]
  return {
    command: [...container.entryPoint, ...(override?.command ?? container.command)],
    environment: Object.fromEntries(variables.map(({ name, value }) => [name, value])),
    stopTimeoutSeconds: container.stopTimeout ?? 30,
  }
}

const longestStartedBy = 128
const longestToken = 64
const mostOverrideCharacters = 8192

interface Network {
  awsvpcConfiguration?: { subnets?: unknown; assignPublicIp?: string }
}

const networkOf = ({ networkConfiguration }: Input) => (networkConfiguration as Network | undefined)?.awsvpcConfiguration

const hasSubnets = (input: Input): boolean => {
  const subnets = networkOf(input)?.subnets
  return Array.isArray(subnets) && subnets.length > 0
}

/** A task without an address of its own reaches nothing from our networks, none of which leads anywhere by itself. */
export const hasNoNetwork = (input: Input): boolean => networkOf(input)?.assignPublicIp === "DISABLED"

/** Throws `InvalidParameterException` for a RunTask that ECS would refuse. */
export const checkRun = (input: Input, definition: TaskDefinition) => {
  const { count = 1, launchType = "FARGATE", startedBy = "", clientToken = "", overrides = {} } = input
  if (count !== 1) throw invalid("One task at a time is started here: count must be 1.")
  if (launchType !== "FARGATE") throw invalid(`Tasks of launch type ${String(launchType)} do not run here.`)
  if (!hasSubnets(input)) throw invalid("Network mode awsvpc needs a network configuration with subnets.")
  if (String(startedBy).length > longestStartedBy) throw invalid(`startedBy may have ${longestStartedBy} characters.`)
  if (String(clientToken).length > longestToken) throw invalid(`clientToken may have ${longestToken} characters.`)
  if (JSON.stringify(overrides).length > mostOverrideCharacters)
    throw invalid(`overrides may have ${mostOverrideCharacters} characters.`)
  const names = definition.containerDefinitions.map(({ name }) => name)
  const unknown = containerOverrides(overrides as Input).find(({ name }) => !names.includes(name))
  if (unknown) throw invalid(`Override for container ${unknown.name}, which is not in the task definition.`)
  if (essentialOf(definition).entryPoint.length === 0) {
    throw invalid(
      "ECS would run the image's own entry point, and no image is pulled here: the essential container has to name one.",
    )
  }
}

/** Identifies a request: the same parameters have the same hash in whatever order they stand. */
export const hashOf = (input: Input): string => {
  const sorted = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(sorted)
    if (typeof value !== "object" || value === null) return value
    return Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, one]) => [key, sorted(one)])
  }
  return createHash("sha256")
    .update(JSON.stringify(sorted(input)))
    .digest("hex")
}

interface Place {
  clusterArn: string
  clusterName: string
  region: string
  account: string
}

export const newTask = (input: Input, definition: TaskDefinition, place: Place, at: number): Task => {
  const { clusterArn, clusterName, region, account } = place
  const path = `${clusterName}/${randomUUID().replaceAll("-", "")}`
  const taskArn = `arn:aws:ecs:${region}:${account}:task/${path}`
  return {
    taskArn,
    clusterArn,
    taskDefinitionArn: definition.taskDefinitionArn,
    containers: definition.containerDefinitions.map(({ name, image }) => ({
      containerArn: `arn:aws:ecs:${region}:${account}:container/${path}/${randomUUID()}`,
      taskArn,
      name,
      image,
      lastStatus: "PENDING",
      networkInterfaces: [],
    })),
    lastStatus: "PROVISIONING",
    desiredStatus: "RUNNING",
    launchType: "FARGATE",
    platformVersion: "1.4.0",
    platformFamily: "Linux",
    ...(definition.cpu !== undefined && { cpu: String(definition.cpu) }),
    ...(definition.memory !== undefined && { memory: String(definition.memory) }),
    group: String(input.group ?? `family:${definition.family}`),
    ...(typeof input.startedBy === "string" && { startedBy: input.startedBy }),
    overrides: { containerOverrides: [], inferenceAcceleratorOverrides: [], ...(input.overrides as Input | undefined) },
    tags: Array.isArray(input.tags) ? input.tags : [],
    createdAt: at / 1000,
    version: 1,
  }
}

/** The task once its process runs: what comes before the essential container has done its work. */
export const started = (task: Task, essential: string, at: number): Task => ({
  ...task,
  lastStatus: "RUNNING",
  startedAt: at / 1000,
  version: task.version + 1,
  containers: task.containers.map((container) =>
    container.name === essential ? { ...container, lastStatus: "RUNNING" } : { ...container, lastStatus: "STOPPED", exitCode: 0 },
  ),
})

export const stopping = (task: Task, reason: string, at: number): Task => ({
  ...task,
  desiredStatus: "STOPPED",
  stoppingAt: at / 1000,
  stopCode: "UserInitiated",
  stoppedReason: reason,
  version: task.version + 1,
})

interface End {
  stopCode: string
  stoppedReason: string
  exitCode?: number
  /** Of the essential container, where it has no exit code. */
  reason?: string
}

/** The task once it has stopped. A stop that was asked for keeps its own reason. */
export const stopped = (task: Task, essential: string, { stopCode, stoppedReason, exitCode, reason }: End, at: number): Task => ({
  ...task,
  lastStatus: "STOPPED",
  desiredStatus: "STOPPED",
  stoppingAt: task.stoppingAt ?? at / 1000,
  stoppedAt: at / 1000,
  stopCode: task.stopCode ?? stopCode,
  stoppedReason: task.stoppedReason ?? stoppedReason,
  version: task.version + 1,
  containers: task.containers.map((container) => ({
    ...container,
    lastStatus: "STOPPED",
    ...(container.name === essential && exitCode !== undefined && { exitCode }),
    ...(container.name === essential && reason !== undefined && { reason }),
  })),
})

const iso = (seconds: number | undefined) => (seconds === undefined ? undefined : new Date(seconds * 1000).toISOString())

/** The event that ECS puts on the region's default bus when the task has become this. */
export const stateChange = (task: Task, at: Date) => {
  const { createdAt, startedAt, stoppingAt, stoppedAt, tags: _, ...detail } = task
  const times = { createdAt, startedAt, stoppingAt, stoppedAt, updatedAt: at.getTime() / 1000 }
  const written = Object.entries(times).flatMap(([name, seconds]) => (seconds === undefined ? [] : [[name, iso(seconds)]]))
  return {
    source: "aws.ecs",
    detailType: "ECS Task State Change",
    detail: { ...detail, ...Object.fromEntries(written) } as Record<string, unknown>,
    resources: [task.taskArn],
    time: at,
  }
}

export type StateChange = ReturnType<typeof stateChange>
