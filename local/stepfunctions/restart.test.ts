import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { SendTaskHeartbeatCommand, SendTaskSuccessCommand, type SFNClient } from "@aws-sdk/client-sfn"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { clientOf, driver, makeClock } from "./fixture.ts"

/** What the process under test tells: where it listens, what it calls, and what it announces. */
interface Told {
  port?: number
  called?: { function: string; payload: { token?: string } }
  status?: Record<string, unknown>
}

let clock: ReturnType<typeof makeClock>
let child: ChildProcess
let client: SFNClient
let told: Told[]

const begin = async () => {
  told = []
  const program = fileURLToPath(new URL("./restart.fixture.ts", import.meta.url))
  child = spawn(process.execPath, [program, join(clock.folder, "states.sqlite")], { stdio: ["ignore", "pipe", "inherit"] })
  createInterface({ input: child.stdout! }).on("line", (line) => told.push(JSON.parse(line) as Told))
  const port = await vi.waitFor(
    () => told.find((one) => one.port !== undefined)?.port ?? Promise.reject(new Error("not yet")),
    20_000,
  )
  client = clientOf(port)
  return driver(client)
}

/** As a power cut: nothing gets to finish. */
const kill = async () => {
  client.destroy()
  const gone = once(child, "exit")
  child.kill("SIGKILL")
  await gone
}

const calls = (name: string) => told.flatMap(({ called }) => (called?.function.endsWith(`:${name}`) ? [called.payload] : []))
const called = (name: string) => vi.waitFor(() => calls(name).at(0) ?? Promise.reject(new Error("not yet")), 10_000)

beforeEach(() => {
  clock = makeClock()
})
afterEach(async () => {
  await kill()
  clock.remove()
})

test("after kill -9 a token that was handed out still completes its task, and the function is not called again", async () => {
  const before = await begin()
  const execution = await before.start("token")
  const { token } = await called("quick")
  await expect.poll(() => before.types(execution)).toContain("TaskSubmitted")
  await kill()
  const after = await begin()
  await client.send(new SendTaskHeartbeatCommand({ taskToken: token }))
  await client.send(new SendTaskSuccessCommand({ taskToken: token, output: '"back"' }))
  expect(await after.ended(execution)).toMatchObject({ status: "SUCCEEDED", output: "back" })
  expect(calls("quick")).toEqual([])
})

test("after kill -9 a deadline that has passed meanwhile fires, and its token is too late", async () => {
  const before = await begin()
  const execution = await before.start("token")
  const { token } = await called("quick")
  await expect.poll(() => before.types(execution)).toContain("TaskSubmitted")
  await kill()
  clock.move(601)
  const after = await begin()
  await expect(client.send(new SendTaskSuccessCommand({ taskToken: token, output: "1" }))).rejects.toMatchObject({
    name: "TaskTimedOut",
  })
  expect(await after.ended(execution)).toMatchObject({ status: "SUCCEEDED", output: { Error: "States.Timeout" } })
})

test("after kill -9 a wait goes on from where it was, and so does the pause before a retry", async () => {
  const before = await begin()
  const waits = await before.start("wait")
  const retries = await before.start("retry")
  await expect.poll(() => before.types(waits)).toContain("WaitStateEntered")
  await expect.poll(() => before.types(retries)).toContain("TaskFailed")
  clock.move(500)
  await kill()
  const after = await begin()
  expect((await after.describe(waits)).status).toBe("RUNNING")
  clock.move(101)
  expect(await after.ended(waits)).toMatchObject({ status: "SUCCEEDED" })
  expect(await after.ended(retries)).toMatchObject({ status: "FAILED", error: "Flaky" })
  expect(calls("flaky")).toHaveLength(1)
})

test.each(["slow", "slow-token"])(
  "after kill -9 a function that was running is called again, with the same payload: %s",
  async (name) => {
    const before = await begin()
    const execution = await before.start(name, { n: 1 })
    const payload = await called(name)
    await kill()
    const after = await begin()
    expect(await called(name)).toEqual(payload)
    expect(calls(name)).toHaveLength(1)
    expect((await after.types(execution)).filter((type) => type === "TaskScheduled")).toHaveLength(1)
    if (payload.token === undefined) return
    await client.send(new SendTaskSuccessCommand({ taskToken: payload.token, output: "{}" }))
    expect(await after.ended(execution)).toMatchObject({ status: "SUCCEEDED" })
  },
)

test("after kill -9 everything that was started is there, and every change of status has been announced", async () => {
  const before = await begin()
  const started = await Promise.all(Array.from({ length: 20 }, () => before.start("wait")))
  const announced = told.flatMap(({ status }) => (status ? [status.executionArn] : []))
  await kill()
  const after = await begin()
  for (const execution of started) expect((await after.describe(execution)).status).toBe("RUNNING")
  const since = told.flatMap(({ status }) => (status ? [status.executionArn] : []))
  expect(new Set([...announced, ...since])).toEqual(new Set(started))
})
