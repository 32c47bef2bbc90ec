import { afterAll, beforeAll, expect, test, vi } from "vitest"
import * as Run from "#core/run.ts"
import { newHome } from "./crash-points/home.ts"
import { Life } from "./crash-points/life.ts"
import { openWorld, type World } from "./world/world.ts"

// A conversation's time to wait is over when it said, whatever its container would like. In simulated time.

vi.setConfig({ testTimeout: 240_000 })

let world: World

beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world.close())

test.each([60, 121])(
  "a conversation that may wait for %i seconds expires after them, though a container would stay for longer",
  async (sessionTtlSeconds) => {
    const life = new Life(world, await newHome(world), undefined)
    await life.converse({ sessionTtlSeconds })
    const agent = await life.claim()
    const told = await agent.ask("claim again", (ref) => Run.claim(ref, { run_token_hash: Run.hashOf(agent.token) }))
    await agent.completeTurn(1)
    const { awaitUntilAt } = await life.row()

    await world.time.pass(told!.claim.bundle.warm.turn_seconds * 1000)
    await agent.leave("release", (ref) => Run.release(ref, { to: "await_input" }))
    const { status, completedAt } = await life.until((task) => task.completedAt !== undefined)

    expect(status).toBe("expired")
    expect(Math.floor((Date.parse(completedAt!) - Date.parse(awaitUntilAt!)) / 1000)).toBeLessThanOrEqual(1)
  },
)
