import fc from "fast-check"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type Home, newHome } from "../crash-points/home.ts"
import { openWorld, type World } from "../world/world.ts"
import { type StepName, stepNames } from "./model.ts"
import { live } from "./real.ts"

const count = 250
const mostSteps = 10
/** After so many histories on an account they go on with another one: its ledger is read after each. */
const ofHome = 25

/** What happens most in a life happens most here. */
const likely: StepName[] = [
  "claim",
  "claim",
  "claim",
  "message",
  "take turn",
  "complete turn",
  "sleep",
  "leave",
  "an hour passes",
]

/**
 * Lives random histories. A failure is made as short as can be and printed with its seed, by which it is lived again:
 * `DORMOUSE_SEED=… npx vitest run test/histories`.
 */
export const checkHistories = (isConversation: boolean) => {
  const seed = Number(process.env.DORMOUSE_SEED ?? Date.now() % 2 ** 31)
  let world: World
  let home: Home
  let lived = 0

  beforeAll(async () => {
    world = await openWorld()
    // The sweeper is for what nobody else mends: here it may not be needed.
    world.between.invocation = (name, _, work) => (name === "sweep" || name === "title" ? Promise.resolve() : work())
  })
  afterAll(() => world?.close())

  test(`${count} histories are as the model says, and every ledger adds up (seed ${seed})`, { timeout: 300_000 }, async () => {
    const histories = fc.array(fc.constantFrom(...stepNames, ...likely), { minLength: 1, maxLength: mostSteps })
    const property = fc.asyncProperty(histories, async (names) => {
      if (lived++ % ofHome === 0) home = await newHome(world)
      expect(await live(world, home, isConversation, names)).toEqual([])
    })
    await fc.assert(property, { seed, numRuns: count, endOnFailure: false })
  })
}
