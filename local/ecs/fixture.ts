import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  ECSClient,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  type RunTaskCommandInput,
  StopTaskCommand,
  type Task,
} from "@aws-sdk/client-ecs"
import { expect } from "vitest"
import { serveJson } from "#test/json-services.ts"
import { moveTime } from "#test/time.ts"
import { identityOf } from "./identity.ts"
import type { Isolation } from "./isolation.ts"
import type { Door } from "./launch.ts"
import { type Ecs, openEcs } from "./service.ts"
import type { StateChange } from "./task.ts"

/** ECS with a daemon that does what the variable `SCRIPT` says, for its tests. */

export const cluster = "arn:aws:ecs:us-east-1:123456789012:cluster/tasks"

/** Runs `SCRIPT` as the body of an async function that has `fs`, `workspace` and `say`. */
const daemon = `
  import fs from "node:fs"
  const workspace = process.env.DORMOUSE_WORKSPACE ?? "/workspace"
  const say = (value) => console.log(JSON.stringify(value))
  const AsyncFunction = (async () => {}).constructor
  await new AsyncFunction("fs", "workspace", "say", process.env.SCRIPT)(fs, workspace, say)
`

export const definition = {
  family: "agent",
  requiresCompatibilities: ["FARGATE" as const],
  networkMode: "awsvpc" as const,
  cpu: "1024",
  memory: "4096",
  runtimePlatform: { cpuArchitecture: "ARM64" as const, operatingSystemFamily: "LINUX" as const },
  executionRoleArn: "arn:aws:iam::123456789012:role/execution",
  volumes: [{ name: "dormouse" }],
  containerDefinitions: [
    {
      name: "daemon",
      image: "123456789012.dkr.ecr.us-east-1.amazonaws.com/daemon:1",
      essential: false,
      mountPoints: [{ sourceVolume: "dormouse", containerPath: "/opt/dormouse" }],
    },
    {
      name: "agent",
      image: "public.ecr.aws/docker/library/node:24",
      essential: true,
      dependsOn: [{ containerName: "daemon", condition: "SUCCESS" as const }],
      entryPoint: ["/usr/bin/env"],
      command: ["/opt/dormouse/node", "/opt/dormouse/main.mjs"],
      environment: [{ name: "KIND", value: "from the definition" }],
      mountPoints: [{ sourceVolume: "dormouse", containerPath: "/opt/dormouse", readOnly: true }],
      user: "0",
      stopTimeout: 120,
    },
  ],
}

const read = (path: string) => (existsSync(path) ? readFileSync(path, "utf8") : "")

/** Everything that a test of ECS needs, in a folder of its own. */
export const makeEcs = async (isolation: Isolation) => {
  const root = mkdtempSync(join(tmpdir(), "dormouse-ecs-"))
  const time = moveTime()
  const [data, taskImage] = [join(root, "data"), join(root, "image")]
  for (const folder of [data, taskImage]) mkdirSync(folder)
  writeFileSync(join(taskImage, "main.mjs"), daemon)
  const events: StateChange[] = []
  const logged: string[] = []
  const options = {
    path: join(data, "ecs.sqlite"),
    clusters: [{ name: "tasks", arn: cluster, region: "us-east-1" }],
    taskImage,
    isolation,
    doors: [] as Door[],
    data,
    environment: { DORMOUSE_CLOCK: time.path },
  }
  let [ecs, served, client]: [Ecs?, Awaited<ReturnType<typeof serveJson>>?, ECSClient?] = []

  const open = async () => {
    ecs = openEcs({ ...options, putEvent: (_, event) => events.push(event), log: (line) => logged.push(line) })
    served = await serveJson(ecs)
    client = new ECSClient(served.client)
    return client
  }
  const close = async () => {
    client?.destroy()
    await served?.close()
    await ecs?.close()
    ecs = undefined
  }
  return {
    options,
    data,
    time,
    events,
    logged,
    open,
    close,
    /** Statuses that events have told of, for one task. */
    told: ({ taskArn }: Task) =>
      events.filter(({ resources }) => resources[0] === taskArn).map(({ detail }) => detail.lastStatus),
    /** What the container has said, line by line. */
    said: ({ taskArn }: Task): unknown[] =>
      read(join(data, "logs", "tasks", `${taskArn?.split("/").at(-1)}.log`))
        .split("\n")
        .filter((line) => /^(["[{]|true|false)/.test(line))
        .map((line) => JSON.parse(line)),
    /** Starts a task that runs `script`. */
    run: async (script: string, rest: Partial<RunTaskCommandInput> = {}) => {
      await client!.send(new RegisterTaskDefinitionCommand(definition))
      return (await client!.send(new RunTaskCommand(runInput(script, rest)))).tasks![0]!
    },
    stop: ({ taskArn }: Task) => client!.send(new StopTaskCommand({ cluster, task: taskArn })),
    remove: async () => {
      await close()
      time.release()
      rmSync(root, { recursive: true, force: true })
    },
  }
}

export const runInput = (script: string, rest: Partial<RunTaskCommandInput> = {}): RunTaskCommandInput => ({
  cluster,
  taskDefinition: "agent",
  launchType: "FARGATE",
  networkConfiguration: { awsvpcConfiguration: { subnets: ["subnet-1"], assignPublicIp: "ENABLED" } },
  overrides: { containerOverrides: [{ name: "agent", environment: [{ name: "SCRIPT", value: script }] }] },
  ...rest,
})

/** A container that goes on until it is asked to stop, and one that goes on even then. */
export const patient =
  'process.on("SIGTERM", () => { say("saving"); process.exit(3) }); say("ready"); setInterval(() => {}, 1000)'
export const stubborn = 'process.on("SIGTERM", () => say("no")); say("ready"); setInterval(() => {}, 1000)'

/** Runs the host with one task of `script` in a process of its own, and kills that with SIGKILL once the container says that it is ready. */
export const killHost = async (aws: Awaited<ReturnType<typeof makeEcs>>, script: string) => {
  const program = `
    import { openEcs } from ${JSON.stringify(join(import.meta.dirname, "service.ts"))}
    const ecs = openEcs({ ...${JSON.stringify(aws.options)}, putEvent: () => {}, log: () => {} })
    const caller = { accessKeyId: "test", region: "us-east-1" }
    await ecs.call("RegisterTaskDefinition", ${JSON.stringify(definition)}, caller)
    const { tasks } = await ecs.call("RunTask", ${JSON.stringify(runInput(script))}, caller)
    console.log(tasks[0].taskArn)
    setInterval(() => {}, 1000)
  `
  const host = spawn(process.execPath, ["--input-type=module-typescript", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  const [taskArn] = await once(host.stdout, "data")
  const task: Task = { taskArn: String(taskArn).trim() }
  await expect.poll(() => aws.said(task).length, { timeout: 10_000 }).toBeGreaterThan(0)
  const processes = descendants(host.pid!)
  host.kill("SIGKILL")
  await once(host, "exit")
  return { task, processes }
}

/** Processes that a process has started, and those that they have started. Linux only. */
const descendants = (pid: number): number[] => {
  const pids = readdirSync("/proc").map(Number).filter(Number.isInteger)
  const children = pids.filter((one) => read(`/proc/${one}/stat`).split(") ").at(-1)?.split(" ")[1] === String(pid))
  return children.flatMap((child) => [child, ...descendants(child)])
}

export const isAlive = (pid: number): boolean => identityOf(pid) !== undefined
