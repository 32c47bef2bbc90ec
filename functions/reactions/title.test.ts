import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { newAccount } from "#test/app.ts"
import { invoke } from "#test/aws.ts"
import { containerOf, type Task } from "#test/container.ts"
import { defaults, newAgent, newTask } from "#test/make.ts"
import { type Step, startModelServer } from "#test/model-server.ts"
import { type OwnStack, ownStack } from "#test/stack.ts"
import { moveTime } from "#test/time.ts"

const time = moveTime()
let next: Step
let models: Awaited<ReturnType<typeof startModelServer>>
let app: OwnStack
let account: Awaited<ReturnType<typeof newAccount>>

beforeAll(async () => {
  models = await startModelServer(() => next)
  const env = { ANTHROPIC_BASE_URL: models.url, OPENAI_BASE_URL: models.url, OPENROUTER_BASE_URL: models.url }
  app = await ownStack(env, undefined, { idle: true })
  account = await newAccount(app, { creditUsd: 100 })
})

beforeEach(() => {
  next = { blocks: [{ text: "**State of the project**\n" }] }
  models.requests.splice(0)
})

afterAll(async () => {
  await app.stop()
  await models.close()
  time.release()
})

const instructions = "Report on the state of the project.\n\nIn English."
const firstLine = "Report on the state of the project."
const system = "Name it in five words."

const dispatched = async (changes: object = {}, task: object = {}): Promise<Task> => {
  const agent = await newAgent(account, { taskTitleInstructions: system, ...changes })
  return newTask(account, agent.id, { instructions, ...task })
}

const read = async ({ id }: Task) => (await account.send(`GET /tasks/${id}`)).body
const logOf = async ({ id }: Task): Promise<string[]> =>
  (await account.send(`GET /tasks/${id}/logs`)).body.data.map(({ message }: { message: string }) => message)

/** Tells the function of a task, as the bus does. */
const announce = ({ id }: Task) =>
  invoke(app, "dormouse-reactions-title", {
    source: "dormouse.tasks",
    "detail-type": "task.created",
    detail: { accountId: account.accountId, taskId: id },
  })

describe("a task whose agent says how tasks are named", () => {
  test("works: starts with its first line, and gets the weak model's title soon after", async () => {
    const task = await dispatched({ defaults: defaults({ weakModel: "claude-haiku-4-5" }) })
    expect(task.title).toBe(firstLine)
    await expect.poll(async () => (await read(task)).title, { timeout: 10_000 }).toBe("State of the project")
    expect(models.requests).toHaveLength(1)
    const { url, headers, body } = models.requests[0]!
    expect(url).toBe("/v1/messages")
    expect(headers["x-api-key"]).toBe("sk-test-key-of-the-customer")
    expect(body).toMatchObject({
      model: "claude-haiku-4-5",
      system,
      messages: [{ role: "user", content: `<task>\n${instructions}\n</task>` }],
    })
  })

  test.each([
    ["openai", "/v1/responses", { instructions: system, input: `<task>\n${instructions}\n</task>` }],
    ["openrouter", "/api/v1/chat/completions", { messages: [{ role: "system", content: system }, { role: "user" }] }],
  ])("works: by %s as well, with the task's own key", async (provider, url, body) => {
    const task = await dispatched({}, { overrides: { provider, providerApiKey: "sk-task", weakModel: "small" } })
    await expect.poll(async () => (await read(task)).title, { timeout: 10_000 }).toBe("State of the project")
    expect(models.requests).toMatchObject([
      { url, headers: { authorization: "Bearer sk-task" }, body: { model: "small", ...body } },
    ])
  })

  test("works: by all of a long text", async () => {
    const long = `${firstLine}\n${"x".repeat(5_000)}`
    const task = await dispatched({}, { instructions: long })
    await expect.poll(async () => (await read(task)).title, { timeout: 10_000 }).toBe("State of the project")
    expect(models.requests[0]!.body).toMatchObject({ messages: [{ content: `<task>\n${long}\n</task>` }] })
  })

  test("twice: is named once, and paid for once", async () => {
    const task = await dispatched()
    await expect.poll(async () => (await read(task)).title, { timeout: 10_000 }).toBe("State of the project")
    next = { blocks: [{ text: "Another title" }] }
    await Promise.all([announce(task), announce(task)])
    expect((await read(task)).title).toBe("State of the project")
    expect(models.requests).toHaveLength(1)
  })

  test("works: a long title is cut, and only its first line counts", async () => {
    next = { blocks: [{ text: `\n"${"x".repeat(200)}"\nBecause it fits.` }] }
    const task = await dispatched()
    await expect.poll(async () => (await read(task)).title, { timeout: 10_000 }).toBe(`${"x".repeat(119)}…`)
  })
})

describe("the first line stays", () => {
  const sayingWhy = async (task: Task, why: string) => {
    await expect.poll(() => logOf(task), { timeout: 10_000 }).toContain(`The task keeps its first line as its title: ${why}`)
    expect((await read(task)).title).toBe(firstLine)
  }

  test("where the agent does not say how tasks are named: no model is asked", async () => {
    const task = await dispatched({ taskTitleInstructions: undefined })
    await announce(task)
    expect((await read(task)).title).toBe(firstLine)
    expect(models.requests).toEqual([])
  })

  test("where the provider refuses, and nothing is asked again", async () => {
    next = { status: 401, error: "invalid x-api-key sk-test-key-of-the-customer" }
    const task = await dispatched()
    await sayingWhy(task, "anthropic answered 401")
    await announce(task)
    expect(models.requests).toHaveLength(1)
  })

  test("where there is no key", async () => {
    await sayingWhy(await dispatched({ defaults: defaults({ providerApiKey: undefined }) }), "there is no key of anthropic")
  })

  test("where the model says nothing", async () => {
    next = { blocks: [{ text: " \n" }] }
    const task = await dispatched()
    await expect.poll(() => models.requests.length, { timeout: 10_000 }).toBe(1)
    await announce(task)
    expect((await read(task)).title).toBe(firstLine)
  })

  test("where the provider never answers: the task runs meanwhile, and the waiting ends", async () => {
    next = { silent: true }
    const task = await dispatched()
    await expect.poll(() => models.requests.length, { timeout: 10_000 }).toBe(1)
    const container = await containerOf(app, account.accountId, task)
    expect((await container.claim()).status).toBe(200)
    expect((await read(task)).status).toBe("running")
    time.advance(20_000)
    await sayingWhy(task, "anthropic took too long")
    expect(models.requests[0]!.aborted).toBe(true)
  })
})
