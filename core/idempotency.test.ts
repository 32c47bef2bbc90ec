import { randomUUID } from "node:crypto"
import { UpdateCommand } from "@aws-sdk/lib-dynamodb"
import { beforeAll, describe, expect, test } from "vitest"
import { millis } from "#core/clock.ts"
import { newId } from "#core/id.ts"
import * as Idempotency from "#core/idempotency.ts"
import { LogEntity } from "#core/log.entity.ts"
import type { Problem } from "#core/problem.ts"
import { randomBytes } from "#core/request.ts"
import { transact } from "#core/transaction.ts"
import { newAccount, shared } from "#test/app.ts"
import { items, tableOf } from "#test/aws.ts"
import { hashOf } from "#test/container.ts"
import { useAwsOf } from "#test/core-env.ts"
import { loseAnswer } from "#test/idempotency.ts"
import { moveTime } from "#test/time.ts"

const app = shared()
let accountId: string

beforeAll(async () => {
  accountId = (await newAccount(app)).accountId
  useAwsOf(app)
})

const ok = (body = "done") => ({ status: 201, headers: {}, body })
const refused = { status: 404, headers: {}, body: "{}" }

/** A transaction that can be committed only once: a row that must not be there yet. */
const effect = (taskId: string, batch: string) =>
  transact({ line: LogEntity.create({ accountId, taskId, attempt: 1, batch, lines: [] }) })

const rowOf = async (key: string) => (await items(app, `${accountId}#idempotency#${hashOf(key)}`))[0]

const keyed = (key = randomUUID(), request = "POST /things") => ({ accountId, key, request })

describe("a request with an idempotency key", () => {
  test("whose work is refused before anything was done is judged anew, whatever it asks for then", async () => {
    const one = keyed()
    expect((await Idempotency.once(one, async () => refused)).answer).toEqual(refused)
    const other = await Idempotency.once({ ...one, request: "POST /others" }, async () => ok())
    expect(other).toEqual({ answer: ok(), isReplayed: false })
  })

  test("whose work is refused after something was done keeps that answer", async () => {
    const one = keyed()
    const work = async () => {
      await effect(one.key, "1")
      return refused
    }
    await Idempotency.once(one, work)
    expect(await Idempotency.once(one, work)).toEqual({ answer: refused, isReplayed: true })
  })

  test("that failed between two transactions goes on with the second, with the same ids, secrets and time", async () => {
    const one = keyed()
    const made: unknown[] = []
    const work = async () => {
      made.push([newId("task"), newId("task"), randomBytes(40, "key").toString("hex"), millis()])
      expect(await effect(one.key, "1")).toEqual([])
      if (made.length === 1) throw new Error("The network is down")
      expect(await effect(one.key, "2")).toEqual([])
      return ok()
    }
    await expect(Idempotency.once(one, work)).rejects.toThrow("The network is down")
    expect(await Idempotency.once(one, work)).toEqual({ answer: ok(), isReplayed: false })
    expect(made[1]).toEqual(made[0])
    expect((await items(app, `${accountId}#${one.key}`)).length).toBe(2)
  })

  test("that failed before anything was done begins anew, with other ids, at once", async () => {
    const one = keyed()
    const ids: string[] = []
    const work = async () => {
      ids.push(newId("task"))
      if (ids.length === 1) throw new Error("The network is down")
      return ok()
    }
    await expect(Idempotency.once(one, work)).rejects.toThrow()
    await Idempotency.once(one, work)
    expect(new Set(ids).size).toBe(2)
  })

  test("makes ids that sort by when they were made", async () => {
    const ids: string[] = []
    await Idempotency.once(keyed(), async () => {
      for (let i = 0; i < 200; i++) ids.push(newId("task"))
      return ok()
    })
    expect(ids.toSorted()).toEqual(ids)
    expect(new Set(ids).size).toBe(200)
    expect(ids[0]).toMatch(/^tsk_[0-9A-HJKMNP-TV-Z]{26}$/)
  })

  test("is carried out by one of many that come at the same moment", async () => {
    const one = keyed()
    let times = 0
    const work = async () => {
      times++
      await effect(one.key, "1")
      return ok()
    }
    const all = await Promise.allSettled([1, 2, 3, 4, 5].map(() => Idempotency.once(one, work)))
    expect(times).toBe(1)
    for (const each of all)
      if (each.status === "rejected") expect((each.reason as Problem).code).toBe("idempotency_in_progress")
      else expect(each.value.answer).toEqual(ok())
  })

  test("is taken up again after a minute where whoever carried it out has vanished, and forgotten after a day", async () => {
    const time = moveTime()
    const one = keyed()
    const work = async () => {
      await effect(one.key, "1")
      return ok()
    }
    await Idempotency.once(one, work)
    await loseAnswer(app, accountId, one.key, { lockedForMs: 60_000 })
    await expect(Idempotency.once(one, work)).rejects.toMatchObject({ code: "idempotency_in_progress" })
    time.advance(61_000)
    expect(await Idempotency.once(one, work)).toEqual({ answer: ok(), isReplayed: false })
    time.advance(86_400_000 - 5_000)
    expect((await Idempotency.once(one, work)).isReplayed).toBe(true)
    time.advance(10_000)
    expect((await Idempotency.once(one, async () => ok("new"))).answer).toEqual(ok("new"))
    time.release()
  })

  test("that was taken over commits nothing any more", async () => {
    const one = keyed()
    const slow = Idempotency.once(one, async () => {
      const Key = { pk: `${accountId}#idempotency#${hashOf(one.key)}`, sk: "idempotency" }
      const change = { UpdateExpression: "SET #t = :t", ExpressionAttributeNames: { "#t": "token" } }
      await tableOf(app).send(
        new UpdateCommand({ TableName: "dormouse", Key, ...change, ExpressionAttributeValues: { ":t": "another" } }),
      )
      await effect(one.key, "1")
      return ok()
    })
    await expect(slow).rejects.toMatchObject({ code: "idempotency_in_progress" })
    expect(await items(app, `${accountId}#${one.key}`)).toEqual([])
  })

  test.each([100, 300_000])("is kept without a word of its answer of %i bytes lying in the table", async (size) => {
    const one = keyed()
    const answer = ok(`secret-${"x".repeat(size)}${randomBytes(size, "noise").toString("hex")}`)
    await Idempotency.once(one, async () => answer)
    const row = await rowOf(one.key)
    expect(JSON.stringify(row)).not.toContain("secret-")
    expect(JSON.stringify(row).length).toBeLessThan(10_000)
    expect(await Idempotency.once(one, async () => ok("other"))).toEqual({ answer, isReplayed: true })
  })

  test("of one account is none of another's", async () => {
    const one = keyed()
    await Idempotency.once(one, async () => ok("mine"))
    const other = (await newAccount(app)).accountId
    expect(await Idempotency.once({ ...one, accountId: other }, async () => ok("yours"))).toMatchObject({ answer: ok("yours") })
  })
})
