import { AsyncLocalStorage } from "node:async_hooks"
import { Problem } from "#core/problem.ts"
import { operationOf, type Reply, type Request, textOf } from "#test/world/requests.ts"
import type { Life } from "./life.ts"

/**
 * Puts one fault between the core and AWS: every request of the SDK passes here, below its own retries. Requests that are made outside
 * of `invoke` pass untouched.
 */

export const modes = [
  /** The process dies before the call. */
  "crash before",
  /** It dies when AWS has done it, before it hears so. */
  "crash after",
  /** AWS did it and the answer is lost: the SDK asks again by itself. */
  "timeout with effect",
  /** No try reaches AWS. */
  "timeout without effect",
  /** AWS refuses every try for now. */
  "throttled",
  /** While the answer travels, the task is cancelled, and everybody hears of that. */
  "stale read",
  /** Whoever invoked it does so again, and that one overtakes it here. */
  "delivered twice",
] as const

export type Mode = (typeof modes)[number]

/** One call of one transition. */
export interface Call {
  /** Name of the transition within its scenario. */
  transition: string
  /** Which call of it, from 0. */
  index: number
  /** `TransactWriteItems`, `SendTaskSuccess` … */
  operation: string
  /** Whether there is a task yet that somebody could cancel. */
  hasTask: boolean
}

export interface Fault extends Call {
  mode: Mode
}

interface Invocation {
  life: Life
  transition: string
  calls: number
  isDead: boolean
  crash: () => void
  again: () => Promise<unknown>
}

const invocations = new AsyncLocalStorage<Invocation | undefined>()

/** The process in which the transition ran is gone. */
export class Crash extends Error {}

/** Runs a transition as one invocation of its own. Rejects with `Crash` where it died: what it would have done next, it never does. */
export const invoke = <Result>(life: Life, transition: string, work: () => Promise<Result>): Promise<Result> =>
  new Promise((resolve, reject) => {
    const crash = () => {
      invocation.isDead = true
      reject(new Crash(transition))
    }
    const again = () => invoke(life, transition, work)
    const invocation: Invocation = { life, transition, calls: 0, isDead: false, crash, again }
    invocations.run(invocation, work).then(resolve, reject)
  })

/** Does something that is no part of what is put to the test. */
export const aside = <Result>(work: () => Promise<Result>) => invocations.run(undefined, work)

type Send = () => Promise<Reply>

const isRead = (operation: string) => /^(Get|Query|BatchGet|Describe|List|HEAD)/.test(operation)

const never = () => new Promise<never>(() => undefined)

const failure = (name: string) => Object.assign(new Error(`${name}, as a test wants it`), { name })

const unlessRefused = (error: unknown) => {
  if (!(error instanceof Problem)) throw error
}

/** What a mode does to a call whose first try this is. */
const effects: Record<Mode, (send: Send, invocation: Invocation) => Promise<Reply>> = {
  "crash before": async (_, { crash }) => {
    crash()
    return never()
  },
  "crash after": async (send, { crash }) => {
    await send()
    crash()
    return never()
  },
  "timeout with effect": async (send) => {
    await send()
    throw failure("TimeoutError")
  },
  "timeout without effect": () => Promise.reject(failure("TimeoutError")),
  throttled: () => Promise.reject(failure("ThrottlingException")),
  "stale read": async (send, { life }) => {
    const reply = await send()
    await aside(() => life.cancelNow()).catch(unlessRefused)
    await life.world.time.settle()
    return reply
  },
  "delivered twice": async (send, { again }) => {
    await again().catch(() => undefined)
    return send()
  },
}

const isLasting = (mode: Mode) => mode === "timeout without effect" || mode === "throttled"

/** Whether a mode can happen to a call at all. */
export const canHappen = (mode: Mode, { operation, hasTask }: Call) => mode !== "stale read" || (hasTask && isRead(operation))

/** What is put between the SDK and AWS. */
export const intercept = (request: Request, send: Send): Promise<Reply> => {
  const invocation = invocations.getStore()
  if (!invocation) return send()
  const { life, transition, isDead } = invocation
  if (isDead) return never()
  const { fault } = life
  const id = request.headers["amz-sdk-invocation-id"]
  if (life.faulted !== undefined && life.faulted === id && fault && isLasting(fault.mode))
    return effects[fault.mode](send, invocation)
  if (!/attempt=1\b/.test(request.headers["amz-sdk-request"] ?? "")) return send()
  // The sweeper looks after the tasks of everybody.
  if (transition !== "sweep") life.learn(textOf(request.body))
  const call = { transition, index: invocation.calls++, operation: operationOf(request), hasTask: life.taskId !== undefined }
  life.calls.push(call)
  if (!fault || life.faulted !== undefined || fault.transition !== transition || fault.index !== call.index) return send()
  life.faulted = id
  return effects[fault.mode](send, invocation)
}
