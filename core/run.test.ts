import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { newAccount } from "#test/app.ts"
import { items } from "#test/aws.ts"
import { type Container, claimedContainer, containerOf, statusOf, stopContainer, storeOutput } from "#test/container.ts"
import { defaults } from "#test/make.ts"
import { type OwnStack, ownStack } from "#test/stack.ts"
import { moveTime } from "#test/time.ts"
import { costOf } from "./billing.ts"
import { now } from "./clock.ts"

// What the passing of time does to a run.

const time = moveTime()
const seconds = 1_000
const minutes = 60 * seconds
let app: OwnStack
let account: Awaited<ReturnType<typeof newAccount>>

beforeAll(async () => {
  app = await ownStack({}, undefined, { idle: true })
  account = await newAccount(app, { creditUsd: 20 })
})

afterAll(async () => {
  await app.stop()
  time.release()
})

const read = async ({ task }: Container, owner = account) => (await owner.send(`GET /tasks/${task.id}`)).body
const runsOf = ({ task }: Container) => items(app, `${account.accountId}#${task.id}`, "run#")
const chargeOf = async ({ runId }: Container) => (await items(app, `${account.accountId}#ledger`, `charge#${runId}`))[0]!
const limited = (maxRuntimeSeconds: number) => ({ agent: { defaults: defaults({ maxRuntimeSeconds }) } })
const between = (from: string, to: string) => Math.ceil((Date.parse(to) - Date.parse(from)) / 1000)

const batch = (sequence: number) => ({
  sequence,
  lines: [{ source: "agent_stdout", message: "Still here", created_at: now().toISOString() }],
})

describe("container time", () => {
  test("is charged by the begun second, from the claim to the end", async () => {
    const container = await claimedContainer(app, account)
    time.advance(90 * seconds)
    await container.send("complete", { result: null })
    const task = await read(container)
    const used = between(task.startedAt, task.completedAt)
    expect(used).toBeGreaterThan(90)
    expect(await chargeOf(container)).toMatchObject({ seconds: used, amountMicros: -costOf(used) })
    expect([task.containerMinutes, task.costUsd]).toEqual([used / 60, costOf(used) / 1_000_000])
  })

  test("is charged in full where it costs more than was held back, below zero too", async () => {
    const poor = await newAccount(app, { creditUsd: 0.5 })
    const container = await claimedContainer(app, poor, limited(3_600))
    time.advance(4 * minutes)
    await container.send("heartbeat", {})
    time.advance(16 * minutes)
    await container.send("complete", { result: null })
    const { costUsd } = await read(container, poor)
    expect(costUsd).toBeGreaterThan(1)
    const { creditBalance } = (await poor.send("GET /account")).body
    expect(creditBalance).toBeCloseTo(0.5 - costUsd, 6)
    expect(creditBalance).toBeLessThan(0)
  })

  test.each([
    ["heartbeat", {}],
    ["batch of log lines", batch(1)],
  ])("of a lost attempt is charged to its last %s", async (kind, body) => {
    const container = await claimedContainer(app, account)
    time.advance(60 * seconds)
    const answer = (await container.send(kind === "heartbeat" ? kind : "logs", body)).body
    const { lease } = answer.beat ?? answer
    time.advance(100 * seconds)
    await stopContainer(app, container)
    await containerOf(app, account.accountId, container.task, 2)
    const [run] = await runsOf(container)
    expect(run).toMatchObject({ status: "lost", heartbeatAt: lease.heartbeat_at })
    expect((await chargeOf(container)).seconds).toBe(between(run!.claimedAt, run!.heartbeatAt))
  })
})

describe("a run that reports", () => {
  test("goes on for as long as it may, and is told how long that is", async () => {
    const container = await claimedContainer(app, account, limited(600))
    const left: number[] = []
    for (let i = 0; i < 14; i++) {
      // Less than a minute, after which functions would have to start anew for each.
      time.advance(50 * seconds)
      left.push((await container.send("heartbeat", {})).body.time_left_seconds)
    }
    expect(left.slice(0, 11).map((value) => Math.ceil(value / 50))).toEqual([11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1])
    expect(left.slice(-2)).toEqual([0, 0])
    expect(await runsOf(container)).toHaveLength(1)
    expect((await container.send("complete", { result: null })).status).toBe(200)
  })
})

describe("a run that only writes its log", () => {
  test("hears in time what a heartbeat would say, goes on, and is known to live", async () => {
    const container = await claimedContainer(app, account, limited(600))
    for (let sequence = 1; sequence <= 14; sequence++) {
      time.advance(25 * seconds)
      const { beat } = (await container.send("logs", batch(sequence))).body
      const [run] = await runsOf(container)
      expect(beat.lease).toMatchObject({ status: "claimed", heartbeat_at: run!.heartbeatAt, lease_until: run!.leaseUntil })
      expect([beat.signals, beat.mode, Math.floor(beat.time_left_seconds / 25)]).toEqual([[], "autonomous", 23 - sequence])
      expect((await container.send("logs", batch(sequence))).body).not.toHaveProperty("beat")
    }
    await account.send(`POST /tasks/${container.task.id}/cancel`)
    time.advance(25 * seconds)
    expect((await container.send("logs", batch(15))).body.beat.signals).toEqual([{ kind: "cancel" }])
    expect(await runsOf(container)).toHaveLength(1)
  })
})

describe("a run that falls silent", () => {
  test("is given to the next attempt after ten minutes, and its container is stopped", async () => {
    const container = await claimedContainer(app, account)
    time.advance(11 * minutes)
    const next = await containerOf(app, account.accountId, container.task, 2)
    expect((await container.send("heartbeat", {})).body.error.code).toBe("lease_lost")
    expect((await next.claim()).status).toBe(200)
    await expect.poll(() => statusOf(app, container), { timeout: 10_000 }).toBe("STOPPED")
    expect((await runsOf(container))[0]).toMatchObject({ status: "lost", reason: "It stopped reporting." })
  })
})

describe("an address for an output", () => {
  test("holds for a quarter of an hour", async () => {
    const container = await claimedContainer(app, account)
    const output = { filename: "late.md", size_bytes: 4, output_name: null }
    const { body } = await container.send("outputs/prepare", output)
    time.advance(16 * minutes)
    const answer = await fetch(body.upload_url, { method: "PUT", headers: body.headers, body: "late" })
    expect(answer.status).toBe(403)
  })

  test("can be asked for again", async () => {
    const container = await claimedContainer(app, account)
    await container.send("outputs/prepare", { filename: "late.md", size_bytes: 4, output_name: null })
    time.advance(60 * seconds)
    expect(await storeOutput(container, "late.md", Buffer.from("late"))).toMatch(/^file_/)
  })
})
