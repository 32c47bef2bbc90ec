import { randomUUID } from "node:crypto"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import type { Wiring } from "#local/wiring.ts"
import { as, newAccount } from "#test/app.ts"
import { items } from "#test/aws.ts"
import { useAwsOf } from "#test/core-env.ts"
import { type OwnStack, ownStack } from "#test/stack.ts"
import { moveTime } from "#test/time.ts"
import * as Rate from "./rate.ts"

// How often a key may ask: ten times a second, and twenty times at once.

const time = moveTime()
let app: OwnStack
let accountId: string
let wiring: Wiring

beforeAll(async () => {
  app = await ownStack({}, undefined, {
    idle: true,
    rewire: (real) => {
      wiring = real
      for (const { environment } of Object.values(wiring.functions)) if (environment.RATE_LIMIT) environment.RATE_LIMIT = "0.1/5"
      return wiring
    },
  })
  accountId = (await newAccount(app)).accountId
  useAwsOf(app)
})

beforeEach(() => {
  process.env.RATE_LIMIT = "10/20"
})

afterAll(async () => {
  await app.stop()
  time.release()
})

const rows = (keyId: string) => items(app, `${accountId}#rate#${keyId}`)
const writes = () => [...app.stack.counters.units].reduce((sum, [, { write }]) => sum + write, 0)

/** Ten seconds, of which some may have passed since the burst began. */
const aboutTen = expect.toSatisfy((seconds: number) => seconds > 5 && seconds <= 10)

/** Asks as often as is allowed, at most so many times. */
const burst = async (keyId: string, times: number) => {
  let allowed = 0
  for (let i = 0; i < times; i++) if ((await Rate.take(accountId, keyId)).retryAfterSeconds === 0) allowed++
  return allowed
}

describe("a key", () => {
  test("has its burst, and then its rate", async () => {
    const keyId = randomUUID()
    time.advance(1)
    const began = performance.now()
    const allowed = await burst(keyId, 30)
    // The time that this takes gives one more for each tenth of a second.
    const more = Math.ceil((performance.now() - began) / 100)
    expect(allowed).toBeGreaterThanOrEqual(20)
    expect(allowed).toBeLessThanOrEqual(20 + more)
    time.advance(500)
    expect(await burst(keyId, 4)).toBe(4)
    time.advance(3_600_000)
    expect(await Rate.take(accountId, keyId)).toMatchObject({ burst: 20, windowSeconds: 2, retryAfterSeconds: 0 })
  })

  test("that asks for too much is told how long to wait, and nothing is written for it", async () => {
    const keyId = randomUUID()
    // So slow that none is given back meanwhile.
    process.env.RATE_LIMIT = "0.1/20"
    await burst(keyId, 40)
    const before = writes()
    const { left, retryAfterSeconds } = await Rate.take(accountId, keyId)
    expect([left, retryAfterSeconds]).toEqual([0, aboutTen])
    expect(writes()).toBe(before)
  })

  test("costs a write for every tenth of its burst, and none before", async () => {
    const keyId = randomUUID()
    await burst(keyId, 1)
    expect(await rows(keyId)).toEqual([])
    const before = writes()
    await burst(keyId, 9)
    // Five times two requests; the first of them finds nobody to add to.
    expect(writes() - before).toBeLessThanOrEqual(6)
    expect((await rows(keyId)).length).toBe(1)
  })

  test("is counted by all functions together", async () => {
    const own = await newAccount(app)
    const calls = ["GET /account", "GET /agents", "GET /tasks/tsk_1"]
    const statuses: number[] = []
    for (let i = 0; i < 15; i++) statuses.push((await own.send(calls[i % 3]!)).status)
    const allowed = statuses.filter((status) => status !== 429).length
    expect(allowed).toBeGreaterThanOrEqual(5)
    expect(allowed).toBeLessThan(10)
  })

  test("is counted in the table by every function that it calls", async () => {
    const counting = Object.keys(wiring.functions).filter((name) => wiring.functions[name]!.environment.RATE_LIMIT)
    expect(counting.length).toBeGreaterThan(10)
    const isCounted = async (name: string) => {
      const { method, path } = wiring.api.routes.find((route) => route.function === name)!
      const { apiKey, keyId } = await app.operate({ operation: "createKey", accountId })
      const call = `${method} ${path.replace("/v1", "").replaceAll(/\{\w+\}/g, "none")}`
      await as(app, apiKey).send(call, method === "GET" ? undefined : {})
      expect(await rows(keyId!), name).toHaveLength(1)
    }
    await Promise.all(counting.map(isCounted))
  })

  test("is answered 429 rate_limited, with the headers that say when to come again", async () => {
    const own = await newAccount(app)
    const first = await own.send("GET /account")
    expect(first.headers.get("ratelimit-policy")).toBe('"key";q=5;w=50')
    expect(first.headers.get("ratelimit")).toBe('"key";r=4;t=10')
    for (let i = 0; i < 9; i++) await own.send("GET /account")
    const { status, headers, body } = await own.send("GET /account")
    expect(status).toBe(429)
    const { retryAfterSeconds } = body.error
    expect(body.error).toMatchObject({
      code: "rate_limited",
      retryAfterSeconds: aboutTen,
      requestId: headers.get("x-request-id"),
    })
    expect(headers.get("retry-after")).toBe(String(retryAfterSeconds))
    expect(headers.get("ratelimit")).toBe(`"key";r=0;t=${40 + retryAfterSeconds}`)
    const other = await newAccount(app)
    expect((await other.send("GET /account")).status).toBe(200)
  })
})
