import { DescribeExecutionCommand } from "@aws-sdk/client-sfn"
import { describe, expect, test } from "vitest"
import { newAccount, shared } from "#test/app.ts"
import { items, published, sfnOf } from "#test/aws.ts"
import { type Container, claimedContainer, newContainer } from "#test/container.ts"

const app = shared()
const account = await newAccount(app, { creditUsd: 100 })

const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
const codeOf = ({ status, body }: { status: number; body: { error?: { code: string } } }) => [status, body.error?.code]
const read = async ({ task }: Container) => (await account.send(`GET /tasks/${task.id}`)).body
const stored = ({ task }: Container, prefix: string) => items(app, `${account.accountId}#${task.id}`, prefix)
const eventsOf = async (container: Container) =>
  (await stored(container, "event#")).map(({ sequence, type, status }) => [sequence, type, status])

const line = (message: string, source = "agent_stdout") => ({ source, message, created_at: "2026-11-22T12:00:00.000Z" })

describe("POST /agent/tasks/{run_id}/heartbeat", () => {
  test("200: renews the lease and says how much time is left", async () => {
    const container = await newContainer(app, account)
    const { lease } = (await container.claim()).body.claim
    const { status, body } = await container.send("heartbeat", {})
    expect(status).toBe(200)
    expect(body).toEqual({
      lease: { ...lease, heartbeat_at: time, lease_until: time },
      signals: [],
      mode: "autonomous",
      time_left_seconds: 600 - (Date.parse(body.lease.heartbeat_at) - Date.parse(lease.heartbeat_at)) / 1000,
      is_followed: false,
    })
    expect(Date.parse(body.lease.heartbeat_at)).toBeGreaterThan(Date.parse(lease.heartbeat_at))
  })

  test("200: touches the run's row and nothing else", async () => {
    const container = await claimedContainer(app, account)
    const others = async () => (await stored(container, "")).filter(({ sk }) => !sk.startsWith("run#"))
    await published(app, account.accountId, container.task.id)
    const before = await others()
    for (let i = 0; i < 4; i++) await container.send("heartbeat", {})
    expect(await others()).toEqual(before)
    expect(await stored(container, "run#")).toMatchObject([{ beats: 4 }])
  })
})

describe("POST /agent/tasks/{run_id}/logs", () => {
  const logs = async ({ task }: Container, query = "") => (await account.send(`GET /tasks/${task.id}/logs${query}`)).body
  const messages = ({ data }: { data: { message: string }[] }) => data.map(({ message }) => message)

  test("200: lines are read newest first, each with its source, attempt and time", async () => {
    const container = await claimedContainer(app, account)
    const append = (sequence: number, ...lines: object[]) => container.send("logs", { sequence, lines })
    expect((await append(1, line("one", "daemon"), line("two", "agent_stderr"))).status).toBe(200)
    await append(2, line("three"))
    expect(await logs(container)).toEqual({
      data: [
        { attemptNumber: 1, source: "agent_stdout", message: "three", createdAt: "2026-11-22T12:00:00.000Z" },
        { attemptNumber: 1, source: "agent_stderr", message: "two", createdAt: "2026-11-22T12:00:00.000Z" },
        { attemptNumber: 1, source: "daemon", message: "one", createdAt: "2026-11-22T12:00:00.000Z" },
      ],
      pageInfo: { hasMore: false, nextCursor: null },
    })
  })

  test("200: a batch so soon after the lease was renewed says nothing of it, and touches no other row", async () => {
    const container = await claimedContainer(app, account)
    const before = await stored(container, "run#")
    expect((await container.send("logs", { sequence: 1, lines: [line("x")] })).body).not.toHaveProperty("beat")
    expect(await stored(container, "run#")).toEqual(before)
  })

  test("200: a batch that comes twice, or too late, is one batch in its place", async () => {
    const container = await claimedContainer(app, account)
    for (const n of [2, 1, 2, 10, 1]) await container.send("logs", { sequence: n, lines: [line(`batch ${n}`)] })
    await container.send("logs", { sequence: 1, lines: [line("something else")] })
    expect(messages(await logs(container))).toEqual(["batch 10", "batch 2", "batch 1"])
  })

  test("200: pages go through batches, and new lines move nothing", async () => {
    const container = await claimedContainer(app, account)
    const lines = Array.from({ length: 75 }, (_, i) => line(`line ${i}`))
    for (let i = 0; i < 15; i++) await container.send("logs", { sequence: i + 1, lines: lines.slice(i * 5, i * 5 + 5) })
    const wanted = lines.map(({ message }) => message).toReversed()

    const pages: string[][] = []
    let query = "?limit=31"
    for (let n = 16; query; n++) {
      const page = await logs(container, query)
      pages.push(messages(page))
      query = page.pageInfo.hasMore ? `?limit=31&cursor=${page.pageInfo.nextCursor}` : ""
      await container.send("logs", { sequence: n, lines: [line("later")] })
    }
    expect(pages.map(({ length }) => length)).toEqual([31, 31, 13])
    expect(pages.flat()).toEqual(wanted)
    expect(messages(await logs(container)).length).toBe(50)
  })

  test("200: two hundred lines are taken, and a line of the greatest length", async () => {
    const container = await claimedContainer(app, account)
    const lines = Array.from({ length: 200 }, () => line("x".repeat(400)))
    expect((await container.send("logs", { sequence: 1, lines })).status).toBe(200)
    const long = [line("ü".repeat(8_100))]
    expect((await container.send("logs", { sequence: 2, lines: long })).status).toBe(200)
    expect(messages(await logs(container, "?limit=1"))).toEqual(["ü".repeat(8_100)])
  })

  test.each<[string, object]>([
    ["lines", { sequence: 1, lines: [] }],
    ["lines", { sequence: 1, lines: Array.from({ length: 201 }, () => line("x")) }],
    ["lines.0.message", { sequence: 1, lines: [line("x".repeat(8_101))] }],
    ["lines.0.source", { sequence: 1, lines: [line("x", "kernel")] }],
    ["lines.0.created_at", { sequence: 1, lines: [{ ...line("x"), created_at: "yesterday" }] }],
    ["lines.0.colour", { sequence: 1, lines: [{ ...line("x"), colour: "red" }] }],
    ["sequence", { sequence: 0, lines: [line("x")] }],
    ["sequence", { sequence: 100_000_000, lines: [line("x")] }],
    ["sequence", { sequence: 1.5, lines: [line("x")] }],
  ])("422 invalid_request: a bad %s", async (path, body) => {
    const { status, body: answer } = await (await validation()).send("logs", body)
    expect(status).toBe(422)
    expect(answer.error.issues.map((issue: { path: string }) => issue.path)).toEqual([path])
  })

  test("422 invalid_request: a batch with more bytes than a row can hold is refused, not half stored", async () => {
    const container = await validation()
    const lines = Array.from({ length: 200 }, () => line("ü".repeat(8_000)))
    expect(codeOf(await container.send("logs", { sequence: 99, lines }))).toEqual([422, "invalid_request"])
    expect(messages(await logs(container))).toEqual([])
  })
})

let forValidation: Promise<Container> | undefined
/** One container for all refusals, since none of them changes it. */
const validation = () => (forValidation ??= claimedContainer(app, account))

describe("POST /agent/tasks/{run_id}/usage", () => {
  test("200: the latest total counts, and is on the task once it has ended", async () => {
    const container = await claimedContainer(app, account)
    for (const cost_usd of [0.01, 0.25, 0.25, 0.123456]) {
      expect((await container.send("usage", { cost_usd })).body).toEqual({ accepted: true })
    }
    await container.send("complete", { result: null })
    expect((await read(container)).tokenUsage).toEqual({
      inputTokens: 0,
      outputTokens: 0,
      cacheReadTokens: 0,
      cacheWriteTokens: 0,
      costUsd: 0.123456,
    })
  })

  test.each([-1, 1_000_001, "1", null])("422 invalid_request: %j is no cost", async (cost_usd) => {
    expect(codeOf(await (await validation()).send("usage", { cost_usd }))).toEqual([422, "invalid_request"])
  })
})

describe("POST /agent/tasks/{run_id}/complete", () => {
  test("200: the task is finished, with its result, its cost and its time", async () => {
    const container = await claimedContainer(app, account)
    const { status, body } = await container.send("complete", { result: "It is in report.md." })
    expect(status).toBe(200)
    expect(body.lease).toMatchObject({ run_id: container.runId, task_id: container.task.id, status: "completed" })
    const task = await read(container)
    const seconds = Math.round(task.containerMinutes * 60)
    expect(task).toMatchObject({
      status: "finished",
      result: "It is in report.md.",
      error: null,
      completedAt: time,
      costUsd: Math.round((seconds * 50_000) / 60) / 1_000_000,
    })
    expect(seconds).toBe(Math.ceil((Date.parse(task.completedAt) - Date.parse(task.startedAt)) / 1000))
  })

  test("200: the events are numbered without a gap, each with the status of its moment", async () => {
    const container = await claimedContainer(app, account)
    await container.send("complete", { result: null })
    expect(await eventsOf(container)).toEqual([
      [1, "task.created", "pending"],
      [2, "task.turn.queued", "pending"],
      [3, "task.turn.started", "running"],
      [4, "task.turn.completed", "finished"],
      [5, "task.finished", "finished"],
    ])
  })

  test("200: the ledger adds up to the balance", async () => {
    const own = await newAccount(app, { creditUsd: 3 })
    const container = await claimedContainer(app, own)
    await container.send("complete", { result: null })
    const { costUsd } = (await own.send(`GET /tasks/${container.task.id}`)).body
    const { creditBalance } = (await own.send("GET /account")).body
    const ledger = await items(app, `${own.accountId}#ledger`)
    const amounts = Object.fromEntries(ledger.map(({ kind, amountMicros }) => [kind, amountMicros]))
    const cost = Math.round(costUsd * 1_000_000)
    expect(amounts).toEqual({ credit: 3_000_000, reservation: -500_000, release: 500_000, charge: -cost })
    expect(ledger).toHaveLength(4)
    expect(creditBalance).toBe((3_000_000 - cost) / 1_000_000)
  })

  test("200: one signal ends the execution, which then succeeds", async () => {
    const container = await claimedContainer(app, account)
    await container.send("complete", { result: null })
    expect(await stored(container, "signal#")).toMatchObject([{ waitId: container.runId, as: "success" }])
    await expect.poll(() => executionStatus(container), { timeout: 10_000 }).toBe("SUCCEEDED")
  })

  test("200: sent twice it answers the same and is paid once", async () => {
    const own = await newAccount(app, { creditUsd: 3 })
    const container = await claimedContainer(app, own)
    const [first, second] = await Promise.all([1, 2].map(() => container.send("complete", { result: "Done." })))
    expect(first!.status).toBe(200)
    expect(second!.body).toEqual(first!.body)
    expect((await container.send("complete", { result: "Done differently." })).body).toEqual(first!.body)
    expect(await items(app, `${own.accountId}#ledger`)).toHaveLength(4)
    expect(await items(app, `${own.accountId}#${container.task.id}`, "event#")).toHaveLength(5)
    expect((await own.send(`GET /tasks/${container.task.id}`)).body.result).toBe("Done.")
  })

  test("200: the longest result comes back whole", async () => {
    const container = await claimedContainer(app, account)
    const result = "ü".repeat(100_100)
    expect((await container.send("complete", { result })).status).toBe(200)
    expect((await read(container)).result).toBe(result)
  })

  test("200: an account with an unlimited grant is shown the cost and pays nothing", async () => {
    const own = await newAccount(app, { creditUsd: 0, billingMode: "unlimited_grant" })
    const container = await claimedContainer(app, own)
    await container.send("complete", { result: null })
    expect((await own.send(`GET /tasks/${container.task.id}`)).body.costUsd).toBeGreaterThan(0)
    expect((await own.send("GET /account")).body.creditBalance).toBe(0)
    expect(await items(app, `${own.accountId}#ledger`)).toEqual([])
  })

  test("422 invalid_request: a result that is too long, or none at all", async () => {
    const container = await validation()
    expect(codeOf(await container.send("complete", { result: "x".repeat(100_101) }))).toEqual([422, "invalid_request"])
    expect(codeOf(await container.send("complete", {}))).toEqual([422, "invalid_request"])
    expect((await read(container)).status).toBe("running")
  })
})

describe("POST /agent/tasks/{run_id}/fail", () => {
  test("200: the task has failed, with its error and what was made so far", async () => {
    const container = await claimedContainer(app, account)
    const { status, body } = await container.send("fail", { error: "The provider refused the key.", result: "Half of it." })
    expect(status).toBe(200)
    expect(body.lease.status).toBe("failed")
    expect(await read(container)).toMatchObject({
      status: "failed",
      error: "The provider refused the key.",
      result: "Half of it.",
      costUsd: expect.any(Number),
    })
    expect((await eventsOf(container)).slice(3)).toEqual([[4, "task.failed", "failed"]])
    await expect.poll(() => executionStatus(container), { timeout: 10_000 }).toBe("SUCCEEDED")
  })

  test("200: sent twice it answers the same", async () => {
    const container = await claimedContainer(app, account)
    const first = await container.send("fail", { error: "Broken." })
    expect((await container.send("fail", { error: "Broken again." })).body).toEqual(first.body)
    expect(await read(container)).toMatchObject({ error: "Broken.", result: null })
    expect(await eventsOf(container)).toHaveLength(4)
  })

  test("200 or 409: of an end and another one at the same moment, one holds", async () => {
    const container = await claimedContainer(app, account)
    const [completed, failed] = await Promise.all([
      container.send("complete", { result: null }),
      container.send("fail", { error: "Broken." }),
    ])
    const task = await read(container)
    const [winner, loser] = task.status === "finished" ? [completed, failed] : [failed, completed]
    expect(winner.status).toBe(200)
    expect(codeOf(loser)).toEqual([409, "lease_lost"])
  })

  test.each([{ error: "" }, { error: "x".repeat(1_001) }, { result: "x" }])("422 invalid_request: %j", async (body) => {
    expect(codeOf(await (await validation()).send("fail", body))).toEqual([422, "invalid_request"])
  })
})

describe("after the end", () => {
  const output = { filename: "a", size_bytes: 1, output_name: null }

  test("409 lease_lost: the run token opens nothing any more", async () => {
    const container = await claimedContainer(app, account)
    await container.send("complete", { result: null })
    const before = await published(app, account.accountId, container.task.id)
    const calls: [string, object][] = [
      ["heartbeat", {}],
      ["logs", { sequence: 1, lines: [line("late")] }],
      ["usage", { cost_usd: 1 }],
      ["outputs/prepare", output],
      ["outputs/complete", output],
      ["fail", { error: "Late." }],
    ]
    for (const [call, body] of calls) expect(codeOf(await container.send(call, body))).toEqual([409, "lease_lost"])
    expect(await stored(container, "")).toEqual(before)
  })
})

const executionStatus = async ({ task }: Container) => {
  const executionArn = `arn:aws:states:us-east-1:000000000000:execution:dormouse-task:${task.id}-1`
  return (await sfnOf(app).send(new DescribeExecutionCommand({ executionArn }))).status
}
