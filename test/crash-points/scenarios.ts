import { AccountEntity } from "#core/account.entity.ts"
import * as Billing from "#core/billing.ts"
import * as Checkpoint from "#core/checkpoint.ts"
import * as Conversation from "#core/conversation.ts"
import { isParked } from "#core/lifecycle.ts"
import * as Queue from "#core/queue.ts"
import * as Run from "#core/run.ts"
import * as TaskRemoval from "#core/task-removal.ts"
import * as Wake from "#core/wake.ts"
import type { Agent, Life } from "./life.ts"

/** Lives that have every transition in them, and how each of them ends. */

interface Scenario {
  status: "finished" | "failed" | "cancelled" | "expired"
  live: (life: Life) => Promise<unknown>
  /** What comes after its end. Then nothing of it is left. */
  removal?: (life: Life) => Promise<unknown>
}

const sleepMs = 10 * 60_000

const parked = (life: Life) => life.until((task) => isParked(task))

/** A conversation whose first turn is over; its container is still there. */
const conversation = async (life: Life, overrides?: object) => {
  await life.converse(overrides)
  const agent = await life.claim()
  await agent.completeTurn(1)
  return agent
}

const leave = (agent: Agent) => agent.leave("release to await input", (ref) => Run.release(ref, { to: "await_input" }))

const fallAsleep = async (life: Life, agent: Agent) => {
  const until = new Date(Date.now() + sleepMs).toISOString()
  const body = { to: "hibernate" as const, until, reason: "Waiting.", messages: [], after: 0 }
  await agent.leave("release to hibernate", (ref) => Run.release(ref, body))
  await parked(life)
}

const sleep = async (life: Life) => {
  await life.dispatch()
  await fallAsleep(life, await life.claim())
}

const wake = (life: Life) => life.ask("wake", () => Wake.create(life.home.accountId, life.taskId!, { kind: "external_wake" }))

/** A container that was told to stop says its last word, if it had claimed its run. */
const cancelled = async (life: Life, agent: Agent) => {
  await life.cancel()
  await agent.giveUp()
}

export const scenarios: Record<string, Scenario> = {
  "a task whose container does not listen when it is cancelled": {
    status: "cancelled",
    live: async (life) => {
      await life.dispatch()
      await life.claim()
      await life.cancel()
    },
  },
  "a task that finishes": {
    status: "finished",
    live: async (life) => {
      await life.dispatch()
      const agent = await life.claim()
      await agent.ask("heartbeat", (ref) => Run.heartbeat(ref))
      await agent.complete()
    },
  },
  "a task that fails": {
    status: "failed",
    live: async (life) => {
      await life.dispatch()
      const agent = await life.claim()
      await agent.leave("fail", (ref) => Run.fail(ref, { error: "It cannot be done." }))
    },
  },
  "a task whose agent saves its workspace": {
    status: "finished",
    live: async (life) => {
      await life.dispatch()
      const agent = await life.claim()
      const size_bytes = 100
      const name = await agent.ask("checkpoint prepared", async (ref) => {
        const object = { name: `${ref.runId}/s1`, size_bytes }
        await Checkpoint.prepare(ref, { objects: [object] })
        return object.name
      })
      if (name) life.store(name, size_bytes)
      const move = { segment: name ?? "", previous: null, added: [{ name: name ?? "", size_bytes }], released: [] }
      await agent.ask("checkpoint moved", (ref) => Checkpoint.commit(ref, move))
      await agent.complete()
    },
  },
  "a container that is lost": {
    status: "finished",
    live: async (life) => {
      await life.dispatch()
      const agent = await life.claim()
      agent.exit(137)
      const next = await life.claim(2)
      await next.complete()
    },
  },
  "a container that says nothing more": {
    status: "finished",
    live: async (life) => {
      await life.dispatch()
      const late = await life.claim()
      const next = await life.claim(2)
      await late.ask("a word too late", (ref) => Run.fail(ref, { error: "Too late." }))
      await next.complete()
    },
  },
  "a task whose every container is lost": {
    status: "failed",
    live: async (life) => {
      await life.dispatch()
      for (const attempt of [1, 2, 3]) (await life.claim(attempt)).exit(137)
      await life.until(({ completedAt }) => completedAt !== undefined)
    },
  },
  "a task that sleeps and is woken": {
    status: "finished",
    live: async (life) => {
      await sleep(life)
      await wake(life)
      await (await life.claim(2)).complete()
    },
  },
  "a task that sleeps until its time": {
    status: "finished",
    live: async (life) => {
      await sleep(life)
      await (await life.claim(2)).complete()
    },
  },
  "a task that goes on in another execution": {
    status: "finished",
    live: async (life) => {
      await sleep(life)
      await life.patch({ parks: 500 })
      await wake(life)
      await (await life.claim(2)).complete()
    },
  },
  "a task that is cancelled asleep": {
    status: "cancelled",
    live: async (life) => {
      await sleep(life)
      await life.cancel()
    },
  },
  "a task of whose beginning nobody hears": {
    status: "finished",
    live: async (life) => {
      life.unheard = "publish task.created"
      life.isSwept = true
      await life.dispatch()
      await (await life.claim()).complete()
    },
  },
  "a task of whose beginning nobody hears and that is cancelled": {
    status: "cancelled",
    live: async (life) => {
      life.unheard = "publish task.created"
      life.isSwept = true
      await life.dispatch()
      await life.cancel()
    },
  },
  "a task whose execution is stopped": {
    status: "failed",
    live: async (life) => {
      await life.dispatch()
      await life.claim()
      await life.stopExecution()
      await life.until(({ completedAt }) => completedAt !== undefined)
    },
  },
  "a task that pauses until there is credit": {
    status: "finished",
    live: async (life) => {
      const { accountId } = life.home
      const grant = (usd: number) => () => Billing.grant({ accountId, usd, grantId: `${life.taskId} ${usd}` })
      await life.dispatch()
      const agent = await life.claim()
      await life.world.time.drive(grant(-1_000)())
      await agent.leave("release to pause", (ref) => Run.release(ref, { to: "pause", messages: [] }))
      await parked(life)
      await life.world.time.drive(grant(1_000)())
      await (await life.claim(2)).complete()
    },
  },
  "a task that waits until its account may run another": {
    status: "finished",
    live: async (life) => {
      const { accountId } = life.home
      const others = (running: number) => life.world.time.drive(AccountEntity.patch({ accountId }).add({ running }).go())
      await others(100)
      await life.dispatch()
      await parked(life)
      if (life.world.fargate.of(life.taskId!).length) throw new Error("It runs without a place")
      await others(-100)
      await life.ask("place", () => Queue.advance(accountId))
      await (await life.claim()).complete()
    },
  },
  "a task that is cancelled before it ran": {
    status: "cancelled",
    live: async (life) => {
      await life.dispatch()
      await life.until(({ container }) => container === "starting")
      await life.cancel()
    },
  },
  "a task that is cancelled at work": {
    status: "cancelled",
    live: async (life) => {
      await life.dispatch()
      await cancelled(life, await life.claim())
    },
  },
  "a task that is deleted after its end": {
    status: "finished",
    live: async (life) => {
      await life.dispatch()
      await (await life.claim()).complete()
    },
    removal: (life) => life.ask("delete", () => TaskRemoval.remove(life.home.accountId, life.taskId!)),
  },
  "a conversation that goes on with another container": {
    status: "cancelled",
    live: async (life) => {
      await leave(await conversation(life))
      await parked(life)
      await life.say("message")
      const next = await life.claim(2)
      await next.completeTurn(2)
      await cancelled(life, next)
    },
  },
  "a conversation that goes on while it is warm": {
    status: "cancelled",
    live: async (life) => {
      const agent = await conversation(life)
      await life.say("message")
      await agent.takeTurn(1)
      await life.say("message")
      await agent.completeTurn(2)
      await cancelled(life, agent)
    },
  },
  "a conversation that nobody answers": {
    status: "expired",
    live: async (life) => {
      await leave(await conversation(life, { sessionTtlSeconds: 600 }))
      await parked(life)
      await life.until(({ completedAt }) => completedAt !== undefined)
    },
  },
  "a conversation that the agent takes over": {
    status: "finished",
    live: async (life) => {
      const agent = await conversation(life)
      await life.ask("mode", () => Conversation.setAutonomous(life.home.accountId, life.taskId!, { enabled: true }))
      await agent.takeTurn(1)
      await agent.complete()
    },
  },
}
