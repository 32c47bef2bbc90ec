import { createHash } from "node:crypto"
import {
  ConflictException,
  type ContainerDefinition,
  ECSClient,
  InvalidParameterException,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StopTaskCommand,
} from "@aws-sdk/client-ecs"
import { setting } from "./aws.ts"
import type { Place } from "./place.ts"
import { TaskDefinitionEntity } from "./task-definition.entity.ts"
import { unlessRefused } from "./transaction.ts"

/** Containers on Fargate: one per run, of any image, in the region that the task asks for. */

const clients = new Map<string, ECSClient>()

const ecs = (region: string) => {
  const client = clients.get(region) ?? new ECSClient({ region })
  clients.set(region, client)
  return client
}

const size = { cpu: "1024", memory: "4096" }
/** Seconds between SIGTERM and SIGKILL: the most that Fargate gives. */
const stopTimeout = 120
const shared = { sourceVolume: "dormouse", containerPath: "/opt/dormouse" }
const inVolume = (name: string) => `${shared.containerPath}/${name}`

/**
 * The task definition of an image in a region, registered on first use: RunTask cannot override an image. The first container copies
 * Node and the daemon to a shared volume and exits; then the user's image runs the daemon from there.
 */
export async function definitionOf(image: string, { region, logGroup }: Place): Promise<string> {
  const taskImage = setting("TASK_IMAGE")
  const containers = containersOf(image, taskImage, region, logGroup)
  const fingerprint = createHash("sha256")
    .update(JSON.stringify([containers, size, setting("EXECUTION_ROLE_ARN")]))
    .digest("hex")
  const known = await TaskDefinitionEntity.get({ fingerprint, region }).go({ consistent: true })
  if (known.data) return known.data.arn

  const { taskDefinition } = await ecs(region).send(
    new RegisterTaskDefinitionCommand({
      family: `${setting("TASK_FAMILY")}-${fingerprint.slice(0, 16)}`,
      requiresCompatibilities: ["FARGATE"],
      networkMode: "awsvpc",
      ...size,
      runtimePlatform: { cpuArchitecture: "ARM64", operatingSystemFamily: "LINUX" },
      executionRoleArn: setting("EXECUTION_ROLE_ARN"),
      volumes: [{ name: shared.sourceVolume }],
      containerDefinitions: containers,
    }),
  )
  const arn = taskDefinition!.taskDefinitionArn!
  // Two tasks of a new image at once register two revisions; either will do.
  await unlessRefused(TaskDefinitionEntity.create({ fingerprint, region, arn }))
  return arn
}

const containersOf = (image: string, taskImage: string, region: string, logGroup: string): ContainerDefinition[] => {
  const logConfiguration = (prefix: string) => ({
    logDriver: "awslogs" as const,
    options: { "awslogs-group": logGroup, "awslogs-region": region, "awslogs-stream-prefix": prefix },
  })
  return [
    {
      name: "install",
      image: taskImage,
      essential: false,
      mountPoints: [{ ...shared, readOnly: false }],
      logConfiguration: logConfiguration("install"),
    },
    {
      name: "agent",
      image,
      essential: true,
      // The daemon gives the agent another user, so it needs to be root itself.
      user: "0",
      // In place of the image's own. An empty one would leave that in force, before the command.
      entryPoint: ["sh", "start.sh"].map(inVolume),
      command: ["node", "main.mjs"].map(inVolume),
      dependsOn: [{ containerName: "install", condition: "SUCCESS" }],
      mountPoints: [{ ...shared, readOnly: true }],
      stopTimeout,
      logConfiguration: logConfiguration("agent"),
    },
  ]
}

/** There is no room at the moment: the start is tried again later. The name is what the state machine retries by. */
export class Capacity extends Error {
  override readonly name = "Capacity"
}

/** ECS will never take this start. */
export class Refused extends Error {
  override readonly name = "Refused"
}

/** What ECS cannot do for the moment, though some of it is told as the fault of a parameter. */
const isPassing = (error: Error) =>
  error instanceof InvalidParameterException
    ? /RequestLimitExceeded|request limit exceeded|service.linked role|error retrieving/i.test(error.message)
    : /capacity|limit/i.test(error.message)

interface Start {
  definition: string
  place: Place
  /** Makes a second start with the same token the first one. */
  token: string
  /** What ECS shows and reports as the starter. */
  startedBy: string
  environment: Record<string, string>
}

/**
 * Starts a container; the same start again is the same container, even where our settings have changed since. Answers its ARN. Throws
 * `Capacity` and `Refused`.
 */
export async function start({ definition, place, token, startedBy, environment }: Start): Promise<string> {
  const command = new RunTaskCommand({
    cluster: place.cluster,
    taskDefinition: definition,
    launchType: "FARGATE",
    count: 1,
    clientToken: token,
    startedBy,
    tags: Object.entries(JSON.parse(setting("TASK_TAGS")) as Record<string, string>).map(([key, value]) => ({ key, value })),
    networkConfiguration: {
      awsvpcConfiguration: {
        subnets: place.subnets,
        securityGroups: [place.securityGroup],
        assignPublicIp: place.assignPublicIp ? "ENABLED" : "DISABLED",
      },
    },
    overrides: {
      containerOverrides: [{ name: "agent", environment: Object.entries(environment).map(([name, value]) => ({ name, value })) }],
    },
  })
  try {
    const { tasks = [], failures = [] } = await ecs(place.region).send(command)
    const arn = tasks[0]?.taskArn
    if (arn) return arn
    throw new Capacity(failures.map(({ reason }) => reason).join(", ") || "ECS started nothing")
  } catch (error) {
    if (error instanceof Error && isPassing(error)) throw new Capacity(error.message)
    if (error instanceof InvalidParameterException) throw new Refused(error.message)
    // The token's first start said other words, such as those of the version before this one.
    const [earlier] = error instanceof ConflictException ? (error.resourceIds ?? []) : []
    if (earlier) return earlier
    throw error
  }
}

interface Cluster {
  region: string
  cluster: string
}

/** The ARN of the container that was started by these words; undefined when none runs. */
export async function find({ region, cluster }: Cluster, startedBy: string): Promise<string | undefined> {
  const { taskArns = [] } = await ecs(region).send(new ListTasksCommand({ cluster, startedBy }))
  return taskArns[0]
}

/** Stops a container, if it still runs. */
export async function stop(place: Cluster, containerArn: string, reason: string) {
  try {
    await ecs(place.region).send(
      new StopTaskCommand({ cluster: place.cluster, task: containerArn, reason: reason.slice(0, 255) }),
    )
  } catch (error) {
    // ECS forgets stopped tasks after an hour.
    if (!(error instanceof InvalidParameterException)) throw error
  }
}
