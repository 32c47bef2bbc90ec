import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { newAccount } from "#test/app.ts"
import { items, published } from "#test/aws.ts"
import { startBreakingAws } from "#test/breaking-aws.ts"
import { type Container, claimedContainer } from "#test/container.ts"
import { useAwsOf } from "#test/core-env.ts"
import { type OwnStack, ownStack } from "#test/stack.ts"
import { moveTime } from "#test/time.ts"

// A container hears whether anybody reads its log. The stack of this file has a clock of its own, since that is so for a minute.

const time = moveTime()
let app: OwnStack
let aws: Awaited<ReturnType<typeof startBreakingAws>>
let account: Awaited<ReturnType<typeof newAccount>>

beforeAll(async () => {
  app = await ownStack({}, undefined, { idle: true })
  aws = await startBreakingAws(app.awsUrl)
  account = await newAccount(app, { creditUsd: 100 })
})
afterAll(async () => {
  await app.stop()
  await aws.close()
  time.release()
})

const readLog = ({ task }: Container) => account.send(`GET /tasks/${task.id}/logs`)
const stored = ({ task }: Container, prefix = "") => items(app, `${account.accountId}#${task.id}`, prefix)

let sequence = 0
/** What the next batch is answered, which says it beside what a renewal of the lease says. */
const append = async (container: Container) => {
  const lines = [{ source: "agent_stdout", message: "And.", created_at: "2026-11-22T12:00:00.000Z" }]
  return (await container.send("logs", { sequence: ++sequence, lines })).body
}

describe("a container is told that somebody reads its log", () => {
  test("by each batch, from the first reading on until a minute after the last, whether it renews the lease or not", async () => {
    const container = await claimedContainer(app, account)
    expect(await append(container)).toEqual({ accepted: true, is_followed: false })
    await readLog(container)
    expect(await append(container)).toEqual({ accepted: true, is_followed: true })
    time.advance(20_000)
    expect(await append(container)).toMatchObject({ is_followed: true, beat: { is_followed: true } })
    time.advance(20_000)
    await readLog(container)
    time.advance(40_000)
    expect(await append(container)).toMatchObject({ is_followed: true })
    time.advance(21_000)
    expect(await append(container)).toMatchObject({ is_followed: false })
  })

  test("by a heartbeat, where it has nothing to say", async () => {
    const container = await claimedContainer(app, account)
    expect((await container.send("heartbeat", {})).body.is_followed).toBe(false)
    await readLog(container)
    expect((await container.send("heartbeat", {})).body.is_followed).toBe(true)
  })

  test("and not that of another task", async () => {
    const [read, other] = [await claimedContainer(app, account), await claimedContainer(app, account)]
    await readLog(read)
    expect([await append(read), await append(other)]).toMatchObject([{ is_followed: true }, { is_followed: false }])
  })
})

describe("whoever reads a log", () => {
  test("writes that down once in half a minute, however often that is", async () => {
    const container = await claimedContainer(app, account)
    const untils = async (times: number) => {
      for (let i = 0; i < times; i++) await readLog(container)
      return (await stored(container, "follower")).map(({ until }) => until)
    }
    const first = await untils(1)
    time.advance(20_000)
    expect(await untils(3)).toEqual(first)
    time.advance(11_000)
    const [second] = await untils(3)
    expect(second).toBeGreaterThan(first[0] + 30_000)
  })

  test("writes nothing down for a task that has ended", async () => {
    const container = await claimedContainer(app, account)
    await append(container)
    await container.send("complete", { result: null })
    const before = await published(app, account.accountId, container.task.id)
    expect((await readLog(container)).body.data).toHaveLength(1)
    expect(await stored(container)).toEqual(before)
  })

  test("gets it also where that cannot be written down", async () => {
    const container = await claimedContainer(app, account)
    await append(container)
    useAwsOf({ ...app, awsUrl: aws.url })
    process.env.AWS_MAX_ATTEMPTS = "1"
    const Log = await import("#core/log.ts")
    aws.breakAt(4, "before")
    const { data } = await Log.list(account.accountId, container.task.id, {})
    expect(aws.isBroken()).toBe(true)
    expect(data).toMatchObject([{ message: "And." }])
    expect(await stored(container, "follower")).toEqual([])
  })
})
