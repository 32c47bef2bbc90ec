import { type Random, randomOf } from "./random.ts"

/** What will happen, all of it decided by the seed before anything begins. */

/** What the model does with a task; see model.ts. */
export const behaviours = ["answer", "file", "command", "busy", "broken", "cut", "slow", "refused"] as const
export type Behaviour = (typeof behaviours)[number]

/**
 * One blow against a task's container: `kill` takes it away as a failing host would, `stop` is the operator's StopTask.
 * - `starting`: as soon as it is seen, and `delayMs` · `asked`: while it waits for the model · `answered`: `delayMs` after the final answer
 */
export interface Blow {
  stage: "starting" | "asked" | "answered"
  kind: "kill" | "stop"
  delayMs: number
}

export interface TaskPlan {
  /** From 0, in the order of the dispatches. */
  number: number
  account: number
  agent: number
  behaviour: Behaviour
  /** How long the model is silent before it answers, where that is its behaviour. */
  silentMs: number
  /** One after the other, each when its stage next comes. */
  blows: Blow[]
}

/** One SIGKILL of the whole stack. */
export interface CrashPlan {
  afterDispatched: number
  delayMs: number
  /** How long it stays away. */
  downMs: number
  /** It is killed again so long after it was started again. */
  againMs: number | undefined
}

export interface Plan {
  tasks: TaskPlan[]
  crashes: CrashPlan[]
}

export const accounts = 3
export const agentsOfAccount = 2

/** Dispatches between two crashes. */
const crashEvery = 12

export const makePlan = ({ seed, tasks, calm }: { seed: number; tasks: number; calm: boolean }): Plan => {
  const random = randomOf(seed)
  const planned = Array.from({ length: tasks }, (_, number) => taskPlan(random, number, calm))
  const crashes = Array.from({ length: Math.floor(tasks / crashEvery) }, (_, n) => crashPlan(random, n, tasks))
  return { tasks: planned, crashes: calm ? [] : crashes }
}

const taskPlan = (random: Random, number: number, calm: boolean): TaskPlan => {
  const plan = {
    number,
    account: random.below(accounts),
    agent: random.below(agentsOfAccount),
    // Twice as much of what uses most of the stack.
    behaviour: random.pick([...behaviours, "file", "command"] as const),
    silentMs: 200 + random.below(2_000),
  }
  const count = random.pick([0, 0, 0, 1, 1, 1, 2, 3])
  const blows = Array.from({ length: count }, () => blow(random))
  return { ...plan, blows: calm ? [] : blows }
}

const blow = (random: Random): Blow => ({
  stage: random.pick(["starting", "asked", "answered"]),
  kind: random.pick(["kill", "kill", "stop"]),
  delayMs: random.below(250),
})

const crashPlan = (random: Random, n: number, tasks: number): CrashPlan => ({
  afterDispatched: Math.min(n * crashEvery + 1 + random.below(crashEvery), tasks),
  delayMs: random.below(2_500),
  downMs: random.below(1_500),
  againMs: random.chance(0.3) ? random.below(2_500) : undefined,
})
