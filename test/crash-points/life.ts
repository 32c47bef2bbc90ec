import { randomBytes, randomUUID } from "node:crypto"
import * as Cancellation from "#core/cancellation.ts"
import * as Conversation from "#core/conversation.ts"
import * as Dispatch from "#core/dispatch.ts"
import * as Idempotency from "#core/idempotency.ts"
import { Problem } from "#core/problem.ts"
import * as Run from "#core/run.ts"
import { TaskEntity, type TaskRow } from "#core/task.entity.ts"
import * as Turn from "#core/turn.ts"
import type { Container } from "#test/world/fargate.ts"
import type { World } from "#test/world/world.ts"
import { type Call, type Fault, invoke } from "./fault.ts"
import type { Home } from "./home.ts"

/** One task's life, in which one thing may go wrong. Whoever asks for something asks again until there is an answer. */

const tries = 6
/** Between two tries: longer than a request with an idempotency key is locked. */
const betweenMs = 61_000

/** Long enough for the sweeper to have looked, and once more where something failed. */
const sweptMs = 21 * 60_000

const countedUp = [
  "costMicros",
  "containerSeconds",
  "runtimeSeconds",
  "inputTokens",
  "eventSequence",
  "version",
  "attempt",
] as const

export class Life {
  taskId: string | undefined
  /** The SDK's id of the call to which the fault has happened. */
  faulted: string | undefined
  readonly calls: Call[] = []
  /** What requests of this life said of accounts that are not its own. */
  readonly strange: string[] = []
  /** What went down, though it must only go up. */
  readonly shrunk: string[] = []
  /** Every task that its requests name: its own. */
  readonly tasks = new Set<string>()
  /** Programs in its containers so far. */
  readonly agents: Agent[] = []
  /** Whether the sweeper is there for it: it comes whenever it finds something. Every other life has to do without. */
  isSwept: boolean = false
  /** The record of which nobody ever hears. */
  unheard: string | undefined
  readonly home: Home
  readonly fault: Fault | undefined
  readonly world: World
  readonly #entries = new Map<string, string[]>()
  #seen: TaskRow | undefined

  constructor(world: World, home: Home, fault: Fault | undefined) {
    this.world = world
    this.home = home
    this.fault = fault
  }

  /** A request that makes the task names it: the stream may tell of it before the request is answered. */
  learn(body: string) {
    for (const [id] of body.matchAll(/tsk_[0-9A-Z]{26}/g)) this.tasks.add(id)
    this.taskId ??= [...this.tasks][0]
    for (const [id] of body.matchAll(/acc_[0-9A-Z]{26}/g)) if (id !== this.home.accountId) this.strange.push(id)
  }

  /** Looks at what only goes up. */
  watch(task: TaskRow | undefined) {
    for (const name of countedUp) {
      const [before, after] = [this.#seen?.[name] ?? 0, task?.[name] ?? 0]
      if (task && after < before) this.shrunk.push(`${name} went from ${before} to ${after}`)
    }
    this.#seen = task ?? this.#seen
  }

  /** Which entry of a state this is. */
  numberOf(state: string, entry: string) {
    const known = this.#entries.get(state) ?? []
    if (!known.includes(entry)) this.#entries.set(state, [...known, entry])
    return this.#entries.get(state)!.indexOf(entry) + 1
  }

  /** Whether the sweeper finds anything of it, or will within so much time. */
  async isDue(withinMs = 0): Promise<boolean> {
    if (this.taskId === undefined) return false
    const until = new Date(Date.now() + withinMs).toISOString()
    const items = await this.world.items(`${this.home.accountId}#${this.taskId}`)
    return items.some(({ sweepAt }) => sweepAt < until)
  }

  row(): Promise<TaskRow> {
    return this.world.item(`${this.home.accountId}#${this.taskId}`, "task")
  }

  /** The task once it is as wanted, or has ended, or can only end. */
  async until(isThere: (task: TaskRow) => boolean): Promise<TaskRow> {
    let task = await this.row()
    await this.world.time.until(async () => {
      task = await this.row()
      return isThere(task) || task.completedAt !== undefined || task.isCancelling
    })
    return task
  }

  /** Somebody asks for something, and again where there was no answer. A refusal is an answer. */
  async ask<Result>(name: string, work: () => Promise<Result>): Promise<Result | undefined> {
    for (let i = 1; ; i++) {
      try {
        return await this.world.time.drive(invoke(this, name, work))
      } catch (error) {
        if (error instanceof Problem && !/^(conflict|idempotency_in_progress)$/.test(error.code)) return undefined
        if (i === tries) throw error
        await this.world.time.pass(betweenMs)
      }
    }
  }

  /** Asks as a customer does, with a key by which the same request is known again. */
  async askOnce<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    const keyed = { accountId: this.home.accountId, key: randomUUID(), request: name }
    const whole = async () => ({ status: 200, headers: {}, body: JSON.stringify(await work()) })
    const done = await this.ask(name, () => Idempotency.once(keyed, whole))
    return JSON.parse(done?.answer.body ?? "{}")
  }

  async dispatch() {
    const { accountId, agentId } = this.home
    const body = Dispatch.Create.parse({ instructions: "Write the report." })
    const task = await this.askOnce("dispatch", () => Dispatch.dispatch(accountId, agentId, body))
    this.learn(task.id)
    this.taskId = task.id
  }

  async converse(overrides: object = {}) {
    const { accountId, agentId } = this.home
    const body = Conversation.Create.parse({ instructions: "Help.", message: "Which flowers bloom?", overrides })
    const { task } = await this.askOnce("converse", () => Conversation.create(accountId, agentId, body))
    this.learn(task.id)
    this.taskId = task.id
  }

  say(name: string) {
    return this.askOnce(name, () => Conversation.say(this.home.accountId, this.taskId!, { content: "And in winter?" }))
  }

  cancel() {
    return this.ask("cancel", () => this.cancelNow())
  }

  cancelNow() {
    return Cancellation.request(this.home.accountId, this.taskId!)
  }

  /** Waits for a container and has it claim its run. It does so at once, whatever the function that has started it does. */
  async claim(attempt = 1): Promise<Agent> {
    const { accountId } = this.home
    const isThere = () => this.world.fargate.of(this.taskId!)[attempt - 1]
    await this.until((task) => isThere() !== undefined || task.attempt > attempt)
    const container = isThere()
    const agent = new Agent(this, container)
    this.agents.push(agent)
    await this.ask(`claim ${attempt}`, async () => {
      const ref = await Run.ofClaimToken(container?.environment.DORMOUSE_CLAIM_TOKEN)
      if (ref.accountId !== accountId) this.strange.push(ref.accountId)
      return Run.claim(ref, { run_token_hash: Run.hashOf(agent.token) })
    })
    return agent
  }

  /** Changes the row from outside. */
  async patch(set: Partial<TaskRow>) {
    const { accountId } = this.home
    await TaskEntity.patch({ accountId, taskId: this.taskId! }).set(set).go()
  }

  /** Ends its execution, as an operator may. */
  async stopExecution() {
    await this.world.stepFunctions("StopExecution", { executionArn: this.world.executionOf(this.taskId!) })
  }

  /** Uploads a part of a checkpoint. */
  store(name: string, bytes: number) {
    this.world.bucket.set(`checkpoints/${this.home.accountId}/${this.taskId}/${name}`, bytes)
  }

  /** What has no end yet is cancelled. Then everything comes to rest. */
  async end(): Promise<TaskRow> {
    const last = await this.row()
    if (last.completedAt === undefined && !last.isCancelling) await this.world.time.drive(this.cancelNow())
    await this.world.time.until(async () => (await this.row()).completedAt !== undefined)
    // Long enough for whatever is to be killed, and for the sweeps after the one that failed.
    await this.world.time.pass(this.isSwept ? sweptMs : 250_000)
    return this.row()
  }

  /** What the sweeper is still to look at, it looks at. */
  async tidy() {
    if (await this.isDue(sweptMs)) await this.world.time.pass(sweptMs)
  }
}

/** The program in a container, as far as it speaks to us. */
export class Agent {
  readonly token = randomBytes(32).toString("base64url")
  readonly #life: Life
  readonly #container: Container | undefined

  constructor(life: Life, container: Container | undefined) {
    this.#life = life
    this.#container = container
  }

  /** Asks for something with its run token. */
  ask<Result>(name: string, work: (ref: Run.Ref) => Promise<Result>) {
    return this.#life.ask(name, async () => work(await Run.ofToken(this.token)))
  }

  /** The last word of a run; then its container ends by itself. */
  async leave<Result>(name: string, work: (ref: Run.Ref) => Promise<Result>) {
    await this.ask(name, work)
    this.exit()
  }

  exit(exitCode = 0) {
    if (this.#container) this.#life.world.fargate.exit(this.#container, { exitCode })
  }

  complete() {
    return this.leave("complete", (ref) => Run.complete(ref, { result: "Done.", messages: [], after: 99 }))
  }

  completeTurn(turn_number: number) {
    return this.ask(`turn ${turn_number} completed`, (ref) => Turn.complete(ref, { turn_number, messages: [] }))
  }

  takeTurn(turn: number) {
    return this.ask("turn taken", (ref) => Turn.receive(ref, ref.taskId, { wait: 0, turn, after: turn }))
  }

  /** Its task was cancelled: it says what it has and ends. */
  giveUp() {
    return this.leave("last word", (ref) => Run.fail(ref, { error: "The task was cancelled." }))
  }
}
