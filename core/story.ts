import * as z from "zod"
import * as Cancellation from "./cancellation.ts"
import type { DeliveryRow } from "./delivery.entity.ts"
import { EventEntity, type EventRow } from "./event.entity.ts"
import * as Execution from "./execution.ts"
import { isTerminal } from "./lifecycle.ts"
import { usd } from "./money.ts"
import { Problem } from "./problem.ts"
import { RunEntity, type RunRow } from "./run.entity.ts"
import type { TaskRow } from "./task.entity.ts"
import * as Task from "./task.ts"
import * as TaskDeliveries from "./task-deliveries.ts"
import * as TaskEvent from "./task-event.ts"

/** The whole story of a task, for the operator: what it is now, how its execution stands, what happened when, and who was told. */

export const Asked = z.strictObject({
  taskId: z.string(),
  accountId: z.string().optional().describe("Found by the task's execution when left out, as long as AWS keeps that."),
})

interface Moment {
  /** ISO-8601. */
  at: string
  /** A word for what kind of thing happened. */
  what: string
  detail: string
}

/** Raises `task_not_found`. */
export async function tell(asked: z.output<typeof Asked>) {
  const task = await find(asked)
  const { accountId, taskId } = task
  const [spec, events, runs, executions] = await Promise.all([
    Task.spec(accountId, taskId),
    EventEntity.query.byTask({ accountId, taskId }).go({ pages: "all", consistent: true }),
    RunEntity.query.byId({ accountId, taskId }).go({ pages: "all", consistent: true }),
    executionsOf(task),
  ])
  const times = events.data.map(({ occurredAt }) => occurredAt)
  const deliveries = await TaskDeliveries.at(accountId, taskId, times)
  const numbers = new Map(events.data.map(({ eventId, sequence }) => [eventId, sequence]))
  // Of what has the same time, the run comes before what it has made of its task.
  const moments = [
    ...runs.data.flatMap((run) => ofRun(run, task)),
    ...events.data.map(ofEvent),
    ...executions.flatMap(ofExecution),
    ...deliveries.map((delivery) => ofDelivery(delivery, numbers.get(delivery.eventId))),
  ]
  return {
    task: {
      ...summary(task),
      agent: `${spec.agentName} (${task.agentId}, ${spec.versionId})`,
      image: spec.containerImage,
      model: `${spec.execution.provider}/${spec.execution.model}`,
    },
    executions: executions.map(({ name, status }) => ({ name, status })),
    moments: moments.toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0)),
  }
}

/** The row of a task of which the operator may know no more than the id. Raises `task_not_found`. */
export async function find({ taskId, accountId }: z.output<typeof Asked>): Promise<TaskRow> {
  const owner = accountId ?? (await ownerOf(taskId))
  if (owner === undefined) throw new Problem("task_not_found")
  return Task.row(owner, taskId)
}

async function ownerOf(taskId: string): Promise<string | undefined> {
  const execution = await Execution.read(taskId, 1)
  const { data } = z.object({ accountId: z.string() }).safeParse(JSON.parse(execution?.input ?? "{}"))
  return data?.accountId
}

const summary = (task: TaskRow) => ({
  id: task.taskId,
  accountId: task.accountId,
  title: task.title,
  mode: task.mode,
  status: task.status,
  hasEnded: isTerminal(task.status),
  error: task.error ?? null,
  attempts: task.attempt,
  containerSeconds: task.containerSeconds,
  costUsd: usd(task.costMicros),
  tokens: { input: task.inputTokens, output: task.outputTokens },
  modelCostUsd: usd(task.modelCostMicros),
})

interface Told {
  name: string
  status: string
  startedAt: string
  endedAt: string | undefined
  why: string
}

async function executionsOf({ taskId, generation }: TaskRow): Promise<Told[]> {
  const generations = Array.from({ length: generation }, (_, before) => before + 1)
  const found = await Promise.all(generations.map((number) => Execution.read(taskId, number)))
  return found.flatMap((execution) =>
    execution
      ? [
          {
            name: execution.name ?? "",
            status: execution.status ?? "",
            startedAt: execution.startDate!.toISOString(),
            endedAt: execution.stopDate?.toISOString(),
            why: [execution.error, execution.cause].filter(Boolean).join(": "),
          },
        ]
      : [],
  )
}

function ofEvent(event: EventRow): Moment {
  const { type, sequence, status, turnNumber, occurredAt } = event
  const said = [`#${sequence}`, status, ...(turnNumber === undefined ? [] : [`turn ${turnNumber}`])].join(", ")
  // Why it sleeps and who woke it, in the words that its customer reads.
  return { at: occurredAt, what: type, detail: TaskEvent.isShown(event) ? `${said}: ${TaskEvent.view(event).message}` : said }
}

function ofRun(run: RunRow, task: TaskRow): Moment[] {
  const { runId, attempt, region, containerArn, createdAt, claimedAt, endedAt, status, beats } = run
  const metered = `${plural(run.requests, "model request")}, ${plural(beats, "heartbeat")}`
  return [
    {
      at: createdAt,
      what: "run.starting",
      detail: `attempt ${attempt}, ${runId} in ${region}, ${containerArn?.split(":task/")[1] ?? "no container"}`,
    },
    ...(claimedAt ? [{ at: claimedAt, what: "run.claimed", detail: `by the container of attempt ${attempt}` }] : []),
    ...(endedAt
      ? [
          {
            at: endedAt,
            what: `run.${isCancelled(run, task) ? "cancelled" : status}`,
            detail: [whyEnded(run, task), metered].filter(Boolean).join("; "),
          },
        ]
      : []),
  ]
}

/** Kept as lost where it only waited for a message, and as failed where it was at work: nothing of it was lost, nothing has failed. */
const isCancelled = ({ reason, runId, status }: RunRow, task: TaskRow) =>
  reason === Cancellation.why ||
  (reason === undefined && runId === task.runId && status === "failed" && task.status === "cancelled")

/** A run that was lost says why itself; of one that failed the task does, whose last it was. */
function whyEnded(run: RunRow, task: TaskRow): string | undefined {
  const { reason, runId, status } = run
  if (isCancelled(run, task)) return Cancellation.why
  return reason === undefined && runId === task.runId && status === "failed" ? task.error : reason
}

const plural = (count: number, noun: string) => `${count} ${noun}${count === 1 ? "" : "s"}`

const ofExecution = ({ name, status, startedAt, endedAt, why }: Told): Moment[] => [
  { at: startedAt, what: "execution.started", detail: name },
  ...(endedAt ? [{ at: endedAt, what: `execution.${status.toLowerCase()}`, detail: why || name }] : []),
]

/** Where it has got to: at the time when it arrived, or when it was made where it has not. The address of a webhook may hold a secret. */
function ofDelivery(delivery: DeliveryRow, number: number | undefined): Moment {
  const { webhookId, webhookUrl, eventType, status, attemptCount, createdAt, deliveredAt, nextRetryAt } = delivery
  const { lastStatusCode, lastError = "" } = delivery
  const attempts = attemptCount === 1 ? "1 attempt" : `${attemptCount} attempts since ${createdAt}`
  const isSaid = lastStatusCode === undefined || lastError.includes(`${lastStatusCode}`)
  const detail = [
    `#${number} ${eventType} to ${webhookId} (${new URL(webhookUrl).host})`,
    attemptCount > 0 && attempts,
    !isSaid && `answered ${lastStatusCode}`,
    lastError.replace(/\.$/, ""),
    nextRetryAt && `the next at ${nextRetryAt}`,
  ].filter(Boolean)
  return { at: deliveredAt ?? createdAt, what: `delivery.${status}`, detail: detail.join("; ") }
}
