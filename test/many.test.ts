import { beforeAll, expect, test, vi } from "vitest"
import { newAccount, shared } from "./app.ts"
import { type Container, containerOf, stopContainer } from "./container.ts"
import { newAgent, newTask } from "./make.ts"
import { type AccountEvidence, evidenceOf } from "./soak/evidence.ts"
import { ofAccounts, ofTasks } from "./soak/invariants.ts"

// 20 tasks at once. Every third container is lost in the middle of its work, and the next attempt does it.

const count = 20
const isLost = (n: number) => n % 3 === 0

const app = shared()
let account: Awaited<ReturnType<typeof newAccount>>
let evidence: AccountEvidence

const work = async (container: Container, n: number) => {
  expect((await container.claim()).status).toBe(200)
  expect((await container.send("complete", { result: `Result ${n}` })).status).toBe(200)
}

const runOne = async (agentId: string, n: number): Promise<string> => {
  const task = await newTask(account, agentId, { instructions: `Task ${n}`, metadata: { n: String(n) } })
  const first = await containerOf(app, account.accountId, task)
  if (isLost(n)) {
    expect((await first.claim()).status).toBe(200)
    await stopContainer(app, first)
    await work(await containerOf(app, account.accountId, task, 2), n)
  } else await work(first, n)
  return task.id
}

beforeAll(async () => {
  account = await newAccount(app, { creditUsd: 20 })
  const agent = await newAgent(account)
  const ids = await Promise.all(Array.from({ length: count }, (_, n) => runOne(agent.id, n)))
  await vi.waitFor(
    async () => {
      evidence = await evidenceOf(app, account, ids)
      expect(evidence.tasks.every(({ execution }) => execution === "SUCCEEDED")).toBe(true)
    },
    { timeout: 20_000, interval: 200 },
  )
}, 180_000)

test("of 20 tasks at once none is lost: each has its own result, after as many attempts as it took", () => {
  const told = evidence.tasks.map(({ view, runs }) => [view.status, view.result, runs.map(({ status }) => status)])
  expect(told).toEqual(
    Array.from({ length: count }, (_, n) => ["finished", `Result ${n}`, isLost(n) ? ["lost", "completed"] : ["completed"]]),
  )
})

test("their events, attempts, charges and the account's balance hold together", () => {
  const findings = [...ofTasks(evidence.tasks), ...ofAccounts([evidence])]
  expect(findings.length).toBeGreaterThan(5)
  expect(findings.filter(({ wrong }) => wrong.length > 0)).toEqual([])
})
