import { AwsError } from "../service.ts"

/** What ECS lets a task definition for Fargate say, as far as ours say it. */

export interface ContainerDefinition extends Record<string, unknown> {
  name: string
  image: string
  essential: boolean
  entryPoint: string[]
  command: string[]
  environment: { name: string; value: string }[]
  stopTimeout?: number
}

export interface TaskDefinition extends Record<string, unknown> {
  taskDefinitionArn: string
  family: string
  revision: number
  cpu?: string
  memory?: string
  containerDefinitions: ContainerDefinition[]
}

type Input = Record<string, unknown>

const refuse = (message: string) => new AwsError("ClientException", message)
const need = (holds: boolean, message: string) => {
  if (!holds) throw refuse(message)
}

const isObject = (value: unknown): value is Input => typeof value === "object" && value !== null && !Array.isArray(value)
const isNamed = (value: unknown): value is string => typeof value === "string" && /^[\w-]{1,255}$/.test(value)
const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every((one) => typeof one === "string")
const objects = (value: unknown, name: string): Input[] => {
  need(value === undefined || (Array.isArray(value) && value.every(isObject)), `${name} must be a list of objects.`)
  return (value as Input[] | undefined) ?? []
}

const steps = (from: number, to: number, step: number) => {
  const sizes: number[] = []
  for (let size = from; size <= to; size += step) sizes.push(size)
  return sizes
}

/** Memory in MiB that Fargate offers, by CPU units. */
const sizes: Record<number, number[]> = {
  256: [512, 1024, 2048],
  512: steps(1024, 4096, 1024),
  1024: steps(2048, 8192, 1024),
  2048: steps(4096, 16_384, 1024),
  4096: steps(8192, 30_720, 1024),
  8192: steps(16_384, 61_440, 4096),
  16384: steps(32_768, 122_880, 8192),
}

/** `1024`, `1 vCPU` and `2 GB` as plain numbers. */
export const units = (value: unknown): number => {
  const [, amount, unit = ""] = /^\s*([\d.]+)\s*(vcpu|gb)?\s*$/i.exec(String(value ?? "")) ?? []
  return Number(amount) * (unit === "" ? 1 : 1024)
}

const checkFargate = ({ cpu, memory, networkMode }: Input) => {
  need(networkMode === "awsvpc", "Fargate takes the network mode awsvpc only.")
  need(cpu !== undefined && memory !== undefined, "Fargate needs cpu and memory on the task definition.")
  need(sizes[units(cpu)]?.includes(units(memory)) ?? false, `Fargate has no tasks with cpu ${cpu} and memory ${memory}.`)
}

const architectures: unknown[] = [undefined, "X86_64", "ARM64"]

const checkPlatform = ({ runtimePlatform, executionRoleArn, taskRoleArn, requiresCompatibilities = [] }: Input) => {
  const compatibilities: unknown[] = isTexts(requiresCompatibilities) ? requiresCompatibilities : [undefined]
  need(
    compatibilities.every((one) => ["FARGATE", "EC2", "EXTERNAL"].includes(String(one))),
    "requiresCompatibilities is not valid.",
  )
  const { cpuArchitecture, operatingSystemFamily = "LINUX" } = isObject(runtimePlatform) ? runtimePlatform : {}
  need(architectures.includes(cpuArchitecture), `There is no CPU architecture ${String(cpuArchitecture)}.`)
  need(operatingSystemFamily === "LINUX", `Tasks of the operating system ${String(operatingSystemFamily)} do not run here.`)
  for (const role of [executionRoleArn, taskRoleArn]) {
    need(role === undefined || /^arn:aws:iam::\d{12}:role\/.+/.test(String(role)), `Role ${String(role)} is not valid.`)
  }
}

const checkDependencies = (container: Input, containers: Input[]) => {
  for (const { containerName, condition } of objects(container.dependsOn, "dependsOn")) {
    const other = containers.find(({ name }) => name === containerName)
    need(
      other !== undefined && other !== container,
      `Container ${container.name} depends on ${containerName}, which is not there.`,
    )
    need(["START", "COMPLETE", "SUCCESS", "HEALTHY"].includes(String(condition)), `There is no condition ${String(condition)}.`)
    const ends = condition === "COMPLETE" || condition === "SUCCESS"
    need(!ends || other?.essential === false, `An essential container cannot be waited for with ${condition}.`)
  }
}

const checkOrder = (containers: Input[]) => {
  let waiting = containers
  while (waiting.length > 0) {
    const names = new Set(waiting.map(({ name }) => name))
    const still = waiting.filter(({ dependsOn }) =>
      objects(dependsOn, "dependsOn").some(({ containerName }) => names.has(containerName)),
    )
    need(still.length < waiting.length, "Containers depend on each other in a circle.")
    waiting = still
  }
}

const checkContainer = (container: Input, containers: Input[], volumes: Set<unknown>) => {
  const { name, image, environment, stopTimeout, command = [], entryPoint = [], mountPoints } = container
  need(isNamed(name), "A container needs a name of letters, numbers, hyphens and underscores.")
  need(typeof image === "string" && image !== "", `Container ${name} needs an image.`)
  need(isTexts(command) && isTexts(entryPoint), `command and entryPoint of ${name} must be lists of strings.`)
  for (const { name: key, value } of objects(environment, "environment")) {
    need(typeof key === "string" && key !== "" && typeof value === "string", `The environment of ${name} is not valid.`)
  }
  const seconds = Number(stopTimeout ?? 0)
  need(seconds >= 0 && seconds <= 120, `The stopTimeout of ${name} may be 120 seconds at most.`)
  for (const { sourceVolume, containerPath } of objects(mountPoints, "mountPoints")) {
    need(volumes.has(sourceVolume), `Container ${name} mounts the volume ${sourceVolume}, which is not there.`)
    need(
      typeof containerPath === "string" && containerPath.startsWith("/"),
      `Container ${name} needs an absolute path to mount at.`,
    )
  }
  checkDependencies(container, containers)
}

const checkContainers = (containers: Input[], volumes: Input[]) => {
  need(containers.length > 0, "A task definition needs a container.")
  const names = new Set(volumes.map(({ name }) => name))
  need(names.size === volumes.length && [...names].every(isNamed), "Volumes need names that differ.")
  for (const container of containers) checkContainer(container, containers, names)
  need(new Set(containers.map(({ name }) => name)).size === containers.length, "Containers need names that differ.")
  need(
    containers.some(({ essential }) => essential !== false),
    "A task definition needs an essential container.",
  )
  checkOrder(containers)
}

const withDefaults = (container: Input): ContainerDefinition => ({
  cpu: 0,
  portMappings: [],
  mountPoints: [],
  volumesFrom: [],
  ...container,
  name: String(container.name),
  image: String(container.image),
  essential: container.essential !== false,
  entryPoint: (container.entryPoint as string[] | undefined) ?? [],
  command: (container.command as string[] | undefined) ?? [],
  environment: (container.environment as ContainerDefinition["environment"] | undefined) ?? [],
})

/** Reads the input of RegisterTaskDefinition. Throws `ClientException` for what ECS would refuse. */
export const readDefinition = (
  input: Input,
  place: { region: string; account: string; revision: number },
  at: number,
): TaskDefinition => {
  const { tags: _, family, ...rest } = input
  if (!isNamed(family)) throw refuse("A task definition needs a family of letters, numbers, hyphens and underscores.")
  const containers = objects(input.containerDefinitions, "containerDefinitions")
  const volumes = objects(input.volumes, "volumes")
  checkPlatform(input)
  if (isTexts(input.requiresCompatibilities) && input.requiresCompatibilities.includes("FARGATE")) checkFargate(input)
  checkContainers(containers, volumes)
  const { region, account, revision } = place
  return {
    ...rest,
    taskDefinitionArn: `arn:aws:ecs:${region}:${account}:task-definition/${family}:${revision}`,
    family,
    revision,
    status: "ACTIVE",
    volumes,
    containerDefinitions: containers.map(withDefaults),
    placementConstraints: [],
    compatibilities: ["EC2", "FARGATE"],
    registeredAt: at / 1000,
  }
}
