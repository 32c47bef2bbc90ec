import { setImmediate } from "node:timers/promises"
import { afterAll, expect, test } from "vitest"
import { usagePauseSeconds } from "../../core/protocol.ts"
import { moveTime } from "../../test/time.ts"
import { createCost } from "./cost.ts"

const time = moveTime()
afterAll(() => time.release())

const startCost = () => {
  const told: number[] = []
  const api: { isThere: boolean } = { isThere: true }
  const cost = createCost(async (usd) => {
    if (!api.isThere) throw new Error("The API is not there")
    told.push(usd)
  })
  cost.startTurn()
  const soFar = async (usd: number) => {
    cost.soFar(usd)
    await setImmediate()
  }
  return { told, api, cost, soFar }
}

test("the cost is told after the first answer, and then every two minutes at most, however many answers there are", async () => {
  const { told, cost, soFar } = startCost()
  for (const usd of [0.1, 0.2, 0.3]) await soFar(usd)
  expect(told).toEqual([0.1])
  time.advance(usagePauseSeconds * 1000)
  await soFar(0.4)
  await soFar(0.5)
  expect(told).toEqual([0.1, 0.4])
  expect(await cost.untold()).toBe(0.5)
})

test("a turn begins where the one before has ended, also where its agent was killed and said nothing more", async () => {
  const { told, cost, soFar } = startCost()
  await soFar(0.1)
  await soFar(0.2)
  cost.endTurn(undefined)
  cost.startTurn()
  time.advance(usagePauseSeconds * 1000)
  await soFar(0.05)
  expect(told).toEqual([0.1, 0.25])
  cost.endTurn(0.05)
  expect(await cost.untold()).toBeUndefined()
})

test("what could not be told is told with the next, or at the end", async () => {
  const { told, api, cost, soFar } = startCost()
  api.isThere = false
  await soFar(0.1)
  expect(await cost.untold()).toBe(0.1)
  api.isThere = true
  time.advance(usagePauseSeconds * 1000)
  await soFar(0.2)
  expect(told).toEqual([0.2])
  expect(await cost.untold()).toBeUndefined()
})

test("an answer that costs nothing does not keep the next one from being told", async () => {
  const { told, soFar } = startCost()
  await soFar(0)
  await soFar(0.1)
  expect(told).toEqual([0.1])
})

test("what an agent's program says between turns, or cannot be true, is not believed", async () => {
  const { cost, soFar } = startCost()
  for (const usd of [0.1, -1, Number.NaN, 2_000_000]) await soFar(usd)
  cost.endTurn(-5)
  await soFar(7)
  cost.endTurn(undefined)
  expect(await cost.untold()).toBeUndefined()
})
