/**
 * What a task is supposed to be after each thing that happens to it, written down a second time and without looking at how it is made:
 * a step changes the model or answers with the code of the problem that it must be refused with. After a step everything has come to
 * rest, so that a container is there whenever there is work for one.
 */

export interface Model {
  isConversation: boolean
  mode: "autonomous" | "conversation"
  status: "pending" | "running" | "awaiting_input" | "hibernating" | "finished" | "failed" | "cancelled" | "expired"
  turnNumber: number
  isTurnStarted: boolean
  queuedMessages: number
  container: "none" | "starting" | "claimed"
  isCancelling: boolean
  /** Containers lost in a row. */
  losses: number
  /** Containers so far. */
  attempt: number
  /** What became of the latest one that was claimed, from its own point of view. */
  lastWord: "none" | "completed" | "failed" | "released"
  /** Hours since it fell asleep or began to wait. */
  parkedHours: number
  /** Types of its events, without their prefix. */
  events: string[]
}

export const begun = (isConversation: boolean): Model => ({
  isConversation,
  mode: isConversation ? "conversation" : "autonomous",
  status: "pending",
  turnNumber: 1,
  isTurnStarted: false,
  queuedMessages: 0,
  container: "starting",
  isCancelling: false,
  losses: 0,
  attempt: 1,
  lastWord: "none",
  parkedHours: 0,
  events: ["created", ...(isConversation ? ["message.created"] : []), "turn.queued"],
})

/** How many hours a sleep lasts, and a wait for a message. */
export const parkHours = 2

const isOver = ({ status }: Model) => ["finished", "failed", "cancelled", "expired"].includes(status)

/** Where there is work and nobody to do it, the next container is there at once. */
const rest = (model: Model) => {
  const hasWork = model.status === "pending" || model.status === "running"
  if (model.container !== "none" || !hasWork || model.isCancelling) return
  if (model.losses === 3) return end(model, "failed")
  model.container = "starting"
  model.attempt++
}

const end = (model: Model, status: Model["status"]) => {
  Object.assign(model, { status, container: "none", isCancelling: false })
  model.events.push(status)
}

const park = (model: Model, status: "awaiting_input" | "hibernating") => {
  Object.assign(model, { status, parkedHours: 0 })
  model.events.push(status)
}

const queueTurn = (model: Model) => {
  Object.assign(model, { status: "running", isTurnStarted: false, turnNumber: model.turnNumber + 1, queuedMessages: 0 })
  model.events.push("turn.queued")
}

const startTurn = (model: Model) => {
  if (!model.isTurnStarted) model.events.push("turn.started")
  model.isTurnStarted = true
}

const endTurn = (model: Model) => {
  model.events.push("turn.completed")
  model.isTurnStarted = false
  if (model.queuedMessages > 0 || model.mode === "autonomous") queueTurn(model)
  else park(model, "awaiting_input")
}

const awake = (model: Model) => {
  model.status = "running"
  model.events.push("woken")
}

const lose = (model: Model) => {
  model.container = "none"
  if (model.isCancelling) end(model, "cancelled")
  else if (model.status !== "awaiting_input") model.losses++
}

/** What a container may say of its run while it works. `said` is what it is afterwards: said again, it is taken again. */
const byContainer = (model: Model, said: Model["lastWord"], work: () => string | undefined): string | undefined => {
  if (model.container !== "claimed" || model.status !== "running") return model.lastWord === said ? undefined : "lease_lost"
  if (model.isCancelling) {
    model.lastWord = "failed"
    end(model, "cancelled")
    return undefined
  }
  const problem = work()
  if (problem === undefined) model.lastWord = said
  return problem
}

type Step = (model: Model) => string | undefined

const switchTo =
  (mode: Model["mode"]): Step =>
  (model) => {
    if (!model.isConversation) return "conversation_not_found"
    if (isOver(model) || model.isCancelling) return "task_ended"
    if (model.mode === mode) return undefined
    model.mode = mode
    model.events.push("mode_switched")
    if (model.status === "awaiting_input") queueTurn(model)
    else if (model.status === "hibernating") endTurn(model)
    return undefined
  }

const steps = {
  message: (model) => {
    if (!model.isConversation) return "conversation_not_found"
    if (isOver(model) || model.isCancelling) return "task_ended"
    model.events.push("message.created")
    if (model.status === "awaiting_input") queueTurn(model)
    else if (model.mode === "conversation" && model.isTurnStarted) model.queuedMessages++
    else if (model.status === "hibernating") awake(model)
    return undefined
  },
  cancel: (model) => {
    if (isOver(model) || model.isCancelling) return undefined
    if (model.container === "claimed" && model.status === "running") model.isCancelling = true
    else end(model, "cancelled")
    return undefined
  },
  wake: (model) => {
    if (model.status !== "hibernating") return "not_hibernating"
    awake(model)
    return undefined
  },
  "hand over": switchTo("autonomous"),
  "take back": switchTo("conversation"),
  claim: (model) => {
    if (model.container !== "starting") return "lease_lost"
    Object.assign(model, { container: "claimed", status: "running", lastWord: "none" })
    startTurn(model)
    return undefined
  },
  "take turn": (model) => {
    if (model.container !== "claimed") return "lease_lost"
    if (model.status === "running" && !model.isCancelling) startTurn(model)
    return undefined
  },
  "complete turn": (model) => {
    if (model.container !== "claimed") return "lease_lost"
    if (!model.isTurnStarted || model.status !== "running") return undefined
    if (model.isCancelling) {
      model.lastWord = "failed"
      end(model, "cancelled")
    } else {
      model.losses = 0
      endTurn(model)
    }
    return undefined
  },
  complete: (model) =>
    byContainer(model, "completed", () => {
      if (model.mode === "autonomous" && model.queuedMessages > 0) return "message_waiting"
      model.container = "none"
      if (model.mode === "autonomous") {
        model.events.push("turn.completed")
        end(model, "finished")
      } else {
        model.losses = 0
        endTurn(model)
      }
      return undefined
    }),
  fail: (model) =>
    byContainer(model, "failed", () => {
      end(model, "failed")
      return undefined
    }),
  leave: (model) => {
    if (model.container !== "claimed") return model.lastWord === "released" ? undefined : "lease_lost"
    if (model.status !== "awaiting_input") return model.isTurnStarted ? "turn_running" : "message_waiting"
    Object.assign(model, { container: "none", lastWord: "released", losses: 0 })
    return undefined
  },
  sleep: (model) =>
    byContainer(model, "released", () => {
      if (model.mode === "conversation") return "hibernation_in_conversation"
      if (model.queuedMessages > 0) return "message_waiting"
      Object.assign(model, { container: "none", losses: 0 })
      park(model, "hibernating")
      return undefined
    }),
  "lose container": (model) => {
    if (model.container !== "none") lose(model)
    return undefined
  },
  "an hour passes": (model) => {
    model.parkedHours++
    // Nobody has heard of the container for more than five minutes, and one that should have stopped was killed.
    if (model.container !== "none") lose(model)
    if (model.parkedHours < parkHours) return undefined
    if (model.status === "hibernating") awake(model)
    else if (model.status === "awaiting_input") end(model, "expired")
    return undefined
  },
} satisfies Record<string, Step>

export type StepName = keyof typeof steps

export const stepNames = Object.keys(steps) as StepName[]

/** What a step must make of the model, or must be refused with. */
export const apply = (model: Model, name: StepName): string | undefined => {
  const problem = (steps[name] as Step)(model)
  rest(model)
  return problem
}
