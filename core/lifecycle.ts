import type { EventType } from "./event.entity.ts"
import type { closings } from "./signal.entity.ts"
import type { Status } from "./task.entity.ts"

/**
 * Every rule about states, as one pure function. What happens to a task is a signal; the answer says what becomes of it, and the
 * callers only carry it out.
 */

export type Signal =
  /** A container took up the run of the current attempt. */
  | { kind: "claimed" }
  /** The agent reached the end of its work. */
  | { kind: "completed" }
  /** The run ended and cannot be repeated: the sentence says why, for a person. */
  | { kind: "failed"; error: string }
  /** The container is gone without a word. */
  | { kind: "lost" }

export interface Change {
  status: Status
  error?: string
  events: EventType[]
  /** How the waiting of the execution ends, where it does. */
  close?: (typeof closings)[number]
}

export const terminal: readonly Status[] = ["finished", "failed", "cancelled", "expired"]

export const isTerminal = (status: Status) => terminal.includes(status)

/** What a signal makes of a task in this status; undefined where it means nothing any more, since terminal states are final. */
export function next(status: Status, signal: Signal): Change | undefined {
  if (isTerminal(status)) return undefined
  switch (signal.kind) {
    case "claimed":
      return { status: "running", events: status === "running" ? [] : ["task.turn.started"] }
    case "completed":
      return { status: "finished", events: ["task.turn.completed", "task.finished"], close: "success" }
    case "failed":
      return { status: "failed", error: signal.error, events: ["task.failed"], close: "success" }
    case "lost":
      return { status, events: [], close: "Lost" }
  }
}
