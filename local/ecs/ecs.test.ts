import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import {
  DescribeTaskDefinitionCommand,
  DescribeTasksCommand,
  type ECSClient,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  type RegisterTaskDefinitionCommandInput,
  RunTaskCommand,
  StopTaskCommand,
  type Task,
} from "@aws-sdk/client-ecs"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { cluster, definition, makeEcs, patient, runInput, stubborn } from "./fixture.ts"
import { detectIsolation } from "./isolation.ts"

/** What holds with every isolation; run with the best that this machine has. */

const { isolation } = await detectIsolation("auto")
let aws: Awaited<ReturnType<typeof makeEcs>>
let client: ECSClient

beforeEach(async () => {
  aws = await makeEcs(isolation)
  client = await aws.open()
})

afterEach(() => aws.remove())

const describeTask = async ({ taskArn }: Task) =>
  (await client.send(new DescribeTasksCommand({ cluster, tasks: [taskArn!] }))).tasks![0]!
const stop = async ({ taskArn }: Task, reason?: string) =>
  (await client.send(new StopTaskCommand({ cluster, task: taskArn, reason }))).task!
const ended = (task: Task) => expect.poll(() => aws.told(task), { timeout: 10_000 }).toEqual(["RUNNING", "STOPPED"])
const ready = (task: Task) => expect.poll(() => aws.said(task), { timeout: 10_000 }).toEqual(["ready"])

describe("RegisterTaskDefinition", () => {
  it("gives every registration of a family the next revision, and finds each again", async () => {
    const first = await client.send(new RegisterTaskDefinitionCommand(definition))
    await client.send(new RegisterTaskDefinitionCommand({ ...definition, memory: "2048" }))
    expect(first.taskDefinition).toMatchObject({ family: "agent", revision: 1, status: "ACTIVE", cpu: "1024" })
    const find = async (taskDefinition: string) =>
      (await client.send(new DescribeTaskDefinitionCommand({ taskDefinition }))).taskDefinition?.memory
    expect(await find("agent")).toBe("2048")
    expect(await find("agent:1")).toBe("4096")
    expect(await find(first.taskDefinition!.taskDefinitionArn!)).toBe("4096")
    await expect(find("agent:3")).rejects.toMatchObject({ name: "ClientException" })
  })

  const [daemon, agent] = definition.containerDefinitions
  const wrong: [string, Partial<RegisterTaskDefinitionCommandInput>][] = [
    ["a family with a space", { family: "my agent" }],
    ["memory that Fargate does not offer for its cpu", { memory: "1024" }],
    ["another network mode", { networkMode: "bridge" }],
    ["no container", { containerDefinitions: [] }],
    ["no essential container", { containerDefinitions: [daemon!] }],
    ["two containers of one name", { containerDefinitions: [agent!, { ...daemon, name: "agent" }] }],
    ["a dependency that is not there", { containerDefinitions: [agent!] }],
    ["a volume that is not there", { volumes: [] }],
    ["a stop timeout beyond two minutes", { containerDefinitions: [daemon!, { ...agent, stopTimeout: 121 }] }],
    ["a role that is none", { executionRoleArn: "execution" }],
    ["another operating system", { runtimePlatform: { operatingSystemFamily: "WINDOWS_SERVER_2022_CORE" } }],
    ["success of an essential container", { containerDefinitions: [agent!, { ...daemon, essential: true }] }],
  ]
  it.each(wrong)("refuses %s", async (_, rest) => {
    const sent = client.send(new RegisterTaskDefinitionCommand({ ...definition, ...rest }))
    await expect(sent).rejects.toMatchObject({ name: "ClientException" })
  })
})

describe("RunTask", () => {
  it("runs the command of the essential container, and tells of its start and its end", async () => {
    const task = await aws.run("say([process.env.KIND, process.env.DORMOUSE_CLOCK !== undefined]); process.exit(7)", {
      startedBy: "run_1",
    })
    expect(task).toMatchObject({
      lastStatus: "PROVISIONING",
      desiredStatus: "RUNNING",
      startedBy: "run_1",
      launchType: "FARGATE",
    })
    await ended(task)
    expect(aws.said(task)).toEqual([["from the definition", true]])
    const after = await describeTask(task)
    expect(after).toMatchObject({ lastStatus: "STOPPED", stopCode: "EssentialContainerExited", group: "family:agent" })
    expect(after.stoppedAt).toBeInstanceOf(Date)
    expect(after.containers?.map(({ name, exitCode, lastStatus }) => [name, exitCode, lastStatus])).toEqual([
      ["daemon", 0, "STOPPED"],
      ["agent", 7, "STOPPED"],
    ])
    expect(aws.events.at(-1)).toMatchObject({
      source: "aws.ecs",
      detailType: "ECS Task State Change",
      resources: [task.taskArn],
      detail: {
        taskArn: task.taskArn,
        clusterArn: cluster,
        taskDefinitionArn: expect.stringContaining(":task-definition/agent:1"),
        lastStatus: "STOPPED",
        desiredStatus: "STOPPED",
        startedBy: "run_1",
        group: "family:agent",
        stopCode: "EssentialContainerExited",
        stoppedReason: "Essential container in task exited",
        startedAt: expect.stringMatching(/^2.*Z$/),
        stoppedAt: expect.stringMatching(/^2.*Z$/),
        version: 3,
      },
    })
  })

  it("gives every task a workspace that it may write to, and removes it in the end", async () => {
    const task = await aws.run(`
      fs.writeFileSync(workspace + "/file", "text")
      say([process.cwd() === workspace, fs.readdirSync(workspace)])
      fs.mkdirSync(workspace + "/folder/locked", { recursive: true })
      for (const locked of ["/folder/locked", "/folder"]) fs.chmodSync(workspace + locked, 0o500)
    `)
    await ended(task)
    expect(aws.said(task)).toEqual([[true, ["file"]]])
    await expect.poll(() => readdirSync(join(aws.data, "tasks"))).toEqual([])
  })

  it("ends a container that takes more memory than its task has, and says so", async () => {
    await client.send(new RegisterTaskDefinitionCommand({ ...definition, family: "small", cpu: "256", memory: "512" }))
    const script = `
      globalThis.kept = Array.from({ length: 10 }, () => Buffer.alloc(64 * 1024 ** 2, 1))
      setInterval(() => {}, 1000)
    `
    const { tasks } = await client.send(new RunTaskCommand(runInput(script, { taskDefinition: "small" })))
    await ended(tasks![0]!)
    const { containers } = await describeTask(tasks![0]!)
    expect(containers).toContainEqual(
      expect.objectContaining({
        name: "agent",
        exitCode: 137,
        reason: "OutOfMemoryError: Container killed due to memory usage",
      }),
    )
  })

  it("starts one task however often the same request with a client token comes", async () => {
    const input = runInput(patient, { clientToken: "run_1" })
    const first = await aws.run(patient, { clientToken: "run_1" })
    const again = await client.send(new RunTaskCommand(input))
    expect(again.tasks?.[0]?.taskArn).toBe(first.taskArn)
    const other = client.send(new RunTaskCommand({ ...input, startedBy: "somebody" }))
    await expect(other).rejects.toMatchObject({ name: "ConflictException", resourceIds: [first.taskArn] })
    aws.time.advance(25 * 3_600_000)
    const later = await client.send(new RunTaskCommand({ ...input, startedBy: "somebody" }))
    expect(later.tasks?.[0]?.taskArn).not.toBe(first.taskArn)
  })

  it("refuses what ECS would refuse", async () => {
    await client.send(new RegisterTaskDefinitionCommand(definition))
    const run = (rest: object) => client.send(new RunTaskCommand(runInput("", rest)))
    await expect(run({ cluster: "other" })).rejects.toMatchObject({ name: "ClusterNotFoundException" })
    await expect(run({ taskDefinition: "other" })).rejects.toMatchObject({ name: "ClientException" })
    await expect(run({ networkConfiguration: undefined })).rejects.toMatchObject({ name: "InvalidParameterException" })
    await expect(run({ startedBy: "x".repeat(129) })).rejects.toMatchObject({ name: "InvalidParameterException" })
    const overrides = { containerOverrides: [{ name: "other" }] }
    await expect(run({ overrides })).rejects.toMatchObject({ name: "InvalidParameterException" })
  })

  it("says in the task why a command could not be run", async () => {
    const overrides = { containerOverrides: [{ name: "agent", command: ["/no/such/program"] }] }
    const task = await aws.run("", { overrides })
    await ended(task)
    expect((await describeTask(task)).containers?.[1]?.exitCode).toBeGreaterThan(0)
  })
})

describe("ListTasks and DescribeTasks", () => {
  it("find tasks by who started them and by what they should be, and name what is missing", async () => {
    const first = await aws.run(patient, { startedBy: "run_1" })
    const second = await aws.run(patient, { startedBy: "run_2" })
    await ready(first)
    const list = async (input: object) => (await client.send(new ListTasksCommand({ cluster, ...input }))).taskArns
    expect(await list({})).toEqual([first.taskArn, second.taskArn])
    expect(await list({ startedBy: "run_2" })).toEqual([second.taskArn])
    await stop(first)
    expect(await list({})).toEqual([second.taskArn])
    expect(await list({ desiredStatus: "STOPPED", startedBy: "run_1" })).toEqual([first.taskArn])
    const missing = `${first.taskArn}0`
    const found = await client.send(new DescribeTasksCommand({ cluster: "tasks", tasks: [second.taskArn!, missing] }))
    expect(found.tasks?.map(({ taskArn }) => taskArn)).toEqual([second.taskArn])
    expect(found.failures).toEqual([{ arn: missing, reason: "MISSING" }])
  })
})

describe("StopTask", () => {
  it("lets the container end by itself, and keeps the reason", async () => {
    const task = await aws.run(patient)
    await ready(task)
    expect(await stop(task, "cancelled by its owner")).toMatchObject({ desiredStatus: "STOPPED", lastStatus: "RUNNING" })
    await ended(task)
    expect(aws.said(task)).toEqual(["ready", "saving"])
    expect(await describeTask(task)).toMatchObject({ stopCode: "UserInitiated", stoppedReason: "cancelled by its owner" })
    expect((await describeTask(task)).containers?.[1]?.exitCode).toBe(3)
  })

  it("kills a container that has not ended when its time is over, and not before", async () => {
    const task = await aws.run(stubborn)
    await ready(task)
    await stop(task)
    await expect.poll(() => aws.said(task)).toEqual(["ready", "no"])
    aws.time.advance(115_000)
    expect((await describeTask(task)).lastStatus).toBe("RUNNING")
    aws.time.advance(5_000)
    await ended(task)
    expect((await describeTask(task)).containers?.[1]?.exitCode).toBe(137)
  })

  it("changes nothing the second time, and refuses a task that is not there", async () => {
    const task = await aws.run(patient)
    await ready(task)
    await stop(task, "first")
    await ended(task)
    expect(await stop(task, "second")).toMatchObject({ lastStatus: "STOPPED", stoppedReason: "first" })
    expect(aws.told(task)).toEqual(["RUNNING", "STOPPED"])
    await expect(stop({ taskArn: `${task.taskArn}0` })).rejects.toMatchObject({ name: "InvalidParameterException" })
  })
})

describe("a restart", () => {
  it("ends what ran, tells of it once, and keeps definitions and tokens", async () => {
    const task = await aws.run(patient, { clientToken: "run_1" })
    await ready(task)
    await aws.close()
    client = await aws.open()
    expect(aws.told(task)).toEqual(["RUNNING", "STOPPED"])
    const after = await describeTask(task)
    expect(after).toMatchObject({ lastStatus: "STOPPED", stopCode: "EssentialContainerExited" })
    expect(after.stoppedReason).toContain("machine stopped")
    const again = await client.send(new RunTaskCommand(runInput(patient, { clientToken: "run_1" })))
    expect(again.tasks?.[0]?.taskArn).toBe(task.taskArn)
    await aws.close()
    client = await aws.open()
    expect(aws.told(task)).toEqual(["RUNNING", "STOPPED"])
    expect(existsSync(join(aws.data, "tasks", task.taskArn!.split("/").at(-1)!))).toBe(false)
  })
})
