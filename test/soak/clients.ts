import { millis, sleep } from "#core/clock.ts"
import type { Answer, Caller } from "../app.ts"
import { wordOf } from "./model.ts"
import { randomOf } from "./random.ts"
import { type Soak, type SoakTask, untilUp } from "./soak.ts"

/** The customers of a soak: they dispatch, and read all the time, also twice at once. */

const ended = ["finished", "failed", "cancelled", "expired"]
const pollMs = 100
/** Clients that read at random, beside the one that waits for each task. */
const onlookers = 4
const onlookerMs = 50

/** One request; undefined when it failed because the stack was killed. Any other failure is noted. */
const ask = async (soak: Soak, caller: Caller, call: string, body?: unknown): Promise<Answer | undefined> => {
  await untilUp(soak)
  const outages = soak.stack.outages()
  soak.counts.requests++
  let why: string
  try {
    const answer = await caller.send(call, body)
    if (answer.status < 500) return answer
    why = `${answer.status} ${JSON.stringify(answer.body)}`
  } catch (error) {
    why = String(error instanceof Error && error.cause ? error.cause : error)
  }
  if (soak.stack.outages() === outages) soak.wrong.unavailable.push(`${call}: ${why}`)
  else soak.counts.interrupted++
  return undefined
}

/** Dispatches all tasks in their order, so many at once, and waits for each to end. */
export const dispatchAll = async (soak: Soak, concurrency: number) => {
  const queue = soak.tasks.values()
  const worker = async () => {
    for (const task of queue) {
      if (soak.isOver) return
      await dispatch(soak, task)
      await untilEnded(soak, task)
    }
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, soak.tasks.length) }, worker))
}

/** Dispatches a task. An answer that got lost leaves open whether it was taken: then it is looked for before it is sent again. */
const dispatch = async (soak: Soak, task: SoakTask) => {
  const { plan, account, agentId } = task
  const body = { instructions: `Do ${wordOf(plan.number)} as ${plan.behaviour}.`, metadata: { soak: plan.number } }
  const began = millis()
  soak.dispatched++
  while (task.id === undefined && !soak.isOver) {
    const answer = await ask(soak, account, `POST /agents/${agentId}/tasks`, body)
    if (answer?.status === 201) task.id = answer.body.id
    else if (answer) soak.wrong.unavailable.push(`Dispatch of ${plan.number}: ${answer.status} ${JSON.stringify(answer.body)}`)
    else if (await adopt(soak, task)) soak.counts.adopted++
    else soak.counts.repeated++
    if (task.id === undefined) await sleep(pollMs)
  }
  task.tookMs = -began
}

/** Looks for a task that was taken although its answer got lost. */
const adopt = async (soak: Soak, task: SoakTask): Promise<boolean> => {
  for (;;) {
    const found = await listed(soak, task)
    if (!found && !soak.isOver) continue
    task.id = found?.find(({ metadata }) => metadata.soak === task.plan.number)?.id
    return task.id !== undefined
  }
}

// biome-ignore lint/suspicious/noExplicitAny: bodies are read as a user's script would read them.
type Body = any

/** The tasks of an agent, page by page; undefined when the stack was killed meanwhile. */
export const listed = async (
  soak: Soak,
  { account, agentId }: Pick<SoakTask, "account" | "agentId">,
): Promise<Body[] | undefined> => {
  const found: Body[] = []
  for (let cursor: string | null = ""; cursor !== null; ) {
    const query: string = cursor && `&cursor=${encodeURIComponent(cursor)}`
    const page = await ask(soak, account, `GET /agents/${agentId}/tasks?limit=100${query}`)
    if (page?.status !== 200) return undefined
    found.push(...page.body.data)
    cursor = page.body.pageInfo.nextCursor ?? null
  }
  return found
}

const ranks: Record<string, number> = { pending: 0, running: 1, finished: 2, failed: 2 }

const untilEnded = async (soak: Soak, task: SoakTask) => {
  let rank = 0
  while (!soak.isOver) {
    const status = await read(soak, task)
    if (status !== undefined) {
      const next = ranks[status] ?? -1
      if (next < rank) soak.wrong.backwards.push(`${task.id} went back to ${status}`)
      rank = next
      if (ended.includes(status)) break
    }
    await sleep(pollMs)
  }
  if (soak.isOver) return
  task.tookMs! += millis()
  soak.ended++
  soak.progressAt = millis()
}

/** Reads a task; once it has ended, every later answer must be the same to the letter. */
const read = async (soak: Soak, task: SoakTask): Promise<string | undefined> => {
  const before = task.end
  const answer = await ask(soak, task.account, `GET /tasks/${task.id}`)
  if (!answer) return undefined
  const text = JSON.stringify(answer.body)
  if (answer.status !== 200) soak.wrong.unavailable.push(`GET /tasks/${task.id}: ${answer.status} ${text}`)
  else if (before !== undefined && before !== text) soak.wrong.changed.push(`${task.id} was ${before}, and later ${text}`)
  else if (ended.includes(answer.body.status)) task.end ??= text
  return answer.body.status
}

/** Clients that read whatever there is, often the same twice at once, until the soak is over. What they read is chance, not the plan's. */
export const lookOn = (soak: Soak, seed: number) =>
  Promise.all(
    Array.from({ length: onlookers }, async (_, n) => {
      const random = randomOf(seed + n + 1)
      while (!soak.isOver) {
        await sleep(onlookerMs)
        const known = soak.tasks.filter(({ id }) => id !== undefined)
        if (known.length === 0) continue
        const task = random.pick(known)
        const { account, agentId, id } = task
        const calls = ["/account", `/agents/${agentId}`, `/agents/${agentId}/tasks`, `/tasks/${id}/logs`, `/tasks/${id}/files`]
        if (random.chance(0.5)) await Promise.all([read(soak, task), read(soak, task)])
        else await lookAt(soak, account, random.pick(calls))
      }
    }),
  )

const lookAt = async (soak: Soak, account: Caller, path: string) => {
  const answer = await ask(soak, account, `GET ${path}`)
  if (answer && answer.status !== 200) soak.wrong.unavailable.push(`GET ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
}
