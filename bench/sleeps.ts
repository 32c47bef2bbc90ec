import { brokenBy, evidenceOf } from "../test/crash-points/invariants.ts"
import { Life } from "../test/crash-points/life.ts"
import { answer, askOn, openSleeper } from "../test/world/sleeper.ts"

// `npm run bench:sleeps -- 10000`: one task that sleeps and is woken so often, on the whole control plane in simulated time, and one that
// waits for a year. Says what a sleep and the year take, and fails where an invariant does not hold in the end.

const count = Number(process.argv[2] ?? 10_000)
const { world, life, sleep, finish } = await openSleeper()
const began = performance.now()
for (let i = 0; i < count; i++) {
  world.told.length = 0
  await sleep()
}
await finish()
const seconds = (performance.now() - began) / 1000

const { generation, status, eventSequence, attempt } = await life.row()
const executions = await world.executions(life.taskId!, generation)
const perSleep = (total: number) => (total / count).toFixed(2)
const evidence = await evidenceOf(life)
// What was told is forgotten on the way, as there is too much of it.
const wrong = brokenBy({ ...evidence, told: new Set(evidence.events.map(({ eventId }) => eventId)) })
console.log(
  [
    `${count} sleeps, then ${status}: ${attempt} containers, ${eventSequence} events, ${executions.length} executions (${new Set(executions).size === 1 ? executions[0] : executions})`,
    `per sleep: ${perSleep(world.counts.transitions)} state transitions, ${perSleep(world.counts.historyEvents)} events of its history, ${perSleep(world.counts.calls)} calls to AWS, ${perSleep(seconds * 1000)} ms`,
    wrong.length ? `broken: ${wrong.join("; ")}` : "all invariants hold",
  ].join("\n"),
)

/** A conversation that is answered once in 29 days, thirteen times: how long the waiting takes, and the turns between. */
async function year() {
  const talk = new Life(world, life.home, undefined)
  await talk.converse({ sessionTtlSeconds: 30 * 86_400 })
  const spent = { waiting: 0, calls: 0, turns: 0 }
  for (let turn = 1; turn <= 13; turn++) {
    const began = performance.now()
    await answer(talk, turn)
    const [asleep, calls] = [performance.now(), world.counts.calls]
    await world.time.skip(29 * 86_400_000)
    spent.waiting += performance.now() - asleep
    spent.calls += world.counts.calls - calls
    spent.turns += asleep - began
    await askOn(talk)
  }
  return spent
}
const { waiting, calls, turns } = await year()
console.log(
  `a year of waiting, 13 times 29 days: ${waiting.toFixed(1)} ms, ${calls} calls to AWS; the 13 turns between: ${turns.toFixed(0)} ms`,
)
await world.close()
process.exitCode = wrong.length || new Set(executions).size > 1 ? 1 : 0
