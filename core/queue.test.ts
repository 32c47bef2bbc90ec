import { describe, expect, test } from "vitest"
import { newAccount, shared } from "#test/app.ts"
import { addRunning, items } from "#test/aws.ts"
import { claimedContainer, containerOf } from "#test/container.ts"
import { newAgent, newTask } from "#test/make.ts"

const app = shared()

describe("a task that waits for its place", () => {
  test("works: goes on when another one leaves its container, or when it is cancelled", async () => {
    const own = await newAccount(app, { creditUsd: 10 })
    const { quota } = (await own.send("GET /account")).body.runningTasks
    await addRunning(app, own.accountId, quota - 1)
    const first = await claimedContainer(app, own)
    const agent = await newAgent(own)
    const [second, third] = [await newTask(own, agent.id), await newTask(own, agent.id)]
    for (const { id } of [second, third]) {
      const task = async () => (await own.send(`GET /tasks/${id}`)).body
      await expect.poll(task, { timeout: 60_000 }).toMatchObject({ status: "pending", statusReason: "no_place" })
    }

    expect((await own.send(`POST /tasks/${third.id}/cancel`)).body.status).toBe("cancelled")
    await first.send("complete", { result: null })
    const next = await containerOf(app, own.accountId, second)
    expect((await next.claim()).status).toBe(200)
    await next.send("complete", { result: null })
    await expect.poll(async () => (await own.send("GET /account")).body.runningTasks.count).toBe(quota - 1)
    expect(await items(app, `${own.accountId}#queued`)).toEqual([])
    expect(await items(app, `${own.accountId}#${third.id}`, "run#")).toEqual([])
  })

  test("works: one that was woken still hears why, once it has its place", async () => {
    const own = await newAccount(app, { creditUsd: 10 })
    const { quota } = (await own.send("GET /account")).body.runningTasks
    const { task, ...container } = await claimedContainer(app, own)
    const until = new Date(Date.now() + 86_400_000).toISOString()
    await container.send("release", { to: "hibernate", until, reason: "Waiting for the approval." })
    await addRunning(app, own.accountId, quota)
    await own.send(`POST /tasks/${task.id}/wake`, { kind: "message", message: "Approved." })
    const other = await newTask(own, (await newAgent(own)).id)
    for (const { id } of [task, other]) {
      const reason = async () => (await own.send(`GET /tasks/${id}`)).body.statusReason
      await expect.poll(reason, { timeout: 60_000 }).toBe("no_place")
    }

    await addRunning(app, own.accountId, -quota)
    await own.send(`POST /tasks/${other.id}/cancel`)
    const next = await containerOf(app, own.accountId, task, 2)
    const { body } = await next.claim()
    expect(body.claim.bundle.wake).toMatchObject({ reason: "message", message: "Approved." })
    await next.send("complete", { result: null })
  })
})
