import { encodeTime } from "ulid"
import * as z from "zod"
import { Named } from "./id.ts"
import { isTerminal } from "./lifecycle.ts"
import * as Page from "./page.ts"
import { TaskEntity, type TaskRow } from "./task.entity.ts"
import * as Task from "./task.ts"

const Time = z.iso.datetime({ offset: true })

export const Query = z.strictObject({
  ...Task.ListQuery.shape,
  agentId: Named.optional().describe("Only tasks of this agent."),
  createdAfter: Time.optional().describe("Only tasks that were made after this moment."),
  createdBefore: Time.optional().describe("Only tasks that were made before this moment."),
})

type Filters = Omit<z.output<typeof Query>, keyof Page.Request>

/** Tasks of all agents, newest first. */
export async function list(accountId: string, { limit, cursor, ...filters }: z.output<typeof Query>) {
  const page = await Page.search(
    accountId,
    `tasks ${JSON.stringify(filters, Object.keys(filters).sort())}`,
    { limit, cursor },
    (after, count) => made(accountId, filters, after, count),
    ({ taskId }) => taskId,
    (task) => isWanted(task, filters),
  )
  const ids = page.data.map(({ taskId }) => taskId)
  return { data: await Task.present(accountId, ids), pageInfo: page.pageInfo }
}

/** Ids begin with the time they were made at, a moment before what is shown as that time. */
const slackMs = 60_000
const idAt = (ms: number) => `tsk_${encodeTime(Math.min(Math.max(0, ms), latest), 10)}`
const latest = 2 ** 48 - 1

/** What an id of a task never comes after. */
const beyond = "tsk_~"

const shown = ["taskId", "agentId", "status", "mode", "createdAt"] as const

/** Tasks that were made about when the filters say. */
async function made(
  accountId: string,
  { status, createdAfter, createdBefore }: Filters,
  after: string | undefined,
  limit: number,
) {
  const from = createdAfter === undefined ? 0 : Date.parse(createdAfter) - slackMs
  const to = createdBefore === undefined ? beyond : idAt(Date.parse(createdBefore) + 1)
  const range = [{ taskId: idAt(from) }, { taskId: after ?? to }] as const
  // What goes on is a small part of what there is, and has an index of its own.
  const tasks =
    status && !isTerminal(status)
      ? TaskEntity.query.ongoing({ accountId, phase: "ongoing" }).between(...range)
      : TaskEntity.query.byAccount({ accountId }).between(...range)
  const { data } = await tasks.go({ limit: limit + 1, order: "desc", attributes: [...shown] })
  return data.filter(({ taskId }) => taskId !== after).slice(0, limit)
}

function isWanted(task: Pick<TaskRow, (typeof shown)[number]>, { status, mode, agentId, createdAfter, createdBefore }: Filters) {
  const at = Date.parse(task.createdAt)
  return (
    (status === undefined || task.status === status) &&
    (mode === undefined || task.mode === mode) &&
    (agentId === undefined || task.agentId === agentId) &&
    (createdAfter === undefined || at > Date.parse(createdAfter)) &&
    (createdBefore === undefined || at < Date.parse(createdBefore))
  )
}
