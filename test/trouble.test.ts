import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { type Caller, newAccount } from "./app.ts"
import { items } from "./aws.ts"
import { agentBody, defaults, newAgent, newTask } from "./make.ts"
import { type Step, startModelServer } from "./model-server.ts"
import { killContainer } from "./process.ts"
import { type OwnStack, ownStack } from "./stack.ts"
import { moveTime } from "./time.ts"
import { untilEnded } from "./until.ts"

// Whatever goes wrong, a task ends, says why in one sentence, and its log can be read.

const time = moveTime()
let app: OwnStack
let model: Awaited<ReturnType<typeof startModelServer>>
let account: Awaited<ReturnType<typeof newAccount>>

/** What the model does next, by the words in the task's instructions. */
const behaviours: Record<string, (n: number) => Step> = {}

beforeAll(async () => {
  const counts = new Map<string, number>()
  model = await startModelServer((request) => {
    const asked = JSON.stringify(request.body)
    const name = Object.keys(behaviours).find((word) => asked.includes(word)) ?? "nothing"
    const n = counts.get(name) ?? 0
    counts.set(name, n + 1)
    return behaviours[name]?.(n) ?? { blocks: [{ text: "Done." }] }
  })
  app = await ownStack({ ANTHROPIC_BASE_URL: model.url })
  account = await newAccount(app, { creditUsd: 20 })
})

afterAll(async () => {
  await app?.stop()
  await model?.close()
  time.release()
})

/** Dispatches a task whose model behaves like that. */
const dispatch = async (word: string, behaviour: (n: number) => Step, overrides: object = {}) => {
  behaviours[word] = behaviour
  const agent = await newAgent(account)
  return newTask(account, agent.id, { instructions: `Do it: ${word}`, overrides })
}

const logOf = async (caller: Caller, taskId: string): Promise<{ message: string; attemptNumber: number }[]> =>
  (await caller.send(`GET /tasks/${taskId}/logs?limit=100`)).body.data.reverse()

const modelWasAsked = (word: string, times: number) =>
  vi.waitFor(
    () => expect(model.requests.filter(({ body }) => JSON.stringify(body).includes(word)).length).toBeGreaterThanOrEqual(times),
    {
      timeout: 30_000,
      interval: 50,
    },
  )

/** Lets hours pass, in steps that leave everybody the time to renew what they must, until the task has ended. */
const untilEndedInTime = (taskId: string, stepMs = 10_000) =>
  vi.waitFor(
    async () => {
      time.advance(stepMs)
      const { body } = await account.send(`GET /tasks/${taskId}`)
      expect(["finished", "failed"]).toContain(body.status)
      return body
    },
    { timeout: 60_000, interval: 150 },
  )

const failing = (status: number, error: string) => (): Step => ({ status, error })

describe("the provider", () => {
  test("has no key: the task fails and says where to set one", async () => {
    const { providerApiKey: _, ...keyless } = defaults() as Record<string, unknown>
    const { body: agent } = await account.send("POST /agents", agentBody({ defaults: keyless }))
    const task = await newTask(account, agent.id)
    expect(await untilEnded(account, task.id)).toMatchObject({
      status: "failed",
      error: expect.stringMatching(/no API key.*Set one on the task, the agent or the account/),
    })
  })

  test("refuses the key (401): the task fails with its words", async () => {
    const { id } = await dispatch("refused-key", failing(401, "invalid x-api-key"))
    const task = await untilEnded(account, id)
    expect(task).toMatchObject({ status: "failed", error: expect.stringMatching(/401/), result: null })
    expect((await logOf(account, id)).map(({ message }) => message).join("\n")).toContain("401")
  })

  test("is busy (429) and then answers: the task finishes", async () => {
    const { id } = await dispatch("busy-once", (n) =>
      n === 0 ? { status: 429, error: "slow down" } : { blocks: [{ text: "Done in the end." }] },
    )
    expect(await untilEnded(account, id)).toMatchObject({ status: "finished", result: "Done in the end." })
  })

  test("fails for ever (500): the task fails after its retries and says so", async () => {
    const { id } = await dispatch("always-broken", failing(500, "internal error"), { maxRuntimeSeconds: 86_400 })
    await modelWasAsked("always-broken", 1)
    // The agent waits between its tries by a clock of its own, which is not to lag so far behind that it would seem to wait for its model.
    expect(await untilEndedInTime(id, 2_000)).toMatchObject({
      status: "failed",
      error: expect.stringMatching(/500|internal error/),
    })
  })

  test("never answers: the agent is stopped and the task fails", async () => {
    const { id } = await dispatch("never-answers", () => ({ silent: true }))
    await modelWasAsked("never-answers", 1)
    expect(await untilEndedInTime(id)).toMatchObject({
      status: "failed",
      error: expect.stringMatching(/model.*(nothing|silent|answer|said)/i),
    })
  })

  test("goes on too long: the task fails at its runtime limit, and keeps what it wrote", async () => {
    const { id } = await dispatch(
      "too-long",
      (n) =>
        n === 0
          ? { blocks: [{ tool: "write", args: { path: "output/half.txt", content: "half" } }] }
          : { blocks: [{ text: "a" }], end: "hang" },
      { maxRuntimeSeconds: 120 },
    )
    await modelWasAsked("too-long", 2)
    const task = await untilEndedInTime(id)
    expect(task).toMatchObject({ status: "failed", error: expect.stringMatching(/120|limit/) })
    const { body } = await account.send(`GET /tasks/${id}/files`)
    expect(body.data.map(({ filename }: { filename: string }) => filename)).toEqual(["half.txt"])
  })
})

describe("the container", () => {
  test("dies while it works: the next attempt does the work, and both are in the log", async () => {
    const { id } = await dispatch("dies-once", (n) =>
      n === 0 ? { blocks: [{ text: "a" }], end: "hang" } : { blocks: [{ text: "Second try." }] },
    )
    await modelWasAsked("dies-once", 1)
    await killContainer(app, account.accountId, id)
    expect(await untilEnded(account, id)).toMatchObject({ status: "finished", result: "Second try." })
    expect(new Set((await logOf(account, id)).map(({ attemptNumber }) => attemptNumber))).toEqual(new Set([1, 2]))
  })

  test("dies after an answer of the model: its tokens and their price are the task's as well", async () => {
    const { id } = await dispatch("dies-dearly", (n) =>
      n === 0
        ? { blocks: [{ tool: "bash", args: { command: "sleep 3600" } }], usage: { input: 100, output: 20 } }
        : { blocks: [{ text: "Second try." }], usage: { input: 200, output: 40 } },
    )
    const isTold = async () => (await items(app, `${account.accountId}#${id}`, "run#"))[0]?.modelCostMicros
    await expect.poll(isTold, { timeout: 20_000 }).toBe(600)
    await killContainer(app, account.accountId, id)
    const { status, tokenUsage } = await untilEnded(account, id)
    expect(status).toBe("finished")
    expect(tokenUsage).toMatchObject({ inputTokens: 300, outputTokens: 60, costUsd: 0.0018 })
  })

  test("dies again and again: the task fails after three attempts, is charged for them, and has the reservation back", async () => {
    const { id } = await dispatch("dies-always", () => ({ blocks: [{ text: "a" }], end: "hang" }))
    for (const attempt of [1, 2, 3]) {
      await vi.waitFor(
        async () =>
          expect(
            (await logOf(account, id)).some(
              ({ attemptNumber, message }) => attemptNumber === attempt && message.startsWith("Starting"),
            ),
          ).toBe(true),
        { timeout: 30_000, interval: 100 },
      )
      await killContainer(app, account.accountId, id)
    }
    const task = await untilEnded(account, id)
    expect(task).toMatchObject({ status: "failed", error: expect.stringMatching(/lost 3 times/) })
    const ledger = await items(app, `${account.accountId}#ledger`)
    const own = ledger.filter(({ taskId }) => taskId === id)
    expect(
      own
        .map(({ kind }) => kind)
        .filter((kind) => kind === "release" || kind === "reservation")
        .toSorted(),
    ).toEqual(["release", "reservation"])
    const events = await items(app, `${account.accountId}#${id}`, "event#")
    expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, i) => i + 1))
    expect(events.at(-1)).toMatchObject({ type: "task.failed" })
  })

  test("leaves without what the output policy asks for: the task fails and names it", async () => {
    const { id } = await dispatch("no-output", () => ({ blocks: [{ text: "Done." }] }), {
      outputPolicy: { mode: "named", files: [{ name: "table.csv" }] },
    })
    expect(await untilEnded(account, id)).toMatchObject({
      status: "failed",
      error: expect.stringContaining("table.csv"),
      result: "Done.",
    })
  })
})
