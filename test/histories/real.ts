import * as Cancellation from "#core/cancellation.ts"
import * as Conversation from "#core/conversation.ts"
import * as Dispatch from "#core/dispatch.ts"
import { Problem } from "#core/problem.ts"
import * as Run from "#core/run.ts"
import * as Turn from "#core/turn.ts"
import * as Wake from "#core/wake.ts"
import type { Home } from "../crash-points/home.ts"
import { brokenBy, evidenceOf } from "../crash-points/invariants.ts"
import { Agent, Life } from "../crash-points/life.ts"
import type { World } from "../world/world.ts"
import { apply, begun, type Model, parkHours, type StepName } from "./model.ts"

/** A history, lived by the model and by the whole control plane side by side. */

interface Lived {
  world: World
  life: Life
  model: Model
  /** What speaks from the latest container that was claimed, whatever has become of it. */
  agent: Agent | undefined
}

/** What was told to stop has been killed by then, and nobody is missed yet. */
const killedMs = 130_000
const hourMs = 60 * 60_000

/** Everything that was said so far: nothing is news to whoever names it. */
const everything = 999

const switchTo =
  (enabled: boolean): Real =>
  ({ life }) =>
    Conversation.setAutonomous(life.home.accountId, life.taskId!, { enabled })

const fromAgent =
  (work: (ref: Run.Ref, lived: Lived) => Promise<unknown>): Real =>
  async (lived) =>
    work(await Run.ofToken(lived.agent!.token), lived)

/** After its last word a container ends. */
const lastWord =
  (work: (ref: Run.Ref) => Promise<unknown>): Real =>
  async ({ agent }) => {
    await work(await Run.ofToken(agent!.token))
    agent!.exit()
  }

type Real = (lived: Lived) => Promise<unknown>

const claim: Real = async (lived) => {
  const { world, life, model } = lived
  const container = world.fargate.of(life.taskId!)[model.attempt - 1]
  const agent = new Agent(life, container)
  const ref = await Run.ofClaimToken(container?.environment.DORMOUSE_CLAIM_TOKEN)
  await Run.claim(ref, { run_token_hash: Run.hashOf(agent.token) })
  life.agents.push(agent)
  lived.agent = agent
}

const sleep = (ref: Run.Ref) => {
  const until = new Date(Date.now() + parkHours * 3_600_000).toISOString()
  return Run.release(ref, { to: "hibernate", until, reason: "Waiting.", messages: [], after: everything })
}

const reals: Record<StepName, Real> = {
  message: ({ life }) => Conversation.say(life.home.accountId, life.taskId!, { content: "And in winter?" }),
  cancel: ({ life }) => Cancellation.request(life.home.accountId, life.taskId!),
  wake: ({ life }) => Wake.create(life.home.accountId, life.taskId!, { kind: "external_wake" }),
  "hand over": switchTo(true),
  "take back": switchTo(false),
  claim,
  "take turn": fromAgent((ref, { model }) =>
    Turn.receive(ref, ref.taskId, { wait: 0, turn: model.turnNumber, after: everything }),
  ),
  "complete turn": fromAgent((ref, { model }) => Turn.complete(ref, { turn_number: model.turnNumber, messages: [] })),
  complete: lastWord((ref) => Run.complete(ref, { result: "Done.", messages: [], after: everything })),
  fail: lastWord((ref) => Run.fail(ref, { error: "It cannot be done." })),
  leave: lastWord((ref) => Run.release(ref, { to: "await_input" })),
  sleep: lastWord(sleep),
  "lose container": async ({ world, life, model }) => {
    const container = model.container === "none" ? undefined : world.fargate.of(life.taskId!)[model.attempt - 1]
    if (container) world.fargate.exit(container, { exitCode: 137 })
  },
  "an hour passes": async ({ world: { time } }) => {
    await time.pass(killedMs)
    await time.skip(hourMs)
  },
}

const byContainer: StepName[] = ["take turn", "complete turn", "complete", "fail", "leave", "sleep"]

/** Whether there is anybody who could take the step. */
const isPossible = (name: StepName, { agent, model }: Lived) =>
  name === "claim" ? model.container === "starting" : agent !== undefined || !byContainer.includes(name)

const codeOf = (error: unknown) => {
  if (error instanceof Problem) return error.code
  throw error
}

/** What differs between the model and the control plane after a step; undefined where nothing does. */
const step = async (name: StepName, lived: Lived): Promise<string | undefined> => {
  const { world, model } = lived
  const wanted = { ...model }
  const work = reals[name](lived)
  const answer = work.then(() => undefined, codeOf)
  const got = await (name === "an hour passes" ? answer : world.time.drive(answer))
  const problem = apply(model, name)
  await world.time.settle()
  const differences = [...(got === problem ? [] : [`it was answered with ${got}, not ${problem}`]), ...(await compare(lived))]
  return differences.length ? `${name} on ${JSON.stringify(wanted)}: ${differences.join("; ")}` : undefined
}

const compared = [
  "mode",
  "status",
  "turnNumber",
  "isTurnStarted",
  "queuedMessages",
  "container",
  "isCancelling",
  "attempt",
] as const

const compare = async ({ world, life, model }: Lived): Promise<string[]> => {
  const row = await life.row()
  const events = await world.items(`${life.home.accountId}#${life.taskId}`, "event#")
  const types = events.map(({ type }) => type.slice("task.".length)).join()
  return [
    ...compared.filter((name) => row[name] !== model[name]).map((name) => `${name} is ${row[name]}, not ${model[name]}`),
    ...(types === model.events.join() ? [] : [`it lived ${types}, not ${model.events}`]),
  ]
}

const begin = async (world: World, home: Home, isConversation: boolean): Promise<Lived> => {
  const life = new Life(world, home, undefined)
  const { accountId, agentId } = home
  const overrides = { sessionTtlSeconds: parkHours * 3_600 }
  const talk = Conversation.Create.parse({ instructions: "Help.", message: "Which flowers bloom?", overrides })
  const once = Dispatch.Create.parse({ instructions: "Write the report." })
  const make = async () =>
    isConversation ? (await Conversation.create(accountId, agentId, talk)).task : Dispatch.dispatch(accountId, agentId, once)
  const { id } = await world.time.drive(make())
  life.learn(id)
  await world.time.settle()
  return { world, life, model: begun(isConversation), agent: undefined }
}

/** Lives a history to its end. Answers with everything that was not as it should be. */
export const live = async (world: World, home: Home, isConversation: boolean, names: StepName[]): Promise<string[]> => {
  world.told.length = 0
  const lived = await begin(world, home, isConversation)
  for (const name of names) {
    const wrong = isPossible(name, lived) ? await step(name, lived) : undefined
    if (wrong) return [wrong]
  }
  await lived.life.end()
  return brokenBy(await evidenceOf(lived.life))
}
