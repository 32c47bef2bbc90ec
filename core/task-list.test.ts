import { BatchWriteCommand } from "@aws-sdk/lib-dynamodb"
import fc from "fast-check"
import { beforeAll, describe, expect, test } from "vitest"
import { newId } from "#core/id.ts"
import { type App, newAccount, shared } from "#test/app.ts"
import { items, tableOf } from "#test/aws.ts"
import { claimedContainer } from "#test/container.ts"
import { newAgent, newTask } from "#test/make.ts"

const app = shared()
let account: Awaited<ReturnType<typeof newAccount>>
let agents: string[]
/** Newest first. */
// biome-ignore lint/suspicious/noExplicitAny: bodies are read as a user's script would read them.
let tasks: any[]

beforeAll(async () => {
  account = await newAccount(app, { billingMode: "unlimited_grant" })
  agents = [(await newAgent(account)).id, (await newAgent(account)).id]
  const made = []
  for (let i = 0; i < 6; i++) made.unshift(await newTask(account, agents[i % 2]!))
  const container = await claimedContainer(app, account)
  await container.send("complete", { result: "Done." })
  tasks = [container.task, ...made]
})

const list = async (query = "") => (await account.send(`GET /tasks?${query}`)).body.data.map(({ id }: { id: string }) => id)
const idsWhere = (holds: (task: { id: string; agentId: string; createdAt: string }) => boolean) =>
  tasks.filter(holds).map(({ id }) => id)

describe("GET /tasks", () => {
  test("200: tasks of all agents, newest first, each as it is read by itself", async () => {
    const { body } = await account.send("GET /tasks?limit=1")
    expect(body.data).toEqual([(await account.send(`GET /tasks/${tasks[0].id}`)).body])
    expect(await list()).toEqual(idsWhere(() => true))
  })

  test("200: agent, status and mode choose", async () => {
    expect(await list(`agentId=${agents[0]}`)).toEqual(idsWhere(({ agentId }) => agentId === agents[0]))
    expect(await list("status=finished")).toEqual([tasks[0].id])
    expect(await list("status=failed")).toEqual([])
    expect(await list("status=pending&mode=conversation")).toEqual([])
    expect((await list("status=pending")).includes(tasks[0].id)).toBe(false)
    expect(await list("agentId=agt_of_nobody")).toEqual([])
  })

  test("200: the time when a task was made chooses, to the millisecond, in any zone", async () => {
    const { createdAt } = tasks[3]
    expect(await list(`createdAfter=${createdAt}`)).toEqual(idsWhere((task) => task.createdAt > createdAt))
    expect(await list(`createdBefore=${createdAt}`)).toEqual(idsWhere((task) => task.createdAt < createdAt))
    const elsewhere = new Date(Date.parse(createdAt) + 7_200_000).toISOString().replace("Z", encodeURIComponent("+02:00"))
    expect(await list(`createdBefore=${elsewhere}`)).toEqual(idsWhere((task) => task.createdAt < createdAt))
    expect(await list("createdBefore=2020-01-01T00:00:00Z")).toEqual([])
    expect(await list("createdAfter=9999-01-01T00:00:00Z")).toEqual([])
  })

  test("422 invalid_request: a time that is none", async () => {
    const { status, body } = await account.send("GET /tasks?createdAfter=yesterday")
    expect([status, body.error.issues[0].path]).toEqual([422, "createdAfter"])
  })
})

describe("what is rare", () => {
  test("is found over several pages, none of which looks at more than 1,000 tasks or so", async () => {
    const own = await newAccount(app)
    const failed = await claimedContainer(app, own)
    await failed.send("fail", { error: "There was nothing to report on." })
    await copies(app, own.accountId, failed.task.id, { status: "finished" }, 1_500)
    for (const url of ["GET /tasks?status=failed", `GET /agents/${failed.task.agentId}/tasks?status=failed`]) {
      const first = await own.send(url)
      expect(first.body).toEqual({ data: [], pageInfo: { hasMore: true, nextCursor: expect.any(String) } })
      const second = await own.send(`${url}&cursor=${first.body.pageInfo.nextCursor}`)
      expect(second.body.data.map(({ id }: { id: string }) => id)).toEqual([failed.task.id])
      expect(second.body.pageInfo).toEqual({ hasMore: false, nextCursor: null })
    }
  })
})

/** Stores rows like that of a task, but for something, as of later ones. */
async function copies(aws: App, accountId: string, id: string, but: object, count: number) {
  const [row] = await items(aws, `${accountId}#${id}`, "task")
  const rows = Array.from({ length: count }, () => {
    const taskId = newId("task")
    return { ...JSON.parse(JSON.stringify(row).replaceAll(id, taskId)), ...but }
  })
  const table = tableOf(aws)
  for (let i = 0; i < rows.length; i += 25) {
    const Items = rows.slice(i, i + 25).map((Item) => ({ PutRequest: { Item } }))
    await table.send(new BatchWriteCommand({ RequestItems: { dormouse: Items } }))
  }
}

describe("pages of a list", () => {
  test("show everything that was there at the start exactly once, whatever is made and deleted in between", async () => {
    const step = fc.record({ limit: fc.integer({ min: 1, max: 4 }), meanwhile: fc.constantFrom("nothing", "make", "delete") })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 4 }), async (steps) => {
        const own = await newAccount(app, { billingMode: "unlimited_grant" })
        const { id: agentId } = await newAgent(own)
        const before: string[] = []
        for (let i = 0; i < 6; i++) before.unshift((await newAgent(own)).id)
        before.push(agentId)
        const archived = new Set<string>()
        const seen: string[] = []
        let cursor: string | null = ""
        for (let i = 0; cursor !== null; i++) {
          const { limit, meanwhile } = steps[i % steps.length]!
          const { body } = await own.send(`GET /agents?limit=${limit}${cursor ? `&cursor=${cursor}` : ""}`)
          seen.push(...body.data.map(({ id }: { id: string }) => id))
          expect(body.pageInfo.hasMore).toBe(body.pageInfo.nextCursor !== null)
          cursor = body.pageInfo.nextCursor
          if (meanwhile === "make") await newAgent(own)
          const victim = before.findLast((id) => !archived.has(id))
          if (meanwhile === "delete" && victim) {
            archived.add(victim)
            await own.send(`DELETE /agents/${victim}`)
          }
        }
        expect(new Set(seen).size).toBe(seen.length)
        expect(seen.filter((id) => !archived.has(id) && before.includes(id))).toEqual(before.filter((id) => !archived.has(id)))
        expect(seen.filter((id) => !before.includes(id) && !id.startsWith("agt_standard"))).toEqual([])
      }),
      { numRuns: 8 },
    )
  })

  test("422 invalid_request: a cursor of another account, or of the same list otherwise filtered", async () => {
    const { body } = await account.send("GET /tasks?limit=2")
    const { nextCursor } = body.pageInfo
    const other = await newAccount(app)
    for (const answer of [
      await other.send(`GET /tasks?cursor=${nextCursor}`),
      await account.send(`GET /tasks?status=pending&cursor=${nextCursor}`),
      await account.send(`GET /agents?cursor=${nextCursor}`),
      await account.send(`GET /tasks?cursor=${nextCursor.slice(0, -1)}`),
    ])
      expect([answer.status, answer.body.error.issues[0].path]).toEqual([422, "cursor"])
  })
})
