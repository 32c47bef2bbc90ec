import { millis, sleep } from "#core/clock.ts"
import { newAccount } from "../app.ts"
import type { ChildStack } from "../child-stack.ts"
import { newAgent } from "../make.ts"
import { accounts, agentsOfAccount, type Blow, type Plan, type TaskPlan } from "./plan.ts"

/** What all parts of a soak share: its tasks as far as they have come, and what was counted. */

export type Account = Awaited<ReturnType<typeof newAccount>> & { agentIds: string[] }

export interface SoakTask {
  plan: TaskPlan
  account: Account
  agentId: string
  /** Once its dispatch is known to have been taken. */
  id?: string
  /** What the first answer after its end was, as JSON. */
  end?: string
  /** Milliseconds from its dispatch to the answer that said that it had ended. */
  tookMs?: number
  blows: Blow[]
}

export interface Counts {
  requests: number
  /** Requests without an answer, or with a 5xx, while the stack was killed or away. */
  interrupted: number
  /** Dispatches whose answer was lost: taken all the same, or sent again. */
  adopted: number
  repeated: number
  kill: number
  stop: number
  crash: number
  crashAtStart: number
  /** Blows for which nothing was there to be hit. */
  missed: number
  mostContainers: number
}

export interface Soak {
  plan: Plan
  stack: ChildStack
  accounts: Account[]
  tasks: SoakTask[]
  counts: Counts
  /** What must not be, as it was noticed. */
  wrong: { unavailable: string[]; changed: string[]; backwards: string[]; twice: string[] }
  dispatched: number
  ended: number
  /** When a task last ended, in milliseconds since the epoch. */
  progressAt: number
  /** Nothing more is done: all has ended, or nothing moves any more. */
  isOver: boolean
}

const creditUsd = 5000

/** Accounts and agents for a plan, on a stack that runs. */
export const prepare = async (plan: Plan, stack: ChildStack): Promise<Soak> => {
  const made = await Promise.all(
    Array.from({ length: accounts }, async () => {
      const account = await newAccount(stack.app(), { creditUsd })
      const agents = await Promise.all(Array.from({ length: agentsOfAccount }, () => newAgent(account)))
      return { ...account, agentIds: agents.map(({ id }) => id as string) }
    }),
  )
  const tasks = plan.tasks.map((task): SoakTask => {
    const account = made[task.account]!
    return { plan: task, account, agentId: account.agentIds[task.agent]!, blows: [...task.blows] }
  })
  const counts = { requests: 0, interrupted: 0, adopted: 0, repeated: 0, kill: 0, stop: 0, crash: 0, crashAtStart: 0 }
  return {
    plan,
    stack,
    accounts: made,
    tasks,
    counts: { ...counts, missed: 0, mostContainers: 0 },
    wrong: { unavailable: [], changed: [], backwards: [], twice: [] },
    dispatched: 0,
    ended: 0,
    progressAt: millis(),
    isOver: false,
  }
}

/** Resolves when the stack is there. */
export const untilUp = async ({ stack }: Pick<Soak, "stack">) => {
  while (!stack.isUp()) await sleep(20)
}
