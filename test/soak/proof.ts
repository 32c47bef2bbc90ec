import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { ListTasksCommand } from "@aws-sdk/client-ecs"
import { sleep } from "#core/clock.ts"
import { type Aws, ecsOf } from "../aws.ts"
import { marked } from "../processes.ts"
import { listed } from "./clients.ts"
import { type AccountEvidence, evidenceOf, executionsOf, type TaskEvidence } from "./evidence.ts"
import { type Finding, ofAccounts, ofTasks } from "./invariants.ts"
import { finalAnswer, reportOf } from "./model.ts"
import type { Soak, SoakTask } from "./soak.ts"

/** What a soak proves at its end. */

/** How long executions may take to end after their tasks, and containers to leave. */
const settleMs = 60_000

/** Waits until nothing moves any more, or has had its time. */
export const settle = async ({ stack }: Soak) => {
  for (let waited = 0; waited < settleMs; waited += 500) {
    const statuses = [...(await executionsOf(stack.app())).values()]
    if (!statuses.includes("RUNNING") && (await containersOf(stack.app())).length === 0) return
    await sleep(500)
  }
}

/** Everything that can be known of the tasks of a soak. */
export const collect = ({ stack, accounts, tasks }: Soak): Promise<AccountEvidence[]> =>
  Promise.all(
    accounts.map((account) => {
      const ids = tasks.flatMap(({ account: owner, id }) => (owner === account && id !== undefined ? [id] : []))
      return evidenceOf(stack.app(), account, ids)
    }),
  )

/** Every invariant, with what it finds wrong. `twice` is what was seen to run twice at once. */
export const prove = async (soak: Soak, accounts: AccountEvidence[], twice: string[]): Promise<Finding[]> => {
  const evidence = accounts.flatMap(({ tasks }) => tasks)
  const byId = new Map(evidence.map((task) => [task.id, task]))
  const pairs = soak.tasks.map((task) => ({ task, found: task.id === undefined ? undefined : byId.get(task.id) }))
  return [
    await nothingLost(soak),
    ...ofTasks(evidence),
    ...ofAccounts(accounts),
    {
      name: "every task ended as its work had to, or its container was lost three times",
      count: pairs.length,
      wrong: pairs.flatMap(({ task, found }) => outcomeOf(task, found)),
    },
    await outputs(soak, evidence),
    { name: "no task had two containers at once", count: evidence.flatMap(({ runs }) => runs).length, wrong: twice },
    await leftOvers(soak, evidence),
    { name: "what has ended never changes", count: soak.ended, wrong: soak.wrong.changed },
    { name: "no status goes back", count: soak.ended, wrong: soak.wrong.backwards },
    {
      name: "while the stack is there, every request is answered, and without a 5xx",
      count: soak.counts.requests,
      wrong: soak.wrong.unavailable,
    },
  ]
}

/** The lists hold what was dispatched, once each, and nothing else. */
const nothingLost = async (soak: Soak): Promise<Finding> => {
  const wrong: string[] = []
  const agents = soak.accounts.flatMap((account) => account.agentIds.map((agentId) => ({ account, agentId })))
  for (const agent of agents) {
    const there = ((await listed(soak, agent)) ?? []).map(({ id }) => id as string)
    const dispatched = soak.tasks.filter(({ agentId }) => agentId === agent.agentId).map(({ id }) => id ?? "")
    wrong.push(...dispatched.filter((id) => !there.includes(id)).map((id) => `${id} was acknowledged and is not listed`))
    wrong.push(...there.filter((id) => !dispatched.includes(id)).map((id) => `${id} is listed and was never acknowledged`))
  }
  return { name: "every dispatch that was acknowledged is listed, and no other", count: soak.tasks.length, wrong }
}

export const isLostThrice = ({ view, runs }: TaskEvidence) =>
  view.status === "failed" &&
  runs.length === 3 &&
  runs.every(({ status }) => status === "lost") &&
  /lost 3 times/.test(view.error)

const outcomeOf = ({ plan, id, tookMs = 0 }: SoakTask, found: TaskEvidence | undefined): string[] => {
  if (!found) return [`Task ${plan.number} (${id}) was not dispatched`]
  if (isLostThrice(found)) return []
  const { status, result, error } = found.view
  const isRight =
    plan.behaviour === "refused"
      ? status === "failed" && /401/.test(error) && result === null
      : status === "finished" && result === finalAnswer(plan.number) && error === null
  return isRight ? [] : [`${id} (${plan.behaviour}) is ${status} after ${Math.round(tookMs / 1000)} s: ${error ?? result}`]
}

/** The file that a finished task has left is there once, byte for byte. */
const outputs = async ({ tasks }: Soak, evidence: TaskEvidence[]): Promise<Finding> => {
  const finished = new Set(evidence.filter(({ view }) => view.status === "finished").map(({ id }) => id))
  const due = tasks.filter(({ id, plan }) => plan.behaviour === "file" && id !== undefined && finished.has(id))
  const wrong: string[] = []
  for (const { account, id, plan } of due) {
    const { body } = await account.send(`GET /tasks/${id}/files`)
    if (body.data?.length !== 1) wrong.push(`${id} has ${body.data?.length} files`)
    const { body: text } = await account.send(`GET /tasks/${id}/files/${body.data?.[0]?.id}`)
    if (text !== reportOf(plan.number)) wrong.push(`${id} has a file of ${String(text).length} characters that is not its report`)
  }
  return { name: "the output of every finished task that wrote one is there, byte for byte", count: due.length, wrong }
}

const regions = ["us-east-1", "eu-central-1"]

/** The containers that ECS says are running. */
const containersOf = async (aws: Aws) => {
  const command = new ListTasksCommand({ cluster: "dormouse-task" })
  const lists = await Promise.all(regions.map((region) => ecsOf(aws, region).send(command)))
  return lists.flatMap(({ taskArns = [] }) => taskArns)
}

/** No container, process or folder of a task stays behind. */
const leftOvers = async ({ stack }: Soak, evidence: TaskEvidence[]): Promise<Finding> => {
  const runIds = new Set(evidence.flatMap(({ runs }) => runs.map(({ runId }) => runId as string)))
  const marks = [...marked("DORMOUSE_RUN_ID"), ...marked("DORMOUSE_AGENT")].filter(({ value }) => runIds.has(value))
  const folder = join(stack.data, "tasks")
  const wrong = [
    ...(await containersOf(stack.app())).map((arn) => `ECS still has ${arn}`),
    ...marks.map(({ pid, value }) => `Process ${pid} of ${value} still runs`),
    ...(existsSync(folder) ? readdirSync(folder) : []).map((name) => `The folder of container ${name} is still there`),
  ]
  return { name: "no container, process or folder of a run is left behind", count: runIds.size, wrong }
}

/** The same again after a clean stop and start. */
export const proveRestart = async (soak: Soak, before: AccountEvidence[]): Promise<Finding> => {
  const code = await soak.stack.stop()
  await soak.stack.start()
  const after = new Map((await collect(soak)).flatMap(accountParts))
  const wrong = before.flatMap(accountParts).flatMap(([id, text]) => (after.get(id) === text ? [] : [`${id} is not as it was`]))
  if (code !== 0) wrong.push(`The stack ended with ${code}`)
  return { name: "a clean stop and start changes nothing", count: after.size, wrong }
}

const accountParts = ({ tasks, ...account }: AccountEvidence): [string, string][] => [
  [account.accountId, JSON.stringify(account)],
  ...tasks.map((task): [string, string] => [task.id, JSON.stringify(task)]),
]
