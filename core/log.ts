import * as z from "zod"
import { now } from "./clock.ts"
import * as Follower from "./follower.ts"
import { newId } from "./id.ts"
import { isTerminal } from "./lifecycle.ts"
import { limits } from "./limits.ts"
import { type Line, LogEntity, type LogRow, sources } from "./log.entity.ts"
import * as Page from "./page.ts"
import * as Task from "./task.ts"
import { unlessRefused } from "./transaction.ts"

export const View = z
  .object({
    attemptNumber: z.int().describe("1 for the first container of the task; a lost one is replaced by the next."),
    source: z.enum(sources).describe("`daemon` tells of the stages, the others of what the agent says and does."),
    message: z.string(),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: "TaskLog" })

export const Listed = Page.of(View).meta({ id: "TaskLogPage" })

/** Appends a batch of a container's lines. The same batch again changes nothing. */
export async function append(accountId: string, taskId: string, attempt: number, sequence: number, lines: Line[]) {
  await put(accountId, taskId, attempt, String(sequence).padStart(8, "0"), lines)
}

/** A line of the control plane's own, where no container could have said it. */
export async function note(accountId: string, taskId: string, attempt: number, message: string) {
  const line: Line = { source: "daemon", message, createdAt: now().toISOString() }
  await put(accountId, taskId, attempt, `~${newId("event")}`, [line])
}

async function put(accountId: string, taskId: string, attempt: number, batch: string, lines: Line[]) {
  await unlessRefused(LogEntity.create({ accountId, taskId, attempt, batch, lines }))
}

interface Placed {
  row: LogRow
  index: number
}

/** Lines of a task, newest first. Whoever reads them while there may be more is told of new ones soon. Raises `task_not_found`. */
export async function list(accountId: string, taskId: string, { limit = limits.page.logs, cursor }: Page.Request) {
  const { status } = await Task.row(accountId, taskId)
  const [page] = await Promise.all([
    Page.paginate<Placed>(
      accountId,
      `logs ${taskId}`,
      { limit, cursor },
      (after, count) => before(accountId, taskId, after, count),
      ({ row, index }) => JSON.stringify([row.attempt, row.batch, index]),
    ),
    isTerminal(status) ? undefined : Follower.look({ accountId, taskId }),
  ])
  return { data: page.data.map(view), pageInfo: page.pageInfo }
}

/** Up to `count` lines before a position, from the newest to the oldest, read batch by batch. */
async function before(accountId: string, taskId: string, position: string | undefined, count: number): Promise<Placed[]> {
  const found: Placed[] = []
  const all = LogEntity.query.byTask({ accountId, taskId })
  const [attempt, batch, index] = position
    ? (JSON.parse(position) as [number, string, number])
    : [undefined, undefined, undefined]
  let query =
    attempt === undefined ? all.go({ order: "desc", limit: 10 }) : all.lte({ attempt, batch }).go({ order: "desc", limit: 10 })
  for (;;) {
    const { data, cursor } = await query
    for (const row of data) {
      const isResumed = row.attempt === attempt && row.batch === batch
      const end = isResumed ? (index ?? 0) : row.lines.length
      for (let i = end - 1; i >= 0 && found.length < count; i--) found.push({ row, index: i })
    }
    if (found.length >= count || !cursor) return found
    query = all.go({ order: "desc", limit: 10, cursor })
  }
}

const view = ({ row, index }: Placed): z.infer<typeof View> => {
  const { source, message, createdAt } = row.lines[index]!
  return { attemptNumber: row.attempt, source, message, createdAt }
}
