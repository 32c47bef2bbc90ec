import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { build } from "../build/bundle.ts"
import { millis, now } from "../core/clock.ts"
import { heartbeatSeconds, logPauseSeconds, receiveSeconds, renewalSeconds, usagePauseSeconds } from "../core/protocol.ts"
import { warmSeconds } from "../infra/settings.ts"
import { newAccount } from "../test/app.ts"
import { items } from "../test/aws.ts"
import { claimedContainer, containerOf } from "../test/container.ts"
import { newAgent, newTask } from "../test/make.ts"
import { startModelServer } from "../test/model-server.ts"
import { type OwnStack, ownStack } from "../test/stack.ts"
import { moveTime } from "../test/time.ts"
import { untilItWorks } from "../test/until.ts"

// `npm run bench:counts`: what AWS is asked for by a task, by a heartbeat, by some lines of its log, by what its models have cost, by a turn of a conversation, by what is
// said in it and by waiting for the next one, and by a night's sleep, counted on the embedded AWS. Writes `golden/counts.json`, from which
// `npm run cost` makes a bill.

type Tally = Record<string, number>

/** What the operator and the set-up do is no part of a task. */
const isTask = (name: string) => !/^(local|dormouse-operate-|dormouse-api-(agents|account)\b)/.test(name)

/** Everything that was counted since the stack was started. */
function tallyOf({ stack: { counters }, data }: OwnStack): Tally {
  const tally: Tally = {
    transitions: counters.transitions,
    writeUnits: 0,
    readUnits: 0,
    events: 0,
    runs: 0,
    requests: 0,
    logBytes: 0,
    awsCalls: 0,
    processorMs: 0,
  }
  for (const [step, { calls, read, write }] of counters.units) {
    if (!isTask(step)) continue
    tally.awsCalls! += calls
    tally.writeUnits! += write
    tally.readUnits! += read
  }
  for (const [type, count] of counters.events) if (type.startsWith("task.")) tally.events! += count
  for (const [call, count] of counters.calls) {
    if (/^(s3|kms|sqs|scheduler|ecs):/.test(call)) tally[call] = count
    if (!/^(dynamodb|dynamodbstreams|lambda):/.test(call)) tally.awsCalls! += count
  }
  const logs = join(data, "logs")
  for (const file of readdirSync(logs).filter((name) => name.endsWith(".log"))) {
    if (!isTask(file)) continue
    const text = readFileSync(join(logs, file), "utf8")
    const runs = text.match(/^START /gm)?.length ?? 0
    tally.runs! += runs
    for (const [, milliseconds] of text.matchAll(/^REPORT .* Processor: ([\d.]+) ms$/gm))
      tally.processorMs! += Number(milliseconds)
    if (/^dormouse-(api|agent|gateway)-/.test(file)) tally.requests! += runs
    tally.logBytes! += statSync(join(logs, file)).size
  }
  return tally
}

/** Once nothing more happens by itself. */
async function settled(app: OwnStack): Promise<Tally> {
  for (let before = ""; ; ) {
    const tally = tallyOf(app)
    const now = JSON.stringify(tally)
    if (now === before) return tally
    before = now
    await new Promise((resolve) => setTimeout(resolve, 3_000))
  }
}

/** What some work adds, for each of so many times. */
async function counted(app: OwnStack, times: number, work: () => Promise<unknown>): Promise<Tally> {
  const before = await settled(app)
  await work()
  const after = await settled(app)
  const more = Object.entries(after).map(([name, count]) => [name, (count - (before[name] ?? 0)) / times] as const)
  return Object.fromEntries(more.filter(([, count]) => count > 0).map(([name, count]) => [name, Math.round(count * 100) / 100]))
}

/** A real task: the daemon and the agent, and a model of two answers. */
async function countTask(): Promise<Tally> {
  const report = { path: "output/report.md", content: "All is well." }
  const model = await startModelServer(({ body }) => {
    const isWritten = JSON.stringify((body.messages as unknown[]).at(-1)).includes("tool_result")
    return { blocks: isWritten ? [{ text: "Done." }] : [{ tool: "write", args: report }] }
  })
  const app = await ownStack({ ANTHROPIC_BASE_URL: model.url })
  const account = await newAccount(app)
  const agent = await newAgent(account)
  const one = async () => {
    const { id } = await newTask(account, agent.id)
    // Read as the operator, so that looking counts for nothing.
    await untilItWorks(
      async () => {
        const [row] = await items(app, `${account.accountId}#${id}`, "task")
        if (row?.status !== "finished") throw new Error(`The task is ${row?.status}`)
      },
      { timeout: 60_000, interval: 100 },
    )
  }
  // The first one asks for what functions keep from then on, and its container is the first of its image.
  await one()
  const tally = await counted(app, 3, async () => {
    for (let i = 0; i < 3; i++) await one()
  })
  await app.stop()
  await model.close()
  return tally
}

/** One after the other, `times` times. */
const again = async (times: number, work: (n: number) => Promise<unknown>) => {
  for (let n = 1; n <= times; n++) await work(n)
}

type Stage = { app: OwnStack; account: Awaited<ReturnType<typeof newAccount>> }

/** What comes again and again while a container works. */
async function countMinutes({ app, account }: Stage, time: ReturnType<typeof moveTime>) {
  const container = await claimedContainer(app, account)
  const send = (sequence: number) => {
    const line = { source: "agent_stdout", message: "x".repeat(500), created_at: now().toISOString() }
    return container.send("logs", { sequence, lines: [line] })
  }
  const heartbeat = await counted(app, 8, () => again(8, () => container.send("heartbeat", {})))
  const renewingBatch = await counted(app, 8, () =>
    again(8, (n) => {
      time.advance((renewalSeconds + 1) * 1000)
      return send(n)
    }),
  )
  // The last heartbeat is in a minute, since counting takes seconds: none of these renews the lease.
  time.advance(60_000)
  await container.send("heartbeat", {})
  time.advance(-60_000)
  const logBatch = await counted(app, 8, () => again(8, (n) => send(8 + n)))
  const usage = await counted(app, 8, () => again(8, (n) => container.send("usage", { cost_usd: n / 100 })))
  return { container, heartbeat, logBatch, renewingBatch, usage }
}

/** What a turn of a conversation adds, of which nothing is said while the agent speaks, and what it says a put. */
async function countTurns({ app, account }: Stage) {
  const container = await claimedContainer(app, account, { conversation: {} })
  // What an answer of two thousand characters is in the middle of it.
  const liveText = await counted(app, 8, () =>
    again(8, () => container.send("delta", { turn_number: 1, text: "x".repeat(1_000) })),
  )
  const usage = { input_tokens: 1_000, output_tokens: 500, cache_read_tokens: 0, cache_write_tokens: 0 }
  const turn = await counted(app, 3, () =>
    again(3, async (n) => {
      await container.send("turns/complete", { turn_number: n, messages: [{ content: "x".repeat(2_000), usage, cost_usd: 0 }] })
      await account.send(`POST /conversations/${container.task.id}/messages`, { content: "And then?" })
      await container.receive({ turn: n, after: 2 * n })
    }),
  )
  await container.send("turns/complete", { turn_number: 4, messages: [] })
  const waiting = await counted(app, 1, () => container.receive({ wait: receiveSeconds, turn: 4, after: 99 }))
  return { turn, liveText, waiting }
}

async function countSteps() {
  const time = moveTime()
  const app = await ownStack({}, undefined, { idle: true })
  const stage = { app, account: await newAccount(app) }
  const { account } = stage
  const { container, ...minutes } = await countMinutes(stage, time)
  const turns = await countTurns(stage)
  const hibernation = await counted(app, 1, async () => {
    const until = new Date(millis() + 86_400_000).toISOString()
    await container.send("release", { to: "hibernate", until, reason: "Waiting." })
    await account.send(`POST /tasks/${container.task.id}/wake`, { kind: "external_wake" })
    await (await containerOf(app, account.accountId, container.task, 2)).claim()
  })
  await app.stop()
  time.release()
  return { ...minutes, ...turns, hibernation }
}

/** What the daemon and the functions have agreed on, in seconds. */
const seconds = {
  heartbeat: heartbeatSeconds,
  renewal: renewalSeconds,
  shortestLogPause: logPauseSeconds.shortest,
  longestLogPause: logPauseSeconds.longest,
  usage: usagePauseSeconds,
  receive: receiveSeconds,
  warm: warmSeconds,
}

await build(join(import.meta.dirname, ".."))
const counts = { seconds, task: await countTask(), ...(await countSteps()) }
console.log(counts)
writeFileSync(join(import.meta.dirname, "golden", "counts.json"), `${JSON.stringify(counts, null, 2)}\n`)
process.exit()
