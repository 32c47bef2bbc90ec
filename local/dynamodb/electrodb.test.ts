import { Entity, Service } from "electrodb"
import { afterAll, beforeAll, expect, test } from "vitest"
import { createTable, globalIndex, type Served, serve } from "./testing.ts"

const table = "agents"
let served: Served
beforeAll(async () => {
  served = await serve()
  await createTable(served.client, table, { GlobalSecondaryIndexes: [globalIndex("gsi")] })
})
afterAll(() => served.close())

const byAgent = <const Sort extends readonly string[]>(composite: Sort) => ({
  collection: "agentStuff" as const,
  index: "gsi",
  pk: { field: "gsipk", composite: ["orgId", "agentId"] as const },
  sk: { field: "gsisk", composite },
})

/** Entities of an organisation of its own, so that tests do not meet. */
function agents() {
  const task = new Entity(
    {
      model: { service: "agents", entity: "task", version: "1" },
      attributes: {
        orgId: { type: "string", required: true },
        taskId: { type: "string", required: true },
        agentId: { type: "string", required: true },
        status: { type: ["queued", "running", "done"] as const, default: "queued" },
        createdAt: { type: "string", default: "2026-01-01" },
        version: { type: "number", default: 0 },
        meta: { type: "map", properties: { a: { type: "string" } } },
        tags: { type: "set", items: "string" },
      },
      indexes: {
        primary: { pk: { field: "pk", composite: ["orgId"] }, sk: { field: "sk", composite: ["taskId"] } },
        byAgent: byAgent(["createdAt"]),
      },
    },
    { client: served.client, table },
  )
  const agent = new Entity(
    {
      model: { service: "agents", entity: "agent", version: "1" },
      attributes: {
        orgId: { type: "string", required: true },
        agentId: { type: "string", required: true },
        name: { type: "string" },
      },
      indexes: {
        primary: { pk: { field: "pk", composite: ["orgId"] }, sk: { field: "sk", composite: ["agentId"] } },
        byAgent: byAgent([]),
      },
    },
    { client: served.client, table },
  )
  return { task, agent, service: new Service({ task, agent }) }
}

async function eleven(orgId: string) {
  const { task } = agents()
  for (let day = 1; day <= 11; day++) {
    const date = String(day).padStart(2, "0")
    await task.put({ orgId, taskId: `t${date}`, agentId: "a", createdAt: `2026-01-${date}` }).go()
  }
}

test("what is created is read back with maps, sets and defaults", async () => {
  const { task } = agents()
  const created = await task.create({ orgId: "create", taskId: "t", agentId: "a", meta: { a: "x" }, tags: ["x", "y"] }).go()
  expect((await task.get({ orgId: "create", taskId: "t" }).go()).data).toEqual(created.data)
  expect(created.data).toMatchObject({ status: "queued", version: 0, meta: { a: "x" } })
})

test("a second creation is refused with ElectroDB's code for a failed condition", async () => {
  const { task } = agents()
  const create = () => task.create({ orgId: "twice", taskId: "t", agentId: "a" }).go()
  await create()
  await expect(create()).rejects.toMatchObject({ code: 4001, cause: { name: "ConditionalCheckFailedException" } })
})

test("cursors lead through all pages", async () => {
  await eleven("pages")
  const { task } = agents()
  const seen: string[] = []
  let cursor: string | null = null
  do {
    const page: { data: { taskId: string }[]; cursor: string | null } = await task.query
      .primary({ orgId: "pages" })
      .go({ limit: 4, cursor })
    seen.push(...page.data.map(({ taskId }) => taskId))
    cursor = page.cursor
  } while (cursor)
  expect(seen).toHaveLength(11)
  expect(seen).toEqual([...new Set(seen)].sort())
})

test("an index is queried by a range, newest first", async () => {
  await eleven("range")
  const { task } = agents()
  const range = task.query
    .byAgent({ orgId: "range", agentId: "a" })
    .between({ createdAt: "2026-01-03" }, { createdAt: "2026-01-06" })
  expect((await range.go({ order: "desc" })).data.map(({ taskId }) => taskId)).toEqual(["t06", "t05", "t04", "t03"])
})

test("a patch happens under its condition only", async () => {
  const { task } = agents()
  await task.create({ orgId: "patch", taskId: "t", agentId: "a" }).go()
  const start = () =>
    task
      .patch({ orgId: "patch", taskId: "t" })
      .set({ status: "running" })
      .add({ version: 1 })
      .where((row, { eq }) => `${eq(row.status, "queued")} AND ${eq(row.version, 0)}`)
      .go({ response: "all_new" })
  expect((await start()).data).toMatchObject({ status: "running", version: 1 })
  await expect(start()).rejects.toMatchObject({ code: 4001 })
})

test("a collection gives the rows of several entities", async () => {
  await eleven("collection")
  const { agent, service } = agents()
  await agent.create({ orgId: "collection", agentId: "a", name: "n" }).go()
  const { data } = await service.collections.agentStuff({ orgId: "collection", agentId: "a" }).go()
  expect([data.task.length, data.agent.length]).toEqual([11, 1])
})

test("a transaction writes several entities, or none of them", async () => {
  const { task, agent, service } = agents()
  const orgId = "transaction"
  await agent.create({ orgId, agentId: "a", name: "old" }).go()
  await task.create({ orgId, taskId: "there", agentId: "a" }).go()
  const write = (name: string) =>
    service.transaction
      .write((entities) => [
        entities.task.create({ orgId, taskId: "new", agentId: "a" }).commit({ response: "all_old" }),
        entities.agent.patch({ orgId, agentId: "a" }).set({ name }).commit(),
        entities.task
          .check({ orgId, taskId: "there" })
          .where(({ status }, { eq }) => eq(status, "queued"))
          .commit(),
      ])
      .go()
  expect((await write("new")).canceled).toBe(false)
  const second = await write("newer")
  expect(second.canceled).toBe(true)
  expect(second.data.map(({ rejected, code }) => [rejected, code])).toEqual([
    [true, "ConditionalCheckFailed"],
    [false, "None"],
    [false, "None"],
  ])
  expect(second.data[0]!.item).toMatchObject({ taskId: "new", status: "queued" })
  const { data } = await service.transaction
    .get((entities) => [
      entities.task.get({ orgId, taskId: "new" }).commit(),
      entities.agent.get({ orgId, agentId: "a" }).commit(),
    ])
    .go()
  expect(data.map(({ item }) => item)).toMatchObject([{ taskId: "new" }, { name: "new" }])
})

test("batches, upserts, removals and scans reach the same rows", async () => {
  await eleven("batch")
  const { task } = agents()
  const keys = ["t01", "t02"].map((taskId) => ({ orgId: "batch", taskId }))
  expect((await task.get(keys).go()).data).toHaveLength(2)
  await task.delete(keys).go()
  const upserted = await task.upsert({ orgId: "batch", taskId: "t12", agentId: "a" }).go({ response: "all_new" })
  expect(upserted.data).toMatchObject({ taskId: "t12", status: "queued" })
  expect((await task.query.primary({ orgId: "batch" }).go({ pages: "all" })).data).toHaveLength(10)
  const scanned = await task.scan.where(({ orgId }, { eq }) => eq(orgId, "batch")).go({ pages: "all" })
  expect(scanned.data).toHaveLength(10)
})
