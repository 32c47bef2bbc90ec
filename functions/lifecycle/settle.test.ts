import { describe, expect, test } from "vitest"
import { newAccount, shared } from "#test/app.ts"
import { invoke, items, published } from "#test/aws.ts"
import { type Container, claimedContainer, forgetArn, newContainer, statusOf } from "#test/container.ts"

const app = shared()
const account = await newAccount(app, { creditUsd: 20 })

const settle = (taskId: string, error: string, cause: string) =>
  invoke(app, "dormouse-lifecycle-settle", { accountId: account.accountId, taskId, error, cause })
const stored = ({ task }: Container, prefix = "") => items(app, `${account.accountId}#${task.id}`, prefix)
const read = async ({ task }: Container) => (await account.send(`GET /tasks/${task.id}`)).body
const thrown = (errorMessage: string) => JSON.stringify({ errorType: "Error", errorMessage, trace: ["at nowhere"] })

describe("a task that did not end itself", () => {
  test("works: it fails, its run and container with it, and its money is squared", async () => {
    const own = await newAccount(app, { creditUsd: 1 })
    const container = await claimedContainer(app, own)
    await container.send("usage", { cost_usd: 0.25 })
    const event = { accountId: own.accountId, taskId: container.task.id, error: "States.Timeout", cause: "" }
    await invoke(app, "dormouse-lifecycle-settle", event)

    const task = (await own.send(`GET /tasks/${container.task.id}`)).body
    expect(task).toMatchObject({
      status: "failed",
      error: "The container did not end within its time limit.",
      completedAt: expect.any(String),
      tokenUsage: { costUsd: 0.25 },
    })
    expect((await container.send("heartbeat", {})).body.error.code).toBe("lease_lost")
    await expect.poll(() => statusOf(app, container), { timeout: 10_000 }).toBe("STOPPED")
    const ledger = await items(app, `${own.accountId}#ledger`)
    const sum = ledger.reduce((total, { amountMicros }) => total + amountMicros, 0)
    expect((await own.send("GET /account")).body.creditBalance).toBe(sum / 1_000_000)
    expect(sum).toBe(1_000_000 - Math.round(task.costUsd * 1_000_000))
  })

  test("works: its container is stopped also where the call that started it could not say which one it is", async () => {
    const container = await claimedContainer(app, account)
    await forgetArn(app, account.accountId, container)
    await settle(container.task.id, "States.Timeout", "")
    await expect.poll(() => statusOf(app, container), { timeout: 10_000 }).toBe("STOPPED")
  })

  test("works: one that waited for credit does so no longer", async () => {
    const own = await newAccount(app, { creditUsd: 1 })
    const container = await claimedContainer(app, own)
    await app.operate({ operation: "grantCredit", accountId: own.accountId, usd: -1, grantId: "none left" })
    await container.send("release", { to: "pause" })
    expect(await items(app, `${own.accountId}#paused`)).toHaveLength(1)
    const event = { accountId: own.accountId, taskId: container.task.id, error: "TypeError", cause: "" }
    await invoke(app, "dormouse-lifecycle-settle", event)
    expect((await own.send(`GET /tasks/${container.task.id}`)).body.status).toBe("failed")
    expect(await items(app, `${own.accountId}#paused`)).toEqual([])
  })

  test("works: one that was never claimed costs nothing", async () => {
    const container = await newContainer(app, account)
    await settle(container.task.id, "Capacity", thrown("RESOURCE:FARGATE"))
    expect(await read(container)).toMatchObject({ status: "failed", costUsd: 0, containerMinutes: 0, tokenUsage: null })
  })

  test.each([
    ["AttemptsExhausted", thrown("The container was lost."), "The container was lost."],
    ["Refused", thrown("The image has no manifest."), "The image has no manifest."],
    ["Capacity", thrown("RESOURCE:FARGATE"), "No container could be started within a day: RESOURCE:FARGATE"],
    ["States.Timeout", "", "The container did not end within its time limit."],
    ["TypeError", thrown("x is undefined"), "The task could not be run: x is undefined"],
    ["Lambda.Unknown", "", "The task could not be run: Lambda.Unknown"],
    ["Other", "not JSON {", "The task could not be run: not JSON {"],
    ["Other", '"a string"', 'The task could not be run: "a string"'],
  ])("works: %s with the cause %j is told as one sentence", async (error, cause, sentence) => {
    const container = await newContainer(app, account)
    await settle(container.task.id, error, cause)
    expect((await read(container)).error).toBe(sentence)
    expect((await account.send(`GET /tasks/${container.task.id}/logs`)).body.data).toMatchObject([
      { source: "daemon", message: sentence },
    ])
  })

  test("works: a cause without end is cut", async () => {
    const container = await newContainer(app, account)
    await settle(container.task.id, "AttemptsExhausted", thrown("x".repeat(50_000)))
    expect((await read(container)).error.length).toBeLessThanOrEqual(1_000)
  })
})

describe("nothing changes", () => {
  test("meanwhile: where the task ended by itself", async () => {
    const container = await claimedContainer(app, account)
    await container.send("complete", { result: "Done." })
    const before = await published(app, account.accountId, container.task.id)
    await settle(container.task.id, "States.Timeout", "")
    expect(await stored(container)).toEqual(before)
  })

  test("twice: where it was settled before, or is at the same moment", async () => {
    const container = await claimedContainer(app, account)
    await Promise.all([1, 2].map(() => settle(container.task.id, "States.Timeout", "")))
    const before = await published(app, account.accountId, container.task.id)
    await settle(container.task.id, "Other", "Another reason.")
    expect(await stored(container)).toEqual(before)
    expect(before.filter(({ sk }) => sk.startsWith("signal#"))).toHaveLength(1)
    expect(await items(app, `${account.accountId}#ledger`, `release#${container.task.id}`)).toHaveLength(1)
  })

  test("absent: where the task was deleted there is nothing to settle", async () => {
    for (const error of ["Other", "Cancelled"]) expect(await settle("tsk_nothing", error, "")).toBeNull()
  })
})
