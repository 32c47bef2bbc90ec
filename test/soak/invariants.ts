import type { AccountEvidence, TaskEvidence } from "./evidence.ts"

/** What must hold of every task and account, whatever was killed in between. */

export interface Finding {
  /** What must hold, as a sentence. */
  name: string
  /** Of how many things it was shown. */
  count: number
  /** Where it does not hold, and why. */
  wrong: string[]
}

const ended = ["finished", "failed", "cancelled", "expired"]
const isTerminalEvent = (type: string) => ended.includes(type.replace("task.", ""))

type Rule = (task: TaskEvidence) => unknown[]

/** Every rule answers with what it finds wrong, each a value that is false or empty where nothing is. */
const rules: Record<string, Rule> = {
  "every task has ended, and its execution with it": ({ view, row, execution }) => [
    !ended.includes(view?.status) && `is ${view?.status}`,
    row.status !== view?.status && `is ${row.status} in the table and ${view?.status} in the API`,
    execution !== "SUCCEEDED" && `its execution is ${execution}`,
  ],
  "events are numbered from 1 without gaps, as many as the task says": ({ events, row }) => [
    events.some(({ sequence }, i) => sequence !== i + 1) && `has events ${events.map(({ sequence }) => sequence)}`,
    events.length !== row.eventSequence && `has ${events.length} events and says ${row.eventSequence}`,
  ],
  "exactly one event is terminal, the last, and agrees with the status": ({ events, view }) => [
    events.filter(({ type }) => isTerminalEvent(type)).length !== 1 && `has events ${events.map(({ type }) => type)}`,
    events.at(-1)?.type !== `task.${view?.status}` && `is ${view?.status}, and its last event is ${events.at(-1)?.type}`,
  ],
  "events tell a possible life": ({ events }) => {
    const life = events.map(({ type }) => String(type).replace("task.", "")).join(" ")
    const possible = /^created turn\.queued( turn\.started turn\.completed finished|( turn\.started)? failed)$/
    return [!possible.test(life) && `lived so: ${life}`]
  },
  "attempts are numbered from 1 to 3 at most, all have ended, only the last may have done the work": ({ runs, view }) => [
    runs.some(({ attempt }, i) => attempt !== i + 1) && `has attempts ${runs.map(({ attempt }) => attempt)}`,
    (runs.length > 3 || (runs.length < 1 && view?.status === "finished")) && `has ${runs.length} attempts`,
    runs.some(({ status }) => status === "starting" || status === "claimed") && `has runs ${runs.map(({ status }) => status)}`,
    runs.slice(0, -1).some(({ status }) => status !== "lost") && `has runs ${runs.map(({ status }) => status)}`,
    view?.status === "finished" && runs.at(-1)?.status !== "completed" && `is finished by a run that is ${runs.at(-1)?.status}`,
  ],
  "no attempt begins before the one before it has ended": ({ runs }) =>
    runs.slice(1).map((run, i) => run.createdAt < runs[i]!.endedAt && `attempt ${run.attempt} began before ${i + 1} had ended`),
  "what was held back was given back, once": ({ ledger }) => {
    const of = (kind: string) => ledger.filter((entry) => entry.kind === kind).map(({ amountMicros }) => amountMicros)
    const [held, back] = [of("reservation"), of("release")]
    return [(held.length !== 1 || back.length !== 1 || held[0] !== -back[0]!) && `was held back ${held} and given back ${back}`]
  },
  "the charges are those of its runs, and their sum is its cost": ({ ledger, runs, row, view }) => {
    const charges = ledger.filter(({ kind }) => kind === "charge")
    const sum = charges.reduce((total, { amountMicros }) => total - amountMicros, 0)
    const seconds = charges.reduce((total, entry) => total + entry.seconds, 0)
    const unknown = charges.filter(({ entryId }) => !runs.some(({ runId }) => entryId.startsWith(`charge#${runId}#`)))
    return [
      sum !== row.costMicros && `cost ${row.costMicros} and was charged ${sum}`,
      view?.costUsd !== row.costMicros / 1e6 && `shows ${view?.costUsd} USD for ${row.costMicros}`,
      seconds !== row.containerSeconds && `ran ${row.containerSeconds} s and was charged ${seconds} s`,
      charges.some(({ amountMicros, seconds: span }) => -amountMicros !== Math.round((span * 50_000) / 60)) &&
        "has a wrong charge",
      unknown.length > 0 && `was charged for ${unknown.map(({ entryId }) => entryId)}`,
    ]
  },
}

const complaints = (what: string, wrong: unknown[]) => wrong.filter(Boolean).map((why) => `${what} ${why}`)

/** What holds of every single task. */
export const ofTasks = (tasks: TaskEvidence[]): Finding[] =>
  Object.entries(rules).map(([name, rule]) => ({
    name,
    count: tasks.length,
    wrong: tasks.flatMap((task) => complaints(task.id, rule(task))),
  }))

/** Each account's ledger adds up: to its balance, and with its tasks' costs. */
export const ofAccounts = (accounts: AccountEvidence[]): Finding[] => [
  {
    name: "the sum of an account's ledger is its balance, in the table and in the API",
    count: accounts.reduce((count, { ledger }) => count + ledger.length, 0),
    wrong: accounts.flatMap(({ accountId, row, balanceUsd, ledger }) => {
      const sum = ledger.reduce((total, { amountMicros }) => total + amountMicros, 0)
      return complaints(accountId, [
        sum !== row.balanceMicros && `has ${row.balanceMicros} and a ledger of ${sum}`,
        row.running !== 0 && `counts ${row.running} tasks that run`,
        balanceUsd !== row.balanceMicros / 1e6 && `shows ${balanceUsd} USD for ${row.balanceMicros}`,
      ])
    }),
  },
  {
    name: "an account's charges are its tasks' costs",
    count: accounts.length,
    wrong: accounts.flatMap(({ accountId, ledger, tasks }) => {
      const charged = ledger.reduce((total, { kind, amountMicros }) => total - (kind === "charge" ? amountMicros : 0), 0)
      const cost = tasks.reduce((total, { row }) => total + row.costMicros, 0)
      return complaints(accountId, [charged !== cost && `was charged ${charged} for tasks that cost ${cost}`])
    }),
  },
]
