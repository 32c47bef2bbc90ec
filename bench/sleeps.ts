import { brokenBy, evidenceOf } from "../test/crash-points/invariants.ts"
import { openSleeper } from "../test/world/sleeper.ts"

// `npm run bench:sleeps -- 10000`: one task that sleeps and is woken so often, on the whole control plane in simulated time. Says what a
// sleep takes, and fails where an invariant does not hold in the end.

const count = Number(process.argv[2] ?? 10_000)
const { world, life, sleep, finish } = await openSleeper()
let requests = 0
world.between.request = (_, send) => {
  requests++
  return send()
}

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
    `per sleep: ${perSleep(world.transitions.count)} state transitions, ${perSleep(requests)} calls to AWS, ${perSleep(seconds * 1000)} ms`,
    wrong.length ? `broken: ${wrong.join("; ")}` : "all invariants hold",
  ].join("\n"),
)
await world.close()
process.exitCode = wrong.length || new Set(executions).size > 1 ? 1 : 0
