import type { EventType } from "./event.entity.ts"
import type { ProblemCode } from "./problem.ts"
import type { closings } from "./signal.entity.ts"
import type { Container, Mode, Status, wakeReasons } from "./task.entity.ts"

/**
 * Every rule about states, as one pure function. What happens to a task is a signal; the answer says what becomes of it, and the
 * callers only carry it out. The table in docs/lifecycle.md is made from it.
 */

/** The part of a task that its future depends on. */
export interface State {
  status: Status
  mode: Mode
  /** Made as a conversation, whatever its mode is now. */
  isConversation: boolean
  /** The current turn. It is queued until a container has taken it up. */
  turnNumber: number
  isTurnStarted: boolean
  /** The latest turn that is done. */
  turnsCompleted: number
  /** Messages for the turn after it. */
  queuedMessages: number
  /** The container of the current run, if one is live. */
  container: Container
  /** Somebody has cancelled it, and its container still saves what it has. */
  isCancelling: boolean
  /** It hibernates because the account has no credit. */
  isPaused: boolean
  /** It waits until its account may run another one. */
  isQueued: boolean
  /** Containers lost in a row. */
  losses: number
}

export type WakeReason = (typeof wakeReasons)[number]

export type Signal =
  /** A container is being started for the next run. */
  | { kind: "started" }
  /** It took up its run. */
  | { kind: "claimed" }
  /** The container, warm after a turn, took up the next one. */
  | { kind: "turn_taken" }
  /** The agent reached the end of its turn. `isBehind`: there is a message of this turn that it has not seen. */
  | { kind: "turn_completed"; isBehind: boolean }
  /** It reached the end of its work. */
  | { kind: "completed"; isBehind: boolean }
  /** The container says that the work cannot be done: the sentence says why, for a person. */
  | { kind: "failed"; error: string }
  /** The container leaves, and the task goes on with another one later. */
  | { kind: "released"; to: "await_input" | "pause" | "hibernate"; isBehind: boolean }
  /** The container is gone without a word. */
  | { kind: "lost" }
  /** The execution gave the task up. */
  | { kind: "given_up"; error: string }
  /** The account has no credit for the next run. */
  | { kind: "unaffordable" }
  /** The account runs as many as it may. */
  | { kind: "crowded" }
  /** It may run one more. */
  | { kind: "place" }
  /** A person wrote. */
  | { kind: "message" }
  | { kind: "cancel" }
  | { kind: "wake"; reason: Exclude<WakeReason, "time"> }
  /** The time has come that it sleeps until, or that it may wait for a message. */
  | { kind: "due" }
  /** A conversation is handed over to the agent, or taken back. */
  | { kind: "mode"; mode: Mode }

/** How a run ended. */
export type RunEnd = "completed" | "failed" | "released" | "lost"

export interface Change {
  set: Partial<State>
  events: EventType[]
  error?: string
  /** How the live run ends, where it does. */
  run?: RunEnd
  /** How the current waiting of the execution ends, where it does. */
  close?: (typeof closings)[number]
  wake?: WakeReason
}

interface Refusal {
  problem: ProblemCode
}

export const terminal: readonly Status[] = ["finished", "failed", "cancelled", "expired"]

export const isTerminal = (status: Status) => terminal.includes(status)

/** Whether its execution waits for something other than a container. */
export const isParked = ({ status, container, isQueued }: Pick<State, "status" | "container" | "isQueued">) =>
  container === "none" && (status === "awaiting_input" || status === "hibernating" || isQueued)

/** How an execution goes on whose task stands like this and has no container; undefined while one is at work. */
export function closingFor({ status, container, isCancelling, isQueued }: State): Change["close"] {
  if (status === "cancelled" || isCancelling) return "Cancelled"
  if (isTerminal(status)) return "success"
  if (container !== "none") return undefined
  if (isQueued) return "AwaitPlace"
  return status === "hibernating" ? "Hibernate" : status === "awaiting_input" ? "AwaitInput" : "Lost"
}

/** The turn that a message belongs to which was accepted in this state. */
export const turnOfMessage = ({ mode, isTurnStarted, turnNumber }: State) =>
  mode === "conversation" && isTurnStarted ? turnNumber + 1 : turnNumber

/**
 * What a signal makes of a task in this state; undefined where it means nothing (any more): signals come twice, late and out of order,
 * and terminal states are final. A refusal is for whoever asked.
 */
export function next(state: State, signal: Signal): Change | Refusal | undefined {
  if (isTerminal(state.status)) return afterTheEnd(signal)
  switch (signal.kind) {
    case "started":
      return canStart(state) ? { set: { container: "starting" }, events: [] } : undefined
    case "claimed":
      return claimed(state)
    case "turn_taken":
      return state.container === "claimed" && hasQueuedTurn(state) ? takeTurn : undefined
    case "turn_completed":
      return fromContainer(state, (at) => turnCompleted(at, signal.isBehind))
    case "completed":
      return fromContainer(state, (at) => completed(at, signal.isBehind))
    case "failed":
      return fromContainer(state, () => end("failed", "failed", signal.error))
    case "released":
      return released(state, signal)
    case "lost":
      return lost(state)
    case "given_up":
      return state.isCancelling ? end("cancelled", "lost") : end("failed", "lost", signal.error)
    case "unaffordable":
      return canStart(state) ? pause : undefined
    case "crowded":
      return canStart(state) ? { set: { isQueued: true }, events: [], close: "AwaitPlace" } : undefined
    case "place":
      return state.isQueued ? { set: { isQueued: false }, events: [], close: "success" } : undefined
    case "message":
      return message(state)
    case "cancel":
      return cancel(state)
    case "wake":
      return wake(state, signal.reason)
    case "due":
      return due(state)
    case "mode":
      return switchMode(state, signal.mode)
  }
}

function afterTheEnd(signal: Signal): Refusal | undefined {
  if (signal.kind === "message" || signal.kind === "mode") return { problem: "task_ended" }
  return signal.kind === "wake" && signal.reason !== "credit" ? { problem: "not_hibernating" } : undefined
}

/** Whether there is work for a container, and none that does it. */
export const canStart = ({ status, container, isCancelling, isQueued }: State) =>
  container === "none" && !isCancelling && !isQueued && (status === "pending" || status === "running")

/** Whether the next turn waits for a container to take it up. */
export const hasQueuedTurn = ({ status, isTurnStarted }: State) => status === "running" && !isTurnStarted

const takeTurn: Change = { set: { isTurnStarted: true }, events: ["task.turn.started"] }

function claimed({ container, isTurnStarted }: State): Change | undefined {
  if (container !== "starting") return undefined
  const set = { status: "running", container: "claimed" } as const
  // The turn of a lost attempt is done again, but it has begun only once.
  return isTurnStarted ? { set, events: [] } : { ...takeTurn, set: { ...set, ...takeTurn.set } }
}

/** What a container may say while it works: once somebody has cancelled the task, its last word only ends it. */
function fromContainer(state: State, decide: (state: State) => Change | Refusal | undefined) {
  if (state.container !== "claimed") return undefined
  if (state.isCancelling) return end("cancelled", "failed")
  return state.status === "running" ? decide(state) : undefined
}

const closingOf = { finished: "success", failed: "success", cancelled: "Cancelled", expired: "success" } as const

/** The end of the task. */
function end(status: keyof typeof closingOf, run: RunEnd, error?: string): Change {
  return {
    set: { status, container: "none", isPaused: false, isQueued: false, isCancelling: false },
    events: [`task.${status}`],
    ...(error === undefined ? {} : { error }),
    run,
    close: closingOf[status],
  }
}

/** The end of a turn: what was queued, or the agent that was told to take over, makes the next one. */
function endTurn({ mode, queuedMessages, turnNumber }: State): Change {
  const done = { turnsCompleted: turnNumber, isTurnStarted: false }
  if (queuedMessages > 0 || mode === "autonomous") {
    return {
      set: { ...done, status: "running", turnNumber: turnNumber + 1, queuedMessages: 0 },
      events: ["task.turn.completed", "task.turn.queued"],
    }
  }
  return { set: { ...done, status: "awaiting_input" }, events: ["task.turn.completed", "task.awaiting_input"] }
}

function turnCompleted(state: State, isBehind: boolean): Change | Refusal | undefined {
  if (!state.isTurnStarted) return undefined
  if (isBehind) return { problem: "message_waiting" }
  const turn = endTurn(state)
  return { ...turn, set: { ...turn.set, losses: 0 } }
}

function completed(state: State, isBehind: boolean): Change | Refusal {
  if (isBehind) return { problem: "message_waiting" }
  if (state.mode === "autonomous") {
    // What was queued before the agent took over has a turn of its own.
    if (state.queuedMessages > 0) return { problem: "message_waiting" }
    const finished = end("finished", "completed")
    const set = { ...finished.set, turnsCompleted: state.turnNumber }
    return { ...finished, set, events: ["task.turn.completed", ...finished.events] }
  }
  // The person took the conversation back while the agent finished: that was its turn, and the container is leaving.
  const turn = endTurn(state)
  return { ...turn, set: { ...turn.set, container: "none", losses: 0 }, run: "completed", close: "AwaitInput" }
}

const sleep: Change = {
  set: { status: "hibernating", container: "none", losses: 0 },
  events: ["task.hibernating"],
  run: "released",
  close: "Hibernate",
}

const pause: Change = { ...sleep, set: { ...sleep.set, isPaused: true } }

function released(state: State, signal: Extract<Signal, { kind: "released" }>): Change | Refusal | undefined {
  if (signal.to === "await_input") return leave(state)
  return fromContainer(state, ({ mode, queuedMessages }) => {
    if (signal.to === "pause") return pause
    if (mode === "conversation") return { problem: "hibernation_in_conversation" }
    return signal.isBehind || queuedMessages > 0 ? { problem: "message_waiting" } : sleep
  })
}

function leave({ status, container, isTurnStarted }: State): Change | Refusal | undefined {
  if (container !== "claimed") return undefined
  if (status === "awaiting_input")
    return { set: { container: "none", losses: 0 }, events: [], run: "released", close: "AwaitInput" }
  return { problem: isTurnStarted ? "turn_running" : "message_waiting" }
}

function lost({ status, container, isCancelling, losses }: State): Change | undefined {
  if (container === "none") return undefined
  if (isCancelling) return end("cancelled", "lost")
  // A container that only waited leaves nothing undone.
  if (status === "awaiting_input") return { set: { container: "none" }, events: [], run: "lost", close: "AwaitInput" }
  return { set: { container: "none", losses: losses + 1 }, events: [], run: "lost", close: "Lost" }
}

function message(state: State): Change | Refusal {
  const { status, mode, isCancelling, isPaused, isTurnStarted, queuedMessages, turnNumber, container } = state
  if (isCancelling) return { problem: "task_ended" }
  if (status === "awaiting_input") {
    return {
      set: { status: "running", turnNumber: turnNumber + 1, isTurnStarted: false },
      events: ["task.message.created", "task.turn.queued"],
      ...(container === "none" ? { close: "success" as const } : {}),
    }
  }
  const said: Change = { set: {}, events: ["task.message.created"] }
  if (mode === "conversation") return isTurnStarted ? { ...said, set: { queuedMessages: queuedMessages + 1 } } : said
  // It steers the running turn, and wakes an agent that sleeps; not one that has no credit.
  if (status !== "hibernating" || isPaused) return said
  const woken = awake("message")
  return { ...woken, events: [...said.events, ...woken.events] }
}

const awake = (reason: WakeReason): Change => ({
  set: { status: "running", isPaused: false },
  events: ["task.woken"],
  close: "success",
  wake: reason,
})

function wake({ status, isPaused }: State, reason: WakeReason): Change | Refusal | undefined {
  if (status !== "hibernating") return reason === "credit" ? undefined : { problem: "not_hibernating" }
  if (reason === "credit") return isPaused ? awake(reason) : undefined
  return isPaused ? { problem: "waiting_for_credit" } : awake(reason)
}

function due({ status, container, isPaused }: State): Change | undefined {
  if (container !== "none") return undefined
  if (status === "awaiting_input") return end("expired", "lost")
  return status === "hibernating" && !isPaused ? awake("time") : undefined
}

function cancel({ status, container, isCancelling }: State): Change | undefined {
  if (isCancelling) return undefined
  const isAtWork = container === "claimed" && status === "running"
  return isAtWork ? { set: { isCancelling: true }, events: [], close: "Cancelled" } : end("cancelled", "lost")
}

function switchMode(state: State, mode: Mode): Change | Refusal | undefined {
  const { status, container, isCancelling, isPaused, turnNumber } = state
  if (isCancelling) return { problem: "task_ended" }
  if (state.mode === mode) return undefined
  const switched: Change = { set: { mode }, events: ["task.mode_switched"] }
  const parked = container === "none" ? { close: "success" as const } : {}
  if (status === "awaiting_input") {
    const set = { ...switched.set, status: "running" as const, turnNumber: turnNumber + 1, isTurnStarted: false }
    return { set, events: [...switched.events, "task.turn.queued"], ...parked }
  }
  if (status === "hibernating" && !isPaused && mode === "conversation") {
    const turn = endTurn({ ...state, mode })
    return { set: { ...switched.set, ...turn.set }, events: [...switched.events, ...turn.events], ...parked }
  }
  return switched
}
