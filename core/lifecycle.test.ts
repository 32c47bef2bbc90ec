import { describe, expect, test } from "vitest"
import { types } from "./event.entity.ts"
import { isTerminal, next, type Signal, terminal } from "./lifecycle.ts"
import { closings } from "./signal.entity.ts"
import { type Status, statuses } from "./task.entity.ts"

const signals: Signal[] = [
  { kind: "claimed" },
  { kind: "completed" },
  { kind: "failed", error: "The provider refused the key." },
  { kind: "lost" },
]
const pairs = statuses.flatMap((status) => signals.map((signal) => ({ status, signal })))
const open = pairs.filter(({ status }) => !isTerminal(status))

/** Everything that can become of a new task, with the events of each way there. */
const reachable = () => {
  const seen = new Set<Status>(["pending"])
  for (const status of seen) for (const signal of signals) seen.add(next(status, signal)?.status ?? status)
  return seen
}

describe("what becomes of a task", () => {
  test("terminal states are final, whatever comes", () => {
    expect(new Set(terminal)).toEqual(new Set(["finished", "failed", "cancelled", "expired"]))
    for (const status of terminal) for (const signal of signals) expect(next(status, signal)).toBeUndefined()
  })

  test.each<[Status, Signal["kind"], Status, string[], string | undefined]>([
    ["pending", "claimed", "running", ["task.turn.started"], undefined],
    ["pending", "lost", "pending", [], "Lost"],
    ["pending", "failed", "failed", ["task.failed"], "success"],
    ["running", "claimed", "running", [], undefined],
    ["running", "completed", "finished", ["task.turn.completed", "task.finished"], "success"],
    ["running", "failed", "failed", ["task.failed"], "success"],
    ["running", "lost", "running", [], "Lost"],
  ])("%s, %s: it is %s", (status, kind, after, events, close) => {
    const change = next(status, signals.find((signal) => signal.kind === kind)!)!
    expect([change.status, change.events, change.close]).toEqual([after, events, close])
  })

  test("a failure keeps its sentence, and nothing else has one", () => {
    for (const { status, signal } of open) {
      expect(next(status, signal)?.error).toBe(signal.kind === "failed" ? signal.error : undefined)
    }
  })

  test("whatever ends a task ends the waiting of its execution, and is announced last", () => {
    for (const { status, signal } of open) {
      const change = next(status, signal)!
      if (!isTerminal(change.status)) continue
      expect(change.close).toBe("success")
      expect(change.events.at(-1)).toBe(`task.${change.status}`)
    }
  })

  test("every event and every closing is one that is known", () => {
    for (const { status, signal } of open) {
      const { events, close } = next(status, signal)!
      expect(types).toEqual(expect.arrayContaining(events))
      if (close) expect(closings).toContain(close)
    }
  })

  test("what can be reached today", () => {
    expect(reachable()).toEqual(new Set(["pending", "running", "finished", "failed"]))
  })
})
