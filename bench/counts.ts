import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { build } from "../build/bundle.ts"
import { newAccount } from "../test/app.ts"
import { items } from "../test/aws.ts"
import { claimedContainer, containerOf } from "../test/container.ts"
import { newAgent, newTask } from "../test/make.ts"
import { startModelServer } from "../test/model-server.ts"
import { type OwnStack, ownStack } from "../test/stack.ts"
import { untilItWorks } from "../test/until.ts"

// `npm run bench:counts`: what AWS is asked for by a task, by a heartbeat, by some lines of its log and by a night's sleep, counted on the embedded AWS. Writes
// `golden/counts.json`, from which `npm run cost` makes a bill.

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
  }
  for (const [step, { read, write }] of counters.units) {
    if (!isTask(step)) continue
    tally.writeUnits! += write
    tally.readUnits! += read
  }
  for (const [type, count] of counters.events) if (type.startsWith("task.")) tally.events! += count
  for (const [call, count] of counters.calls) if (/^(s3|kms|sqs|scheduler):/.test(call)) tally[call] = count
  const logs = join(data, "logs")
  for (const file of readdirSync(logs).filter((name) => name.endsWith(".log"))) {
    if (!isTask(file)) continue
    const runs = readFileSync(join(logs, file), "utf8").match(/^START /gm)?.length ?? 0
    tally.runs! += runs
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

async function countSteps() {
  const app = await ownStack({}, undefined, { idle: true })
  const account = await newAccount(app)
  const container = await claimedContainer(app, account)
  const heartbeat = await counted(app, 8, async () => {
    for (let i = 0; i < 8; i++) await container.send("heartbeat", {})
  })
  const at = new Date().toISOString()
  const logBatch = await counted(app, 5, async () => {
    for (let sequence = 1; sequence <= 5; sequence++)
      await container.send("logs", { sequence, lines: [{ source: "agent_stdout", message: "x".repeat(500), created_at: at }] })
  })
  const hibernation = await counted(app, 1, async () => {
    const until = new Date(Date.now() + 86_400_000).toISOString()
    await container.send("release", { to: "hibernate", until, reason: "Waiting." })
    await account.send(`POST /tasks/${container.task.id}/wake`, { kind: "external_wake" })
    await (await containerOf(app, account.accountId, container.task, 2)).claim()
  })
  await app.stop()
  return { heartbeat, logBatch, hibernation }
}

await build(join(import.meta.dirname, ".."))
const counts = { task: await countTask(), ...(await countSteps()) }
console.log(counts)
writeFileSync(join(import.meta.dirname, "golden", "counts.json"), `${JSON.stringify(counts, null, 2)}\n`)
process.exit()
