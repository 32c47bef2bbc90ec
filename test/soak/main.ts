import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { every, millis, sleep } from "#core/clock.ts"
import { childStack } from "../child-stack.ts"
import { megabytes } from "../processes.ts"
import { crashAll, strike, watch } from "./blows.ts"
import { dispatchAll, lookOn } from "./clients.ts"
import type { Finding } from "./invariants.ts"
import { startModel } from "./model.ts"
import { type Options, readOptions, usage } from "./options.ts"
import { makePlan, type TaskPlan } from "./plan.ts"
import { collect, prove, proveRestart, settle } from "./proof.ts"
import { findingsTable, progressOf, summaryTable } from "./report.ts"
import { prepare, type Soak } from "./soak.ts"

// `npm run soak`: tasks, while containers and the whole stack are killed at random, and at the end the proof that nothing was lost.
// Everything goes to 127.0.0.1 and stops by itself.

/** When no task has ended for so long, none will. A container that only a missing heartbeat gives away takes five minutes. */
const standstillMs = 8 * 60_000
const progressMs = 250

const say = (text: string) => void process.stdout.write(text)

const run = async (options: Options): Promise<boolean> => {
  say(`Seed ${options.seed}: npm run soak -- --tasks ${options.tasks} --seed ${options.seed} replays this schedule\n`)
  const data = mkdtempSync(join(tmpdir(), "dormouse-soak-"))
  const plan = makePlan(options)
  let soak: Soak | undefined
  const inSoak = (work: (soak: Soak) => Promise<void>) => async () => void (soak && (await work(soak)))
  const model = await startModel(plan.tasks, {
    asked: ({ number }) => inSoak((one) => strike(one, one.tasks[number]!, "asked"))(),
    answered: ({ number }) => void inSoak((one) => strike(one, one.tasks[number]!, "answered"))(),
    silence: ({ silentMs }: TaskPlan) => sleep(silentMs),
  })
  const stack = childStack({ data, isolation: options.isolation, env: { ANTHROPIC_BASE_URL: model.url, DORMOUSE_API_KEY: "" } })
  let isRight = false
  try {
    await stack.start()
    const idle = megabytes(stack.pid())
    soak = await prepare(plan, stack)
    isRight = await carryOut(soak, options, idle)
  } finally {
    await stack.kill()
    await model.close()
    if (isRight && !options.keep) rmSync(data, { recursive: true, force: true })
    else say(`\nThe data folder is kept: ${data}\n${isRight ? "" : `What the stack said last:\n${stack.errors()}`}`)
  }
  return isRight
}

/** The soak on a stack that runs, to its report. Answers whether everything held. */
const carryOut = async (soak: Soak, { seed, concurrency }: Options, idleMegabytes: number): Promise<boolean> => {
  const began = millis()
  const watching = watch(soak)
  const stopProgress = every(progressMs, progressOf(soak, say, process.stdout.isTTY))
  const stopWaiting = every(1000, () => {
    if (millis() - soak.progressAt > standstillMs) soak.isOver = true
  })
  const others = Promise.all([crashAll(soak), lookOn(soak, seed)])
  await Promise.race([dispatchAll(soak, concurrency), others])
  soak.isOver = true
  await others
  const seconds = (millis() - began) / 1000
  const requestsPerSecond = soak.counts.requests / seconds
  for (const stop of [stopProgress, stopWaiting]) stop()
  say(`\r${soak.ended} of ${soak.tasks.length} tasks have ended; now the proof.${" ".repeat(60)}\n\n`)

  await settle(soak)
  watching.stop()
  const accounts = await collect(soak)
  const taskOf = new Map(
    accounts.flatMap(({ tasks }) => tasks.flatMap(({ id, runs }) => runs.map(({ runId }) => [runId, id] as const))),
  )
  const findings = await prove(soak, accounts, watching.twice(taskOf))
  const readsPerSecond = await measureReads(soak)
  const quietMegabytes = megabytes(soak.stack.pid())
  findings.push(await proveRestart(soak, accounts))

  const measured = {
    seconds,
    requestsPerSecond,
    readsPerSecond,
    idleMegabytes,
    busyMegabytes: watching.busyMegabytes(),
    quietMegabytes,
  }
  say(`${findingsTable(findings)}\n\n${summaryTable(soak, accounts, measured)}\n`)
  return conclude(seed, findings)
}

const conclude = (seed: number, findings: Finding[]): boolean => {
  const broken = findings.filter(({ wrong }) => wrong.length > 0)
  if (broken.length === 0) return true
  const ids = new Set(broken.flatMap(({ wrong }) => wrong.flatMap((why) => why.match(/tsk_\w+/g) ?? [])))
  say(
    `\n${broken.length} of ${findings.length} invariants do not hold. Seed ${seed}; tasks: ${[...ids].join(" ") || "none by name"}\n`,
  )
  return false
}

const readers = 8
const readsOfReader = 100

/** How many reads of a task are answered in a second, eight at once. */
const measureReads = async ({ tasks }: Soak): Promise<number> => {
  const known = tasks.filter(({ id }) => id !== undefined)
  const read = async (n: number) => {
    const { account, id } = known[n % known.length]!
    await account.send(`GET /tasks/${id}`)
  }
  const began = performance.now()
  await Promise.all(
    Array.from({ length: readers }, async (_, reader) => {
      for (let i = 0; i < readsOfReader; i++) await read(reader * readsOfReader + i)
    }),
  )
  return (1000 * readers * readsOfReader) / (performance.now() - began)
}

try {
  const options = readOptions(process.argv.slice(2))
  if (!options) say(usage)
  else process.exitCode = (await run(options)) ? 0 : 1
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
  process.exitCode = 1
}
// Connections that are kept alive would keep this process alive too.
process.exit()
