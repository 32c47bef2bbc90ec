import { millis } from "#core/clock.ts"
import { AwsError, type Caller, type JsonService } from "../service.ts"
import type { Wiring } from "../wiring.ts"
import { readDefinition, type TaskDefinition } from "./definition.ts"
import type { Isolation } from "./isolation.ts"
import { Runner, type RunnerOptions } from "./runner.ts"
import { Store } from "./store.ts"
import { checkRun, hashOf, hasNoNetwork, newTask, type Task } from "./task.ts"

interface Options extends RunnerOptions {
  /** File of the database. */
  path: string
  clusters: Wiring["clusters"]
}

type Input = Record<string, unknown>
type Cluster = Wiring["clusters"][number]
type Operation = (input: Input, caller: Caller) => object

const invalid = (message: string) => new AwsError("InvalidParameterException", message)
const idIn = (reference: unknown) => String(reference).split("/").at(-1) ?? ""
const mostDescribed = 100

export class Ecs implements JsonService {
  readonly target = "AmazonEC2ContainerServiceV20141113"
  readonly contentType = "application/x-amz-json-1.1"
  readonly #clusters: Cluster[]
  readonly #store: Store
  readonly #runner: Runner
  readonly #isolation: Isolation
  readonly #operations: Record<string, Operation> = {
    RegisterTaskDefinition: (input, caller) => this.#register(input, caller),
    DescribeTaskDefinition: ({ taskDefinition }, caller) => ({
      taskDefinition: this.#definition(taskDefinition, caller),
      tags: [],
    }),
    RunTask: (input, caller) => this.#run(input, caller),
    DescribeTasks: (input, caller) => this.#describe(input, caller),
    ListTasks: (input, caller) => this.#list(input, caller),
    StopTask: (input, caller) => this.#stop(input, caller),
  }

  constructor({ path, clusters, ...rest }: Options) {
    this.#clusters = clusters
    this.#isolation = rest.isolation
    this.#store = new Store(path)
    this.#runner = new Runner(this.#store, rest)
  }

  async call(operation: string, input: Input, caller: Caller): Promise<object> {
    const run = Object.hasOwn(this.#operations, operation) ? this.#operations[operation] : undefined
    if (!run) throw new AwsError("UnknownOperationException", `ECS has no operation ${operation} here.`)
    return run(input, caller)
  }

  /** Kills every container. To the next start their tasks are lost. */
  async close(): Promise<void> {
    await this.#runner.close()
    this.#store.close()
  }

  #cluster(reference: unknown, { region }: Caller): Cluster {
    const wanted = reference ?? "default"
    const found = this.#clusters.find((one) => one.region === region && (one.arn === wanted || one.name === wanted))
    if (!found) throw new AwsError("ClusterNotFoundException", "Cluster not found.")
    return found
  }

  #account(): string {
    return this.#clusters[0]?.arn.split(":")[4] ?? "000000000000"
  }

  #register(input: Input, { region }: Caller) {
    const place = { region, account: this.#account() }
    const make = (revision: number) => readDefinition(input, { ...place, revision }, millis())
    return { taskDefinition: this.#store.register(region, String(input.family), make), tags: input.tags ?? [] }
  }

  /** By ARN, `family:revision`, or `family` for its latest revision. */
  #definition(reference: unknown, { region }: Caller): TaskDefinition {
    const text = String(reference)
    const [, place, name = ""] = /^(?:arn:aws:ecs:([^:]+):\d{12}:task-definition\/)?([^/]+)$/.exec(text) ?? []
    const [family = "", revision] = name.split(":")
    const number = revision === undefined ? this.#store.latestRevision(region, family) : Number(revision)
    const found = (place ?? region) === region && Number.isInteger(number) && this.#store.definition(region, family, number)
    if (!found) throw new AwsError("ClientException", `There is no task definition ${text}.`)
    return found
  }

  #run(input: Input, caller: Caller) {
    const cluster = this.#cluster(input.cluster, caller)
    const token =
      typeof input.clientToken === "string" ? { scope: cluster.arn, token: input.clientToken, hash: hashOf(input) } : undefined
    const earlier = token && this.#earlier(token, caller)
    if (earlier) return { tasks: [earlier], failures: [] }
    const definition = this.#definition(input.taskDefinition, caller)
    checkRun(input, definition)
    const isIsolated = hasNoNetwork(input)
    if (isIsolated && this.#isolation === "none") throw invalid("Without bubblewrap a task cannot be kept from the network.")
    const place = { clusterArn: cluster.arn, clusterName: cluster.name, region: caller.region, account: this.#account() }
    const task = newTask(input, definition, place, millis())
    this.#store.add(caller.region, task, millis(), token)
    this.#runner.start(caller.region, task, definition, isIsolated)
    return { tasks: [task], failures: [] }
  }

  /** The task that the same request has started within the last day. */
  #earlier({ scope, token, hash }: { scope: string; token: string; hash: string }, { region }: Caller): Task | undefined {
    const used = this.#store.usedToken(scope, token, millis())
    const task = used && this.#store.task(region, used.task)?.task
    if (!task) return undefined
    if (used.hash === hash) return task
    const message = "The clientToken was used for a request with other parameters within the last 24 hours."
    throw new AwsError("ConflictException", message, 400, { resourceIds: [task.taskArn] })
  }

  #task(reference: unknown, cluster: Cluster): Task | undefined {
    const task = this.#store.task(cluster.region, idIn(reference))?.task
    return task?.clusterArn === cluster.arn ? task : undefined
  }

  #describe(input: Input, caller: Caller) {
    const cluster = this.#cluster(input.cluster, caller)
    const wanted = Array.isArray(input.tasks) ? input.tasks : []
    if (wanted.length < 1 || wanted.length > mostDescribed) throw invalid(`tasks must name 1 to ${mostDescribed} tasks.`)
    const found = wanted.map((reference) => ({ reference, task: this.#task(reference, cluster) }))
    return {
      tasks: found.flatMap(({ task }) => task ?? []),
      failures: found.filter(({ task }) => !task).map(({ reference }) => ({ arn: String(reference), reason: "MISSING" })),
    }
  }

  #list(input: Input, caller: Caller) {
    const cluster = this.#cluster(input.cluster, caller)
    const { startedBy, family, desiredStatus = "RUNNING", maxResults = 100, nextToken = "0" } = input
    const size = Number(maxResults)
    const from = Number(nextToken)
    if (!(size >= 1 && size <= 100)) throw invalid("maxResults must be from 1 to 100.")
    if (!Number.isInteger(from)) throw invalid("nextToken is not valid.")
    const all = this.#store
      .tasks(cluster.region)
      .filter(
        (task) =>
          task.clusterArn === cluster.arn &&
          task.desiredStatus === desiredStatus &&
          (startedBy === undefined || task.startedBy === startedBy) &&
          (family === undefined || task.taskDefinitionArn.includes(`:task-definition/${family}:`)),
      )
    const taskArns = all.slice(from, from + size).map(({ taskArn }) => taskArn)
    return { taskArns, ...(from + size < all.length && { nextToken: String(from + size) }) }
  }

  #stop({ cluster, task: reference, reason }: Input, caller: Caller) {
    const found = this.#cluster(cluster, caller)
    const task = this.#task(reference, found)
    if (!task) throw invalid("The referenced task was not found.")
    return { task: this.#runner.stop(found.region, task, String(reason ?? "Task stopped by user")) }
  }
}

/**
 * ECS of one machine, as far as tasks on Fargate go. No image is pulled: the machine's own system stands for the image, and `taskImage`
 * for what the first container of a task definition copies to `/opt/dormouse`, so that of every task the command of its one essential
 * container is run, in bubblewrap or as a plain process; the other containers count as done. Memory is limited as the task definition says, and so are processes; CPU is not. What
 * containers write to their outputs goes to `logs/tasks/<task id>.log` in the data folder.
 *
 * State survives `kill -9`: what ran then is stopped at the next start, and its event is put.
 */
export const openEcs = (options: Options): Ecs => new Ecs(options)
