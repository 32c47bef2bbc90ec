import { afterAll, beforeAll, expect, test } from "vitest"
import { type Home, newHome } from "#test/crash-points/home.ts"
import { type Agent, Life } from "#test/crash-points/life.ts"
import { operationOf } from "#test/world/requests.ts"
import { openWorld, type World } from "#test/world/world.ts"
import * as Run from "./run.ts"

let world: World
let home: Home

beforeAll(async () => {
  world = await openWorld()
  home = await newHome(world)
})

afterAll(() => world?.close())

const working = async (): Promise<{ life: Life; agent: Agent }> => {
  const life = new Life(world, home, undefined)
  await life.dispatch()
  return { life, agent: await life.claim() }
}

/** Has something happen at the next transaction: `before` it is sent, or `after` that its answer is lost. */
const atNextTransaction = ({ before, isLost = false }: { before?: () => Promise<unknown>; isLost?: boolean }) => {
  world.between.request = async (request, send) => {
    if (operationOf(request) !== "TransactWriteItems") return send()
    world.between.request = (_, pass) => pass()
    await before?.()
    const reply = await send()
    if (isLost) throw Object.assign(new Error("The answer was lost"), { name: "TimeoutError" })
    return reply
  }
}

const use = { input: 100, output: 10, cacheRead: 0, cacheWrite: 0 }

test("a model request counts once, though the SDK sends it again where the answer is lost", async () => {
  const { life, agent } = await working()
  atNextTransaction({ isLost: true })
  await agent.ask("metered", (ref) => Run.meter(ref, use))
  await agent.complete()
  expect(await life.row()).toMatchObject({ status: "finished", inputTokens: 100, outputTokens: 10 })
})

test("what is metered and reported in the moment that a run ends is its task's all the same", async () => {
  const { life, agent } = await working()
  const ref = await world.time.drive(Run.ofToken(agent.token))
  atNextTransaction({ before: () => Run.reportUsage(ref, { cost_usd: 0.25 }) })
  await agent.complete()
  expect(await life.row()).toMatchObject({ status: "finished", modelCostMicros: 250_000 })
  const { life: other, agent: next } = await working()
  const nextRef = await world.time.drive(Run.ofToken(next.token))
  atNextTransaction({ before: () => Run.meter(nextRef, use) })
  await next.complete()
  expect(await other.row()).toMatchObject({ status: "finished", inputTokens: 100 })
})
