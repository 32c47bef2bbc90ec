import { createHash, randomBytes } from "node:crypto"
import { DescribeTasksCommand, StopTaskCommand } from "@aws-sdk/client-ecs"
import { UpdateCommand } from "@aws-sdk/lib-dynamodb"
import { type Answer, type App, as, type newAccount } from "./app.ts"
import { ecsOf, type Item, items, tableOf } from "./aws.ts"
import { newAgent, newConversation, newTask } from "./make.ts"
import { untilItWorks } from "./until.ts"

/**
 * Stands in for the program in a task's container. The stack has really started one, which sleeps (see idle-container.ts); what it
 * was started with is read from ECS, and from then on the test says what it would say.
 */

type Account = Awaited<ReturnType<typeof newAccount>>

// biome-ignore lint/suspicious/noExplicitAny: tasks are read as a user's script would read them.
export type Task = any

export interface Container {
  task: Task
  runId: string
  /** Its ARN in ECS. */
  arn: string
  environment: Record<string, string>
  claimToken: string
  /** A token as the daemon makes one; good once the run was claimed with its hash. */
  runToken: string
  /** Claims the run, with the container's own run token or another. */
  claim(runToken?: string): Promise<Answer>
  /** Calls an endpoint of its run: `send("heartbeat", {})`. */
  send(call: string, body: unknown): Promise<Answer>
  /** Reads an endpoint of its run. */
  get(call: string): Promise<Answer>
  /** Asks its channel for what it does not know yet. */
  receive(known?: { wait?: number; turn?: number; after?: number }): Promise<Answer>
}

export const hashOf = (token: string) => createHash("sha256").update(token).digest("hex")

export const newRunToken = () => randomBytes(32).toString("base64url")

interface Options {
  agent?: object
  task?: object
  /** Makes it a conversation. */
  conversation?: object
}

/** Dispatches a task, or begins a conversation, and waits until its container has started. */
export const newContainer = async (app: App, account: Account, { agent, task, conversation }: Options = {}) => {
  const { id } = await newAgent(account, agent)
  const made = conversation ? (await newConversation(account, id, conversation)).task : await newTask(account, id, task)
  return containerOf(app, account.accountId, made)
}

/** Dispatches a task, or begins a conversation, and claims its run. */
export const claimedContainer = async (app: App, account: Account, options: Options = {}) => {
  const container = await newContainer(app, account, options)
  const { status, body } = await container.claim()
  if (status !== 200) throw new Error(`The claim was refused: ${status} ${JSON.stringify(body)}`)
  return container
}

/** The container of a task's attempt, once it has started. */
export const containerOf = async (app: App, accountId: string, task: Task, attempt = 1): Promise<Container> => {
  const run = await startedRun(app, accountId, task.id, attempt)
  const environment = await environmentOf(app, run)
  const runToken = newRunToken()
  const claimToken = environment.DORMOUSE_CLAIM_TOKEN!
  const post = (token: string, path: string, body: unknown) => as(app, token).send(`POST /agent/tasks/${path}`, body)
  return {
    task,
    runId: run.runId,
    arn: run.containerArn,
    environment,
    claimToken,
    runToken,
    claim: (token = runToken) => post(claimToken, "claim-next", { run_token_hash: hashOf(token) }),
    send: (call, body) => post(runToken, `${run.runId}/${call}`, body),
    get: (call) => as(app, runToken).send(`GET /agent/tasks/${run.runId}/${call}`),
    receive: (known = {}) => {
      const query = new URLSearchParams(Object.entries(known).map(([name, value]): [string, string] => [name, String(value)]))
      return as(app, runToken).send(`GET /agent/channels/${task.id}/recv?${query}`)
    },
  }
}

interface Run {
  runId: string
  attempt: number
  containerArn: string
  region: string
  cluster: string
}

const startedRun = async (app: App, accountId: string, taskId: string, attempt: number): Promise<Run> => {
  const find = async () =>
    (await items(app, `${accountId}#${taskId}`, "run#")).find((run) => run.attempt === attempt && run.containerArn)
  return untilItWorks(
    async () => {
      const run = await find()
      if (!run) throw new Error(`Attempt ${attempt} of ${taskId} has not started`)
      return run as unknown as Run
    },
    { timeout: 60_000, interval: 50 },
  )
}

const environmentOf = async (app: App, { region, cluster, containerArn }: Run) => {
  const { tasks } = await ecsOf(app, region).send(new DescribeTasksCommand({ cluster, tasks: [containerArn] }))
  const { environment = [] } = tasks![0]!.overrides!.containerOverrides![0]!
  return Object.fromEntries(environment.map(({ name, value }) => [name!, value!]))
}

/** Stops a container from outside, as a failing host would end it. */
export const stopContainer = async (app: App, { arn }: Container) => {
  const [, , , region, , path] = arn.split(":")
  await ecsOf(app, region).send(new StopTaskCommand({ cluster: path!.split("/")[1]!, task: arn }))
}

/** Leaves a run as it is where the call that started its container did not live to say which one it is. */
export const forgetArn = async (app: App, accountId: string, { task, runId }: Container) => {
  const [{ pk, sk }] = (await items(app, `${accountId}#${task.id}`, `run#${runId}`)) as [Item]
  await tableOf(app).send(new UpdateCommand({ TableName: "dormouse", Key: { pk, sk }, UpdateExpression: "REMOVE containerArn" }))
}

/** What ECS says of a container: `RUNNING`, `STOPPED` … */
export const statusOf = async (app: App, { arn }: Container) => {
  const [, , , region, , path] = arn.split(":")
  const command = new DescribeTasksCommand({ cluster: path!.split("/")[1]!, tasks: [arn] })
  return (await ecsOf(app, region).send(command)).tasks![0]!.lastStatus
}

/** Stores an output as the daemon does, and answers the file's id. */
export const storeOutput = async (
  container: Container,
  filename: string,
  bytes: Uint8Array,
  more: object = {},
): Promise<string> => {
  const output = { filename, size_bytes: bytes.length, output_name: null, ...more }
  const { body } = await container.send("outputs/prepare", output)
  const { method, headers, upload_url } = body
  const uploaded = await fetch(upload_url, { method, headers, body: new Uint8Array(bytes) })
  if (uploaded.status !== 200) throw new Error(`S3 refused the upload: ${uploaded.status} ${await uploaded.text()}`)
  const completed = await container.send("outputs/complete", output)
  if (completed.status !== 200) throw new Error(`The output was refused: ${JSON.stringify(completed.body)}`)
  return body.file_id
}
