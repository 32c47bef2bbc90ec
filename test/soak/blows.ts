import { StopTaskCommand } from "@aws-sdk/client-ecs"
import { every, sleep } from "#core/clock.ts"
import { ecsOf, items } from "../aws.ts"
import { marked, megabytes } from "../processes.ts"
import type { Blow, CrashPlan } from "./plan.ts"
import { type Soak, type SoakTask, untilUp } from "./soak.ts"

/** What strikes containers and the stack, and who watches what runs meanwhile. */

/** The blow that a task has coming at this stage, taken from it. */
const take = (task: SoakTask, stage: Blow["stage"]): Blow | undefined =>
  task.blows[0]?.stage === stage ? task.blows.shift() : undefined

/** Carries out a task's next blow, if it is for this stage. A stack that is away, or a container that is gone, cannot be hit. */
export const strike = async (soak: Soak, task: SoakTask, stage: Blow["stage"]) => {
  const blow = take(task, stage)
  if (!blow) return
  await sleep(stage === "asked" ? 0 : blow.delayMs)
  const hit = await (blow.kind === "kill" ? killContainer(soak, task) : stopContainer(soak, task)).catch((error: unknown) => {
    if (soak.stack.isUp()) soak.wrong.unavailable.push(`${blow.kind} of ${task.id}: ${error}`)
    return false
  })
  if (hit) soak.counts[blow.kind]++
  else soak.counts.missed++
}

const latestRun = async ({ stack }: Soak, { account, id }: SoakTask) => {
  if (id === undefined || !stack.isUp()) return undefined
  const runs = await items(stack.app(), `${account.accountId}#${id}`, "run#")
  return runs.toSorted((a, b) => a.attempt - b.attempt).at(-1)
}

const killContainer = async (soak: Soak, task: SoakTask): Promise<boolean> => {
  const run = await latestRun(soak, task)
  const found = marked("DORMOUSE_RUN_ID").find(({ value }) => value === run?.runId)
  if (found) process.kill(found.pid, "SIGKILL")
  return found !== undefined
}

const stopContainer = async (soak: Soak, task: SoakTask): Promise<boolean> => {
  const run = await latestRun(soak, task)
  if (!run?.containerArn || !soak.stack.isUp()) return false
  const command = new StopTaskCommand({ cluster: run.cluster, task: run.containerArn, reason: "The operator stopped it" })
  await ecsOf(soak.stack.app(), run.region).send(command)
  return true
}

/** Kills the stack as planned, and starts it again each time. Rejects when it does not come back. */
export const crashAll = async (soak: Soak) => {
  for (const crash of soak.plan.crashes) {
    while (soak.dispatched < crash.afterDispatched && !soak.isOver) await sleep(20)
    if (soak.isOver) return
    await sleep(crash.delayMs)
    await crashOnce(soak, crash)
  }
}

const crashOnce = async ({ stack, counts }: Soak, { downMs, againMs }: CrashPlan) => {
  await stack.kill()
  counts.crash++
  await sleep(downMs)
  if (againMs !== undefined) {
    const starting = stack.start()
    await sleep(againMs)
    await stack.kill()
    if (!(await starting)) counts.crashAtStart++
  }
  await stack.start()
}

const lookMs = 150

interface Watch {
  /** Most memory of the stack's process that was seen, in MB. */
  busyMegabytes(): number
  /** Looks which tasks had two runs with a process at the same moment. `taskOf` says whose a run is. */
  twice(taskOf: Map<string, string>): string[]
  stop(): void
}

/** Looks at the processes of this machine again and again, and strikes containers that have just started. */
export const watch = (soak: Soak): Watch => {
  const together = new Set<string>()
  const known = new Set<string>()
  let most = 0
  const look = () => {
    const runs = [...new Set(marked("DORMOUSE_RUN_ID").map(({ value }) => value))].toSorted()
    for (const [i, one] of runs.entries()) for (const other of runs.slice(i + 1)) together.add(`${one} ${other}`)
    soak.counts.mostContainers = Math.max(soak.counts.mostContainers, runs.length)
    most = Math.max(most, megabytes(soak.stack.pid()))
    const fresh = runs.filter((run) => !known.has(run))
    for (const run of fresh) known.add(run)
    if (fresh.length > 0) strikeStarting(soak, fresh).catch((error: unknown) => soak.wrong.unavailable.push(String(error)))
  }
  const stop = every(lookMs, look)
  return {
    busyMegabytes: () => most,
    twice: (taskOf) =>
      [...together].flatMap((pair) => {
        const [one = "", other = ""] = pair.split(" ")
        const taskId = taskOf.get(one)
        return taskId !== undefined && taskId === taskOf.get(other) ? [`${taskId} had the runs ${pair} at once`] : []
      }),
    stop,
  }
}

const strikeStarting = async (soak: Soak, runIds: string[]) => {
  const due = soak.tasks.filter(({ id, end, blows }) => id !== undefined && end === undefined && blows[0]?.stage === "starting")
  if (due.length === 0) return
  await untilUp(soak)
  for (const task of due) {
    const run = await latestRun(soak, task).catch(() => undefined)
    if (runIds.includes(run?.runId)) await strike(soak, task, "starting")
  }
}
