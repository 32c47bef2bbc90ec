import { afterEach, expect, test, vi } from "vitest"
import * as Conversation from "#core/conversation.ts"
import { isParked } from "#core/lifecycle.ts"
import * as Run from "#core/run.ts"
import { newHome } from "./crash-points/home.ts"
import { brokenBy, evidenceOf } from "./crash-points/invariants.ts"
import { Life } from "./crash-points/life.ts"
import { openSleeper } from "./world/sleeper.ts"
import { openWorld, type World } from "./world/world.ts"

// What waits for a year costs nothing for a year. Counted, in simulated time; `npm run bench:sleeps` has a task sleep 10,000 times.

vi.setConfig({ testTimeout: 240_000 })

const dayMs = 86_400_000
let world: World

afterEach(() => world.close())

test("a conversation that is answered once a month lives for more than a year: two transitions a month, and nothing in between", async () => {
  world = await openWorld()
  world.between.invocation = (name, _, work) => (name === "sweep" ? Promise.resolve() : work())
  const life = new Life(world, await newHome(world), undefined)
  const months = 13
  let callsWhileWaiting = 0
  await life.converse({ sessionTtlSeconds: 30 * 86_400 })
  for (let turn = 1; turn <= months; turn++) {
    const agent = await life.claim(turn)
    await agent.completeTurn(turn)
    await agent.leave("release", (ref) => Run.release(ref, { to: "await_input" }))
    await life.until((task) => isParked(task))
    world.between.request = (_, send) => {
      callsWhileWaiting++
      return send()
    }
    await world.time.skip(29 * dayMs)
    world.between.request = (_, send) => send()
    await life.ask("message", () => Conversation.say(life.home.accountId, life.taskId!, { content: "And this month?" }))
  }
  await life.until(({ container }) => container === "starting")

  expect(callsWhileWaiting).toBe(0)
  expect(Date.now() - Date.parse((await life.row()).createdAt)).toBeGreaterThan(365 * dayMs)
  // After 240 days another execution has taken over: the end of the one and the beginning of the other come on top. The one ended so
  // long ago that AWS has forgotten it.
  expect(await life.row()).toMatchObject({ generation: 2 })
  expect(await world.executions(life.taskId!, 2)).toEqual(["RUNNING"])
  expect(world.transitions.count).toBe(1 + 2 * months + 2)
  const { containerSeconds, attempt } = await life.row()
  expect(attempt).toBe(months + 1)
  expect(containerSeconds).toBeLessThanOrEqual(2 * months)
  await life.end()
  expect(brokenBy(await evidenceOf(life))).toEqual([])
})

test("after 500 sleeps the next execution goes on with the same task, and the one before has ended", async () => {
  const sleeper = await openSleeper()
  world = sleeper.world
  const { life, sleep, finish } = sleeper
  await sleep()
  await life.patch({ parks: 496 })
  for (let i = 0; i < 8; i++) await sleep()
  await finish()
  expect(await life.row()).toMatchObject({ status: "finished", attempt: 10, generation: 2, cycle: 9 })
  expect(await world.executions(life.taskId!, 2)).toEqual(["SUCCEEDED", "SUCCEEDED"])
  expect(world.transitions.count).toBe(1 + 2 * 9 + 2)
  expect(brokenBy(await evidenceOf(life))).toEqual([])
})
