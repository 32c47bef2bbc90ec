import { readFileSync } from "node:fs"
import { afterEach, expect, test, vi } from "vitest"
import { newHome } from "./crash-points/home.ts"
import { brokenBy, evidenceOf } from "./crash-points/invariants.ts"
import { Life } from "./crash-points/life.ts"
import { answer, askOn, openSleeper } from "./world/sleeper.ts"
import { openWorld, type World } from "./world/world.ts"

// What waits for a year costs nothing for a year. Counted, in simulated time; `npm run bench:sleeps` has a task sleep 10,000 times and
// says what a year of waiting takes.

vi.setConfig({ testTimeout: 240_000 })

const dayMs = 86_400_000
let world: World

afterEach(() => world.close())

const head = ["| | state transitions | events of the history | write units | calls to AWS |", "|---|---:|---:|---:|---:|"]
const wordsOf: Record<string, string> = {
  task: "a task that does not sleep",
  sleep: "a sleep and the wake after it",
  turnAfterWait: "a turn of a conversation, and the wait before it",
}

type Counts = World["counts"]

/** What some work adds, each time that it is done. It begins and ends at the same point of a task's life. */
const eachTime = async (times: number, work: (time: number) => Promise<unknown>) => {
  const before = { ...world.counts }
  for (let time = 1; time <= times; time++) await work(time)
  const names = Object.keys(before) as (keyof Counts)[]
  return Object.fromEntries(names.map((name) => [name, (world.counts[name] - before[name]) / times])) as unknown as Counts
}

test("a conversation that is answered once a month lives for more than a year: two transitions a month, and nothing in between", async () => {
  world = await openWorld()
  // What it asks every five minutes is the stack's cost, whoever sleeps. Of this task it would find nothing, as is seen below.
  world.between.invocation = (name, _, work) => (name === "sweep" ? Promise.resolve() : work())
  const life = new Life(world, await newHome(world), undefined)
  const months = 13
  let callsWhileWaiting = 0
  await life.converse({ sessionTtlSeconds: 30 * 86_400 })
  for (let turn = 1; turn <= months; turn++) {
    await answer(life, turn)
    expect(await life.isDue(29 * dayMs)).toBe(false)
    world.between.request = (_, send) => {
      callsWhileWaiting++
      return send()
    }
    await world.time.skip(29 * dayMs)
    world.between.request = (_, send) => send()
    await askOn(life)
  }
  await life.until(({ container }) => container === "starting")

  expect(callsWhileWaiting).toBe(0)
  expect(Date.now() - Date.parse((await life.row()).createdAt)).toBeGreaterThan(365 * dayMs)
  // After 240 days another execution has taken over: the end of the one and the beginning of the other come on top. The one ended so
  // long ago that AWS has forgotten it.
  expect(await life.row()).toMatchObject({ generation: 2 })
  expect(await world.executions(life.taskId!, 2)).toEqual(["RUNNING"])
  expect(world.counts.transitions).toBe(1 + 2 * months + 2)
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
  expect(world.counts.transitions).toBe(1 + 2 * 9 + 2)
  expect(brokenBy(await evidenceOf(life))).toEqual([])
})

test("a task, a sleep and a turn after a wait cost what the golden file says, and no more history than they may", async () => {
  const { world: opened, life, sleep } = await openSleeper()
  world = opened
  const rest = () => world.time.pass(1_000)
  await sleep()
  await rest()
  const oneSleep = await eachTime(3, () => sleep().then(rest))

  const whole = new Life(world, life.home, undefined)
  const task = await eachTime(1, async () => {
    await whole.dispatch()
    await (await whole.claim()).complete()
    await rest()
  })

  const talk = new Life(world, life.home, undefined)
  await talk.converse()
  const turn = (number: number) =>
    answer(talk, number)
      .then(() => askOn(talk))
      .then(rest)
  await turn(1)
  const oneTurn = await eachTime(3, (time) => turn(1 + time))

  expect(task.historyEvents).toBeLessThanOrEqual(12)
  // Six for each of the two states that an execution goes through. It ends at 25,000, and hands its task over after 500 sleeps.
  expect(oneSleep.historyEvents).toBe(12)
  expect(oneTurn.historyEvents).toBe(12)
  const costs = { task, sleep: oneSleep, turnAfterWait: oneTurn }
  await expect(`${JSON.stringify(costs, null, 2)}\n`).toMatchFileSnapshot("../bench/golden/sleep.json")
  const rows = Object.entries(costs).map(([name, cost]) => `| ${[wordsOf[name], ...Object.values(cost)].join(" | ")} |`)
  const shown = readFileSync(new URL("../docs/reliability.md", import.meta.url), "utf8")
  expect(shown).toContain(`<!-- sleep -->\n${[...head, ...rows].join("\n")}\n<!-- /sleep -->`)
})
