import * as Conversation from "#core/conversation.ts"
import { isParked } from "#core/lifecycle.ts"
import * as Run from "#core/run.ts"
import * as Wake from "#core/wake.ts"
import { newHome } from "../crash-points/home.ts"
import { Life } from "../crash-points/life.ts"
import { openWorld } from "./world.ts"

/** A container comes for a turn of a conversation, answers, and leaves. */
export const answer = async (life: Life, turn: number) => {
  const agent = await life.claim(turn)
  await agent.completeTurn(turn)
  await agent.leave("release", (ref) => Run.release(ref, { to: "await_input" }))
  await life.until((task) => isParked(task))
}

export const askOn = (life: Life) =>
  life.ask("message", () => Conversation.say(life.home.accountId, life.taskId!, { content: "And this month?" }))

/** One task that sleeps and is woken, again and again. */
export const openSleeper = async () => {
  const world = await openWorld()
  // The sweeper would look every five minutes, and find nothing.
  world.between.invocation = (name, _, work) => (name === "sweep" ? Promise.resolve() : work())
  const life = new Life(world, await newHome(world), undefined)
  await life.dispatch()
  let attempt = 1
  return {
    world,
    life,
    /** Falls asleep, and is woken from outside a moment later. */
    sleep: async () => {
      const agent = await life.claim(attempt++)
      const until = new Date(Date.now() + 3_600_000).toISOString()
      const wish = { to: "hibernate" as const, until, reason: "Waiting.", messages: [], after: 0 }
      await agent.leave("release", (ref) => Run.release(ref, wish))
      await life.ask("wake", () => Wake.create(life.home.accountId, life.taskId!, { kind: "external_wake" }))
    },
    finish: async () => {
      await (await life.claim(attempt)).complete()
      await world.time.pass(1_000)
    },
  }
}
