import { isTerminal } from "#core/lifecycle.ts"
import { Problem } from "#core/problem.ts"
import * as Run from "#core/run.ts"
import type { Item } from "#test/aws.ts"
import type { Container } from "#test/world/fargate.ts"
import type { Life } from "./life.ts"

/** What must hold of a task's life, whatever went wrong in it: the twelve invariants. */

export interface Evidence {
  task: Item
  /** By sequence. */
  events: Item[]
  runs: Item[]
  containers: readonly Container[]
  /** The ids of the events that the bus was told. */
  told: Set<string>
  ledger: Item[]
  account: Item
  /** Where its workspace was saved last. */
  checkpoint: Item | undefined
  bucket: ReadonlyMap<string, number>
  executions: string[]
  /** What its runs could still do after its end. */
  afterlife: string[]
  life: Life
}

/** Reads everything of a task that has ended. */
export const evidenceOf = async (life: Life): Promise<Evidence> => {
  const { world, home, taskId } = life
  const { accountId } = home
  const stored = () => world.items(`${accountId}#${taskId}`)
  const found = await stored()
  const of = (prefix: string) => found.filter(({ sk }) => String(sk).startsWith(prefix))
  const task = found.find(({ sk }) => sk === "task")!
  return {
    life,
    task,
    events: of("event#"),
    runs: of("run#").toSorted((a, b) => a.attempt - b.attempt),
    containers: world.fargate.of(taskId!),
    told: new Set(world.told.map(({ detail }) => detail.id)),
    ledger: await world.items(`${accountId}#ledger`),
    account: (await world.items(accountId, "account")).find(({ sk }) => sk === "account")!,
    checkpoint: of("checkpoint")[0],
    bucket: world.bucket,
    executions: await world.executions(taskId!, task.generation),
    afterlife: await afterlifeOf(life, stored),
  }
}

/** The tokens of all its containers are tried once more: they must change nothing. */
const afterlifeOf = async ({ agents, world }: Life, stored: () => Promise<Item[]>) => {
  const before = JSON.stringify(await stored())
  const complete = (ref: Run.Ref) => Run.complete(ref, { result: "Too late.", messages: [], after: 99 })
  const accepted: string[] = []
  for (const { token } of agents) {
    if (await world.time.drive(isTaken(async () => Run.heartbeat(await Run.ofToken(token)))))
      accepted.push("A heartbeat was taken")
    await world.time.drive(isTaken(async () => complete(await Run.ofToken(token))))
  }
  return JSON.stringify(await stored()) === before ? accepted : [...accepted, "A run has changed its task after the end"]
}

const isTaken = async (work: () => Promise<unknown>) => {
  try {
    await work()
    return true
  } catch (error) {
    if (error instanceof Problem) return false
    throw error
  }
}

export const typesOf = ({ events }: Evidence): string[] => events.map(({ type }) => type)

const sumOf = (entries: Item[], of: string) => entries.reduce((sum, entry) => sum + (entry[of] ?? 0), 0)

const entriesOf = ({ ledger, task }: Evidence, kind: string) =>
  ledger.filter((entry) => entry.kind === kind && entry.taskId === task.taskId)

/** Of every task that this life may have made, were it by mistake. */
const reservationsOf = ({ ledger, life }: Evidence) =>
  ledger.filter(({ kind, taskId }) => kind === "reservation" && life.tasks.has(taskId))

const isTerminalEvent = (type: string) => isTerminal(type.slice(5) as "failed")

/** How long a container may go on after its run has ended: what it has to save its work, and what a retry a minute later takes. */
const graceMs = 240_000

const endOf = (run: Item | undefined) => Date.parse(run?.endedAt)

/** Each answers true where all is well. Their numbers are those of docs/reliability.md. */
export const invariants: Record<string, (evidence: Evidence) => boolean> = {
  "1 a run has one container at most, and attempts follow each other": ({ runs, containers }) =>
    new Set(containers.map(({ startedBy }) => startedBy)).size === containers.length &&
    runs.every(({ attempt, createdAt }, i) => attempt === i + 1 && !(createdAt < runs[i - 1]?.endedAt)),
  "2 an end is final: one event tells of it, the last": (evidence) =>
    typesOf(evidence).findIndex(isTerminalEvent) === evidence.events.length - 1 &&
    typesOf(evidence).at(-1) === `task.${evidence.task.status}`,
  "3 every task comes to its end, its runs and executions with it": ({ task, runs, executions }) =>
    isTerminal(task.status) &&
    task.container === "none" &&
    runs.every(({ status }) => status !== "starting" && status !== "claimed") &&
    executions.every((status) => status !== "RUNNING"),
  "4 events are numbered from 1 without gaps": ({ task, events }) =>
    events.length === task.eventSequence && events.every(({ sequence }, i) => sequence === i + 1),
  "5 every event is told": ({ events, told }) => events.every(({ eventId }) => told.has(eventId)),
  "6 one request is one task": (evidence) => reservationsOf(evidence).length === 1,
  "7 no container runs on": ({ containers, runs }) =>
    containers.every(
      ({ startedBy, stoppedAt = Number.POSITIVE_INFINITY }) =>
        stoppedAt <= endOf(runs.find(({ runId }) => startedBy.endsWith(runId))) + graceMs,
    ),
  "8 the books balance: the ledger, what the task cost, and the storage and the place that it took": (evidence) => {
    const { ledger, account, task } = evidence
    const of = (kind: string) => entriesOf(evidence, kind)
    return (
      sumOf(ledger, "amountMicros") === account.balanceMicros &&
      account.checkpointBytes === 0 &&
      account.running === 0 &&
      of("release").length === 1 &&
      sumOf(of("reservation"), "amountMicros") === -sumOf(of("release"), "amountMicros") &&
      -sumOf(of("charge"), "amountMicros") === task.costMicros &&
      sumOf(of("charge"), "seconds") === task.containerSeconds
    )
  },
  "9 a checkpoint names what is there": ({ checkpoint, task, bucket }) =>
    (checkpoint?.objects ?? []).every(
      ({ name, bytes }: Item) => bucket.get(`checkpoints/${task.accountId}/${task.taskId}/${name}`) === bytes,
    ),
  "10 an ended run can do nothing more": ({ afterlife }) => afterlife.length === 0,
  "11 what is counted only goes up": ({ life }) => life.shrunk.length === 0,
  "12 nothing of another account is asked for": ({ life }) => life.strange.length === 0,
}

/** The invariants that do not hold. */
export const brokenBy = (evidence: Evidence) =>
  Object.entries(invariants).flatMap(([name, holds]) => (holds(evidence) ? [] : [name]))
