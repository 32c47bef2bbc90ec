import { describe, expect, test } from "vitest"
import { newAccount, shared } from "#test/app.ts"
import { invoke, items, published } from "#test/aws.ts"
import { type Container, claimedContainer, containerOf, newContainer, stopContainer } from "#test/container.ts"

const app = shared()
const account = await newAccount(app, { creditUsd: 20 })

const stored = ({ task }: Container, prefix = "") => items(app, `${account.accountId}#${task.id}`, prefix)
const read = async ({ task }: Container) => (await account.send(`GET /tasks/${task.id}`)).body
const logOf = async ({ task }: Container): Promise<string[]> =>
  (await account.send(`GET /tasks/${task.id}/logs`)).body.data.map(({ message }: { message: string }) => message)

const starterOf = ({ task, runId }: Container) => `${account.accountId}/${task.id}/${runId}`

/** Tells the function of a stopped container, as ECS does. */
const stopped = (startedBy: string, detail: object = {}) =>
  invoke(app, "dormouse-reactions-stopped", {
    "detail-type": "ECS Task State Change",
    source: "aws.ecs",
    detail: {
      lastStatus: "STOPPED",
      startedBy,
      stoppedReason: "Essential container in task exited",
      containers: [
        { name: "install", exitCode: 0 },
        { name: "agent", exitCode: 137 },
      ],
      ...detail,
    },
  })

describe("a container that stopped while it worked", () => {
  test("works: the attempt is lost with its reason, and the next one does the work", async () => {
    const container = await claimedContainer(app, account)
    await container.send("usage", { cost_usd: 0.25 })
    await stopContainer(app, container)

    const next = await containerOf(app, account.accountId, container.task, 2)
    expect(await stored(container, `run#${container.runId}`)).toMatchObject([{ status: "lost", reason: expect.any(String) }])
    expect(await logOf(container)).toEqual([expect.stringMatching(/^The container of attempt 1 was lost: .+/)])
    expect((await container.send("heartbeat", {})).body.error.code).toBe("lease_lost")

    const claim = await next.claim()
    expect(claim.body.claim.run).toMatchObject({ id: next.runId, attempt: 2 })
    await next.send("usage", { cost_usd: 0.5 })
    await next.send("complete", { result: "Done." })
    const task = await read(container)
    expect(task).toMatchObject({ status: "finished", error: null, tokenUsage: { costUsd: 0.75 } })
    const charges = (await items(app, `${account.accountId}#ledger`, "charge#")).filter(({ taskId }) => taskId === task.id)
    const micros = charges.reduce((sum, { amountMicros }) => sum + amountMicros, 0)
    expect(-micros).toBe(Math.round(task.costUsd * 1_000_000))
    expect((await stored(container, "event#")).map(({ type }) => type)).toEqual([
      "task.created",
      "task.turn.queued",
      "task.turn.started",
      "task.turn.completed",
      "task.finished",
    ])
  })

  test("works: one that had not claimed its run is lost too, and costs nothing", async () => {
    const container = await newContainer(app, account)
    await stopContainer(app, container)
    const next = await containerOf(app, account.accountId, container.task, 2)
    expect((await container.claim()).body.error.code).toBe("lease_lost")
    expect((await next.claim()).status).toBe(200)
    expect(await items(app, `${account.accountId}#ledger`, `charge#${container.runId}`)).toEqual([])
  })

  test.each([
    "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref docker.io/library/nothing:1: not found",
    "CannotPullContainerError: pull access denied for nothing, repository does not exist or may require authorization",
    "CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/arm64'",
  ])(
    "works: an image that will never be pulled fails the task at once, since no attempt could do better (%s)",
    async (reason) => {
      const container = await newContainer(app, account)
      await stopped(starterOf(container), { stoppedReason: reason, containers: [{ name: "agent" }] })
      expect(await read(container)).toMatchObject({
        status: "failed",
        error: `The container image could not be pulled: ${reason}`,
        costUsd: 0,
      })
      expect(await stored(container, "signal#")).toMatchObject([{ as: "success" }])
    },
  )

  test.each([
    "CannotPullContainerError: docker.io/acme/data-platform:1: httpReadSeeker: failed open: unexpected status code 429 Too Many Requests - toomanyrequests: You have reached your unauthenticated pull rate limit",
    "CannotPullContainerError: failed to do request: net/http: request canceled (Client.Timeout exceeded while awaiting headers)",
  ])("works: an image whose pull failed for the moment is pulled by the next attempt (%s)", async (reason) => {
    const container = await newContainer(app, account)
    await stopped(starterOf(container), { stoppedReason: reason, containers: [{ name: "agent" }] })
    const next = await containerOf(app, account.accountId, container.task, 2)
    expect(await logOf(container)).toEqual([`The container of attempt 1 was lost: ${reason}`])
    expect((await next.claim()).status).toBe(200)
    await next.send("complete", { result: null })
  })

  test.each([
    [81, /glibc 2\.28 or later, and libstdc\+\+/],
    [82, /no \/bin\/sh/],
  ])("works: an image in which no daemon can run, as exit code %i says, fails the task at once", async (exitCode, error) => {
    const container = await newContainer(app, account)
    await stopped(starterOf(container), { containers: [{ name: "agent", exitCode }] })
    expect(await read(container)).toMatchObject({ status: "failed", error: expect.stringMatching(error), costUsd: 0 })
  })

  test("works: once a run was claimed, its image was fit, whatever the container ends with", async () => {
    const container = await claimedContainer(app, account)
    await stopped(starterOf(container), { containers: [{ name: "agent", exitCode: 81 }] })
    expect((await containerOf(app, account.accountId, container.task, 2)).task.id).toBe(container.task.id)
  })
})

describe("nothing changes", () => {
  test("twice: what was lost is not lost again", async () => {
    const container = await claimedContainer(app, account)
    await stopped(starterOf(container))
    const next = await containerOf(app, account.accountId, container.task, 2)
    await next.claim()
    const before = await published(app, account.accountId, container.task.id)
    await stopped(starterOf(container))
    expect(await stored(container)).toEqual(before)
    expect((await logOf(container))[0]).toBe(
      "The container of attempt 1 was lost: Essential container in task exited (exit code 137)",
    )
  })

  test("meanwhile: a run that had ended by itself stays as it ended", async () => {
    const container = await claimedContainer(app, account)
    await container.send("complete", { result: "Done." })
    const before = await published(app, account.accountId, container.task.id)
    await stopped(starterOf(container))
    expect(await stored(container)).toEqual(before)
  })

  test.each(["", "somebody-else", "a/b", "ecs-svc/1234567890", "a/b/c", "acc_1/tsk_1/run_1"])(
    "absent: a container started by %j is none of ours",
    async (startedBy) => {
      expect(await stopped(startedBy)).toBeNull()
    },
  )
})
