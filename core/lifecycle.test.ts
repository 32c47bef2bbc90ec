import { readFileSync, writeFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { types } from "./event.entity.ts"
import { type Change, canStart, closingFor, isParked, isTerminal, next, type Signal, type State, terminal } from "./lifecycle.ts"
import { problems } from "./problem.ts"
import { closings } from "./signal.entity.ts"
import { type Status, statuses } from "./task.entity.ts"

const signals: Signal[] = [
  { kind: "started" },
  { kind: "claimed" },
  { kind: "turn_taken" },
  { kind: "turn_completed", isBehind: false },
  { kind: "turn_completed", isBehind: true },
  { kind: "completed", isBehind: false },
  { kind: "completed", isBehind: true },
  { kind: "failed", error: "The provider refused the key." },
  { kind: "released", to: "await_input", isBehind: false },
  { kind: "released", to: "hibernate", isBehind: false },
  { kind: "released", to: "hibernate", isBehind: true },
  { kind: "released", to: "pause", isBehind: false },
  { kind: "lost" },
  { kind: "given_up", error: "It could not be run." },
  { kind: "unaffordable" },
  { kind: "crowded" },
  { kind: "place" },
  { kind: "message" },
  { kind: "cancel" },
  { kind: "wake", reason: "message" },
  { kind: "wake", reason: "external_wake" },
  { kind: "wake", reason: "credit" },
  { kind: "due" },
  { kind: "mode", mode: "autonomous" },
  { kind: "mode", mode: "conversation" },
]

const fresh = (isConversation: boolean): State => ({
  status: "pending",
  mode: isConversation ? "conversation" : "autonomous",
  isConversation,
  turnNumber: 1,
  isTurnStarted: false,
  turnsCompleted: 0,
  queuedMessages: 0,
  container: "none",
  isCancelling: false,
  isPaused: false,
  isQueued: false,
  losses: 0,
})

/** Signals that only a conversation can be sent: the operations look, and so does the search. */
const isFor = ({ isConversation }: State, { kind }: Signal) => isConversation || (kind !== "message" && kind !== "mode")

/** States that differ only in how far they have counted have the same future: numbers are kept small, so that the search ends. */
const keyOf = (state: State) =>
  JSON.stringify({
    ...state,
    turnNumber: 0,
    turnsCompleted: state.turnNumber - state.turnsCompleted,
    queuedMessages: Math.min(state.queuedMessages, 2),
    losses: Math.min(state.losses, 4),
  })

interface Step {
  before: State
  signal: Signal
  change: Change
  after: State
}

/**
 * Every state that a task can get into, whatever comes in whatever order, twice or never, with every step there is. Since each signal is
 * tried in each state, a duplicated, reordered or lost one is among the ways.
 */
const walk = (first: State) => {
  const states = new Map([[keyOf(first), first]])
  const steps: Step[] = []
  for (const before of states.values()) {
    for (const signal of signals.filter((one) => isFor(before, one))) {
      const change = next(before, signal)
      if (!change || "problem" in change) continue
      const after = { ...before, ...change.set }
      steps.push({ before, signal, change, after })
      if (!states.has(keyOf(after))) states.set(keyOf(after), after)
    }
  }
  return { states: [...states.values()], steps }
}

const walks = [walk(fresh(false)), walk(fresh(true))]
const steps = walks.flatMap((one) => one.steps)
const states = walks.flatMap((one) => one.states)

describe("every state that can be reached, by every way", () => {
  test("all statuses are, and each with and without a container where that makes sense", () => {
    expect(new Set(states.map(({ status }) => status))).toEqual(new Set(statuses))
    // Printed for whoever wants to know how much was looked at.
    expect({ states: states.length, steps: steps.length }).toEqual({ states: expect.any(Number), steps: expect.any(Number) })
    expect(states.length).toBeGreaterThan(60)
  })

  test("I2: terminal states are final, and nobody works on them", () => {
    for (const state of states.filter(({ status }) => isTerminal(status))) {
      expect(state.container).toBe("none")
      for (const signal of signals) expect(next(state, signal) ?? { problem: "nothing" }).toHaveProperty("problem")
    }
    expect(new Set(terminal)).toEqual(new Set(["finished", "failed", "cancelled", "expired"]))
  })

  test("I1: a container is only started where there is none, so there is one at most", () => {
    for (const { before, after, signal } of steps) {
      if (after.container === "starting" && before.container !== "starting") {
        expect([before.container, signal.kind]).toEqual(["none", "started"])
      }
      if (after.container === "claimed" && before.container !== "claimed") {
        expect([before.container, signal.kind]).toEqual(["starting", "claimed"])
      }
    }
  })

  test("I1: whenever a container is gone, its run has ended, and the other way round", () => {
    for (const { before, after, change } of steps) {
      const isGone = before.container !== "none" && after.container === "none"
      if (isGone) expect(change.run).toBeDefined()
      if (change.run && before.container !== "none") expect(after.container).toBe("none")
    }
  })

  test("I3: the end is in reach from everywhere, without anybody's help: losing, giving up, waiting", () => {
    const byItself: Signal[] = [{ kind: "lost" }, { kind: "due" }, { kind: "started" }, { kind: "given_up", error: "x" }]
    for (const state of states) {
      if (isTerminal(state.status)) continue
      const reached = byItself.map((signal) => next(state, signal)).filter((change) => change && !("problem" in change))
      expect(reached.length).toBeGreaterThan(0)
    }
  })

  test("I3: a task that nobody works on is parked, or can be started", () => {
    for (const state of states) {
      if (isTerminal(state.status) || state.container !== "none") continue
      expect(isParked(state) !== canStart(state)).toBe(true)
      expect(closingFor(state)).toBeDefined()
    }
  })

  test("I3: what makes a parked task go on or end closes its waiting, unless its time was over and closed it", () => {
    for (const { before, after, signal, change } of steps) {
      if (!isParked(before) || isParked(after) || signal.kind === "due") continue
      expect(change.close).toBeDefined()
    }
  })

  test("I3: whatever ends a run closes the waiting of its execution, as the task stands then", () => {
    for (const { before, after, change } of steps) {
      if (before.container === "none" || after.container !== "none") continue
      const closing = closingFor(after)
      // The turn that is already there is found by the state that waits for one.
      expect([closing, "AwaitInput"]).toContain(change.close)
    }
  })

  test("I7: once cancelled, a task ends as cancelled whatever its container or anybody says", () => {
    for (const { before, after } of steps) {
      if (before.isCancelling && !after.isCancelling) expect(after.status).toBe("cancelled")
    }
    for (const state of states.filter(({ isCancelling }) => isCancelling)) {
      expect(next(state, { kind: "message" })).toEqual({ problem: "task_ended" })
      expect(next(state, { kind: "cancel" })).toBeUndefined()
    }
  })

  test("I7: every task that has not ended can be cancelled, and is at once where no container works", () => {
    for (const state of states.filter(({ status, isCancelling }) => !isTerminal(status) && !isCancelling)) {
      const change = next(state, { kind: "cancel" }) as Change
      const isAtWork = state.container === "claimed" && state.status === "running"
      expect(change.set).toMatchObject(isAtWork ? { isCancelling: true } : { status: "cancelled" })
      expect(change.close).toBe("Cancelled")
    }
  })

  test("I4: every change of status is told, once and last, and nothing is told of what did not happen", () => {
    const news: Partial<Record<Status, string>> = { awaiting_input: "task.awaiting_input", hibernating: "task.hibernating" }
    for (const { before, after, change } of steps) {
      expect(types).toEqual(expect.arrayContaining(change.events))
      if (isTerminal(after.status)) expect(change.events.at(-1)).toBe(`task.${after.status}`)
      const told = news[after.status]
      if (told && before.status !== after.status) expect(change.events.at(-1)).toBe(told)
      if (before.status === after.status && told) expect(change.events).not.toContain(told)
    }
  })

  test("turns are done one after the other, and each begins once", () => {
    for (const { before, after, change } of steps) {
      expect(after.turnNumber - before.turnNumber).toBeOneOf([0, 1])
      expect(after.turnsCompleted - before.turnsCompleted).toBeOneOf([0, 1])
      expect(after.turnNumber - after.turnsCompleted).toBeOneOf([0, 1])
      const began = !before.isTurnStarted && after.isTurnStarted
      expect(change.events.includes("task.turn.started")).toBe(began)
      expect(change.events.includes("task.turn.completed")).toBe(after.turnsCompleted > before.turnsCompleted)
    }
  })

  test("a queued message always leads to a turn: it is never left behind by a task that waits", () => {
    for (const state of states) if (state.status === "awaiting_input") expect(state.queuedMessages).toBe(0)
  })

  test("nobody leaves while a message waits", () => {
    for (const { after, signal } of steps) {
      if (signal.kind === "released" && signal.to === "await_input") expect(after.status).toBe("awaiting_input")
      if ("isBehind" in signal && signal.isBehind && after.mode === "autonomous") expect(after.status).not.toBe("hibernating")
    }
    const behind = states.filter(
      (s) => s.mode === "autonomous" && s.container === "claimed" && s.status === "running" && !s.isCancelling,
    )
    expect(behind.length).toBeGreaterThan(0)
    for (const state of behind) expect(next(state, { kind: "completed", isBehind: true })).toEqual({ problem: "message_waiting" })
  })

  test("nothing ends, and nobody sleeps, over a message that was not seen or has no turn yet", () => {
    for (const { before, after, signal } of steps.filter((step) => !step.before.isCancelling)) {
      if ("isBehind" in signal && signal.isBehind) expect(after.turnsCompleted).toBe(before.turnsCompleted)
      if (signal.kind === "completed" && after.status === "finished") expect(before.queuedMessages).toBe(0)
      if (signal.kind === "released" && signal.to === "hibernate") expect(before.queuedMessages).toBe(0)
    }
  })

  test("a task queues for its container only, and nothing but a place or its end takes it out of the queue", () => {
    for (const { before, after, signal } of steps) {
      if (after.isQueued) expect([after.container, after.isCancelling, isParked(after)]).toEqual(["none", false, true])
      if (before.isQueued && !after.isQueued) expect(signal.kind === "place" || isTerminal(after.status)).toBe(true)
    }
  })

  test("a sleeping task has no container, and only one without credit is paused", () => {
    for (const state of states) {
      if (state.status === "hibernating") expect(state.container).toBe("none")
      if (state.isPaused) expect(state.status).toBe("hibernating")
    }
  })

  test("what is lost in a row is counted, and any progress forgets it", () => {
    for (const { before, after, signal } of steps) {
      if (after.losses > before.losses) expect([signal.kind, after.losses - before.losses]).toEqual(["lost", 1])
      if (signal.kind === "turn_completed" && !isTerminal(after.status)) expect(after.losses).toBe(0)
    }
  })

  test("every refusal and every closing is one that is known", () => {
    for (const state of states) {
      for (const signal of signals) {
        const change = next(state, signal)
        if (change && "problem" in change) expect(problems).toHaveProperty(change.problem)
        else if (change?.close) expect(closings).toContain(change.close)
      }
    }
  })
})

describe("signals that come twice", () => {
  const isRepeatable = ({ kind }: Signal) => !["message", "started", "lost", "given_up", "turn_completed"].includes(kind)

  test("mean nothing the second time, or are refused", () => {
    for (const { signal, after } of steps.filter((step) => isRepeatable(step.signal))) {
      const again = next(after, signal)
      const isDone = !again || "problem" in again
      // The same word may mean the next thing of its kind: a turn that is queued already is taken up, and a run that is over has another.
      if (!isDone) expect(again.set).not.toEqual({})
      if (["claimed", "turn_taken", "cancel", "mode", "due", "wake", "unaffordable", "crowded", "place"].includes(signal.kind))
        expect(isDone).toBe(true)
    }
  })
})

const word = ({ kind, ...rest }: Signal) => {
  const said = Object.entries(rest).flatMap(([name, value]) =>
    name === "isBehind" ? (value ? ["behind"] : []) : name === "error" ? [] : [value],
  )
  return [kind, ...said].join(" ")
}

/** What a person sees of a state. */
const place = ({ status, container, isTurnStarted, isCancelling, isPaused, isQueued }: State) => {
  if (isQueued) return `${status}, without a place`
  if (isCancelling) return "running, being cancelled"
  if (status === "awaiting_input" && container === "claimed") return "awaiting_input, warm"
  if (status === "hibernating" && isPaused) return "hibernating, no credit"
  if (status !== "running") return container === "none" || status !== "pending" ? status : `${status}, container ${container}`
  return container === "claimed"
    ? isTurnStarted
      ? "running"
      : "running, turn queued, container claimed"
    : `running, container ${container}`
}

/** Place by signal, with every outcome that there is. */
const rows = () => {
  const found = new Map<string, Set<string>>()
  for (const { before, signal, change, after } of steps) {
    const key = `| ${place(before)} | ${word(signal)} |`
    const outcome = `${place(after)} | ${change.events.map((type) => type.replace("task.", "")).join(", ")} | ${change.close ?? ""}`
    found.set(key, (found.get(key) ?? new Set()).add(outcome))
  }
  return [...found].flatMap(([key, outcomes]) => [...outcomes].map((outcome) => `${key} ${outcome} |`)).sort()
}

/** What somebody hears whose signal changes nothing; undefined where it changes something, or nobody waits for an answer. */
const answerTo = (state: State, signal: Signal) => {
  const change = next(state, signal)
  if (change && "problem" in change) return `${problems[change.problem][0]} \`${change.problem}\``
  return !change && signal.kind === "cancel" ? "no problem: it changes nothing" : undefined
}

/** Signal by answer, with every place where it is given, and whether something else may come of it there. */
const answers = () => {
  const found = new Map<string, Map<string, Set<string>>>()
  for (const state of states) {
    for (const signal of signals.filter((one) => isFor(state, one))) {
      const byAnswer = found.get(word(signal)) ?? new Map<string, Set<string>>()
      found.set(word(signal), byAnswer)
      const answer = answerTo(state, signal) ?? ""
      byAnswer.set(answer, (byAnswer.get(answer) ?? new Set()).add(place(state)))
    }
  }
  return [...found].flatMap(([signal, byAnswer]) => {
    const isOpen = (at: string) => [...byAnswer.values()].filter((places) => places.has(at)).length > 1
    return [...byAnswer]
      .filter(([answer]) => answer)
      .map(([answer, places]) => {
        const listed = [...places].sort().map((at) => (isOpen(at) ? `${at} *` : at))
        const others = [...new Set(states.map(place))].filter((at) => !places.has(at)).sort()
        const where = listed.length > others.length ? `anything but ${others.join("; ")}` : listed.join("; ")
        return `| ${signal} | ${answer} | ${where} |`
      })
      .sort()
  })
}

const file = new URL("../docs/lifecycle.md", import.meta.url)

test.each([
  ["table", ["| it is | what comes | it becomes | told | the waiting ends as |", "|---|---|---|---|---|"], rows],
  ["refusals", ["| what comes | the answer | while it is |", "|---|---|---|"], answers],
])("the %s in docs/lifecycle.md is what the function says", (name, head, body) => {
  const text = readFileSync(file, "utf8")
  const [before, after] = [text.split(`<!-- ${name} -->`)[0], text.split(`<!-- /${name} -->`)[1]]
  const wanted = `${before}<!-- ${name} -->\n${[...head, ...body()].join("\n")}\n<!-- /${name} -->${after}`
  if (process.env.UPDATE_DOCS) writeFileSync(file, wanted)
  expect(readFileSync(file, "utf8")).toBe(wanted)
})
