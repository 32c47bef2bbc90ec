import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { after, now } from "../../core/clock.ts"
import { logPauseSeconds } from "../../core/protocol.ts"
import type { Script } from "../../test/model-server.ts"
import { moveTime } from "../../test/time.ts"
import type { Trouble } from "../test/container-api.ts"
import { fastForward, startStage } from "../test/stage.ts"
import { Refused } from "./api.ts"
import { holdLease } from "./lease.ts"

/** The agent leaves a half-done file, then works for ever. */
const forEver = { blocks: [{ tool: "bash", args: { command: "printf half > output/part.md; sleep 1000" } }] }
const created_at = "2026-11-25T12:00:00.000Z"
const done = { blocks: [{ text: "Done." }] }

const startWorking = async () => {
  const stage = await startStage({ script: [forEver], bundle: { limits: { max_runtime_seconds: 80_000 } } })
  const part = () => readFile(join(stage.workspace, "output/part.md"), "utf8").catch(() => "")
  await expect.poll(part, { timeout: 20_000 }).toBe("half")
  return stage
}

test.each([401, 409])("a lease that the API refuses (%i) ends the agent and the daemon, without a report", async (status) => {
  const stage = await startWorking()
  stage.api.play.trouble = (path) => (path.endsWith("heartbeat") ? status : undefined)

  expect(await fastForward(stage), stage.printed()).toBe(1)
  await stage.until(() => stage.agentProcesses().length === 0)
  expect(stage.api.seen).toMatchObject({ failed: undefined, completed: undefined })
  expect(stage.api.seen.outputs.size).toBe(0)
})

test("a lease that cannot be renewed for two minutes ends the agent and the daemon", async () => {
  const stage = await startWorking()
  stage.api.play.trouble = (path) => (path.endsWith("heartbeat") ? 503 : undefined)

  expect(await fastForward(stage), stage.printed()).toBe(1)
  expect(stage.printed()).toContain("could not be renewed for 120 seconds")
  await stage.until(() => stage.agentProcesses().length === 0)
  expect(stage.api.seen.failed).toBeUndefined()
})

test("a container that talks keeps its lease by its log, also where nobody reads it, and hears by it what a heartbeat would say", async () => {
  const talk = { blocks: [{ tool: "bash", args: { command: "sleep 0.3" } }] }
  const bundle = { limits: { max_runtime_seconds: 80_000, model_idle_seconds: 80_000 } }
  const stage = await startStage({ script: () => talk, bundle })
  stage.api.play.trouble = (path) => (path.endsWith("heartbeat") ? 503 : undefined)
  stage.api.play.isFollowed = false
  await stage.untilAsked(1)

  const { renewedBy } = stage.api.seen
  for (let seen = renewedBy.length; seen < 6; seen = renewedBy.length) {
    await stage.move(logPauseSeconds.longest)
    await stage.until(() => renewedBy.length > seen)
  }
  stage.api.play.signals = [{ kind: "cancel" }]
  await stage.move(logPauseSeconds.longest)

  expect(await stage.ended, stage.printed()).toBe(0)
  expect(stage.api.seen.failed?.error).toBe("The task was cancelled.")
  expect(renewedBy).not.toContain("heartbeat")
})

describe("a lease", () => {
  let time: ReturnType<typeof moveTime>
  beforeAll(() => {
    time = moveTime()
  })
  afterAll(() => time.release())

  /** So many seconds go by, and whatever was due by then is done. */
  const pass = async (seconds: number) => {
    const over = new Promise<void>((resolve) => after(seconds * 1000, resolve))
    time.advance(seconds * 1000)
    await over
  }
  const beat = (status: "claimed" | "lost" = "claimed") => {
    const at = now().toISOString()
    const lease = { run_id: "run_1", task_id: "tsk_1", status, claim_token_hash: "", heartbeat_at: at, lease_until: at }
    return { lease, signals: [], mode: "autonomous" as const, time_left_seconds: 60 }
  }
  const hold = () => {
    const seen = { beats: 0, heard: 0, lost: [] as string[] }
    const play: { isAway: boolean; isEnding: boolean } = { isAway: false, isEnding: false }
    const lease = holdLease({
      renew: async () => {
        seen.beats++
        if (play.isAway) throw new Refused(503, "Away")
        lease.renewed(beat())
      },
      isEnding: () => play.isEnding,
      onBeat: () => seen.heard++,
      onLost: (why) => seen.lost.push(why),
    })
    return { ...lease, seen, play }
  }

  test("is renewed by a heartbeat as long as nothing else renews it, and by none for thirty seconds after something has", async () => {
    const { renewed, letGo, seen } = hold()
    await pass(31)
    expect(seen).toMatchObject({ beats: 1, heard: 1 })
    for (let i = 0; i < 10; i++) {
      await pass(20)
      renewed(beat())
    }
    expect(seen).toEqual({ beats: 1, heard: 11, lost: [] })
    await pass(31)
    expect(seen).toEqual({ beats: 2, heard: 12, lost: [] })
    letGo()
    renewed(beat())
    await pass(200)
    expect(seen).toEqual({ beats: 2, heard: 12, lost: [] })
  })

  test("is held on to while the end of the run is reported, whatever is heard of it meanwhile, and counts again where that is not taken", async () => {
    const { renewed, seen, play } = hold()
    Object.assign(play, { isAway: true, isEnding: true })
    await pass(130)
    renewed(beat("lost"))
    play.isAway = false
    await pass(31)
    expect(seen).toMatchObject({ heard: 1, lost: [] })
    play.isEnding = false
    renewed(beat("lost"))
    expect(seen.lost).toEqual(["The run's lease is lost"])
  })

  test("is lost once, whatever says so", async () => {
    const { renewed, seen } = hold()
    renewed(beat("lost"))
    renewed(beat("lost"))
    await pass(200)
    expect(seen).toEqual({ beats: 0, heard: 0, lost: ["The run's lease is lost"] })
  })
})

test("a cancelled run saves what is there and reports it", async () => {
  const stage = await startWorking()
  stage.api.play.signals = [{ kind: "cancel" }]

  expect(await fastForward(stage), stage.printed()).toBe(0)
  expect(stage.api.seen.failed?.error).toBe("The task was cancelled.")
  expect(stage.api.seen.outputs.get("part.md")?.text).toBe("half")
  expect(stage.api.seen.usage.at(-1)).toBeGreaterThan(0)
})

test("a stopped container saves what is there and reports nothing, so that another attempt is made", async () => {
  const stage = await startWorking()
  stage.child.kill("SIGTERM")

  expect(await stage.ended, stage.printed()).toBe(143)
  expect(stage.api.seen).toMatchObject({ failed: undefined, completed: undefined })
  expect(stage.api.seen.outputs.get("part.md")?.text).toBe("half")
  expect(stage.said("daemon").at(-1)).toBe("The container was stopped.")
  await stage.until(() => stage.agentProcesses().length === 0)
})

test("a stopped container of a cancelled run reports that it is cancelled", async () => {
  const stage = await startWorking()
  stage.api.play.signals = [{ kind: "cancel" }]
  stage.child.kill("SIGTERM")

  expect(await stage.ended, stage.printed()).toBe(0)
  expect(stage.api.seen.failed?.error).toBe("The task was cancelled.")
})

test("a run whose time is over is stopped, with its files kept", async () => {
  const stage = await startStage({ script: [forEver], bundle: { limits: { max_runtime_seconds: 300 } } })
  await stage.until(() => stage.agentProcesses().length > 1)
  stage.api.play.runtimeSeconds = 200

  expect(await fastForward(stage), stage.printed()).toBe(0)
  expect(stage.api.seen.failed?.error).toMatch(/the run reached its limit of 5 minutes/)
  expect(stage.api.seen.outputs.get("part.md")?.text).toBe("half")
})

test("a turn whose time is over is stopped", async () => {
  const stage = await startStage({ script: [forEver], bundle: { limits: { max_runtime_per_turn_seconds: 240 } } })
  await stage.until(() => stage.agentProcesses().length > 1)

  expect(await fastForward(stage), stage.printed()).toBe(0)
  expect(stage.api.seen.failed?.error).toMatch(/the turn reached its limit of 4 minutes/)
})

test("an API that is away for a while loses nothing of the log and doubles nothing", async () => {
  const troubles: Trouble[] = [503, "hangup", "lost answer", 429, "lost answer", "hangup"]
  const stage = await startStage({
    script: [{ blocks: [{ text: Array.from({ length: 1000 }, (_, i) => `line ${i}`).join("\n") }] }],
    bundle: { limits: { max_runtime_seconds: 80_000, model_idle_seconds: 80_000 } },
  })
  stage.api.play.trouble = (path) => (path.endsWith("logs") ? troubles.shift() : undefined)

  expect(await fastForward(stage), stage.printed()).toBe(0)
  expect(troubles).toEqual([])
  const { sequences, batches, violations } = stage.api.seen
  expect(violations).toEqual([])
  expect(sequences).toEqual(sequences.toSorted((a, b) => a - b))
  expect([...batches.keys()]).toEqual(Array.from({ length: batches.size }, (_, i) => i + 1))
  expect(sequences.length).toBe(batches.size + 2)
  expect(stage.said("agent_stdout")).toEqual(Array.from({ length: 1000 }, (_, i) => `line ${i}`))
  expect(stage.said("daemon").at(-1)).toBe("The agent has finished")
})

describe("an outage that begins with the report of the end, and lasts for longer than the lease", () => {
  const message = (sequence: number) => ({ id: `msg_${sequence}`, sequence, content: "Look again.", files: [], created_at })
  const turn = { number: 2, mode: "autonomous" as const, messages: [message(1)] }

  const startWithOutage = async (script: Script) => {
    const stage = await startStage({ script, bundle: { turn, limits: { max_runtime_seconds: 80_000 } } })
    let asks = 0
    let isAway = false
    stage.api.play.trouble = (path) => {
      if (/\/run_\w+\/complete$/.test(path)) isAway = ++asks < 15
      return isAway ? 503 : undefined
    }
    await stage.until(() => isAway)
    return stage
  }

  test("leaves the work done", async () => {
    const stage = await startWithOutage([done])
    expect(await fastForward(stage), stage.printed()).toBe(0)
    expect(stage.api.seen).toMatchObject({ completed: { result: "Done." }, failed: undefined })
    expect(stage.printed()).toContain("The end of the run could not be reported (Trouble was asked for.)")
  })

  test("leaves a run to which somebody has written meanwhile within reach of heartbeats", async () => {
    const stage = await startWithOutage((_, n) => {
      if (n === 0) return done
      stage.api.play.signals = [{ kind: "cancel" }]
      return forEver
    })
    stage.api.play.refuse.complete = { code: "message_waiting", message: "A message has come." }
    stage.api.play.turn = { ...turn, messages: [message(1), message(2)] }
    expect(await fastForward(stage), stage.printed()).toBe(0)
    expect(stage.model.requests).toHaveLength(2)
    expect(stage.api.seen.failed?.error).toBe("The task was cancelled.")
  })
})

test("a run is claimed by the same token when the answer to the claim was lost", async () => {
  const stage = await startStage({ script: [done] })
  let claims = 0
  stage.api.play.trouble = (path) => (path.endsWith("claim-next") && claims++ === 0 ? "lost answer" : undefined)

  expect(await stage.ended, stage.printed()).toBe(0)
  expect(claims).toBe(2)
  expect(stage.api.seen.completed).toEqual({ result: "Done." })
})

test("a run that is another's is left alone", async () => {
  const stage = await startStage({ script: [done], environment: { DORMOUSE_CLAIM_TOKEN: "not-this-one" } })

  expect(await stage.ended).toBe(1)
  expect(stage.printed()).toContain("Invalid claim token.")
  expect(stage.model.requests).toEqual([])
})
