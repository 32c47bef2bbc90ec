import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { newAccount } from "./app.ts"
import { items } from "./aws.ts"
import { newAgent, newConversation, newTask } from "./make.ts"
import { type ModelRequest, startModelServer } from "./model-server.ts"
import { type OwnStack, ownStack } from "./stack.ts"
import { moveTime } from "./time.ts"
import { untilEnded } from "./until.ts"

// Tasks that outlive their containers, all parts real but the model and the time.

const said = ({ body }: ModelRequest) => JSON.stringify(body.messages)
const text = (words: string) => ({ blocks: [{ text: words }] })

/** What the model answers depends on what it was told last: so both tests share one. */
const script = (request: ModelRequest) => {
  const words = said(request)
  if (words.includes("You are awake again"))
    return text(words.includes("It is approved.") ? "Approved, so done." : "Nobody came.")
  if (words.includes("Wait for the approval"))
    return { blocks: [{ tool: "hibernate", args: { seconds: 86_400, reason: "The approval" } }] }
  if (words.includes("Which word was it?")) return text(words.includes("The word is dormouse.") ? "Dormouse." : "I do not know.")
  return text("I will remember.")
}

const time = moveTime()
let app: OwnStack
let model: Awaited<ReturnType<typeof startModelServer>>
let account: Awaited<ReturnType<typeof newAccount>>
let agentId: string

beforeAll(async () => {
  model = await startModelServer(script)
  app = await ownStack({ ANTHROPIC_BASE_URL: model.url })
  account = await newAccount(app, { creditUsd: 5 })
  agentId = (await newAgent(account)).id
})

afterAll(async () => {
  await app?.stop()
  await model?.close()
  time.release()
})

const untilStatus = (taskId: string, status: string) =>
  vi.waitFor(async () => expect((await account.send(`GET /tasks/${taskId}`)).body.status).toBe(status), {
    timeout: 40_000,
    interval: 50,
  })
const runsOf = async (taskId: string) => (await items(app, `${account.accountId}#${taskId}`, "run#")).map(({ status }) => status)

test("a conversation goes on in the next container with all that the agent remembers", async () => {
  const { task } = await newConversation(account, agentId, { message: "The word is dormouse." })
  await untilStatus(task.id, "awaiting_input")
  // Longer than a container stays warm, and not so fast that its heartbeats do not get through.
  await vi.waitFor(
    async () => {
      time.advance(5_000)
      expect(await runsOf(task.id)).toEqual(["released"])
    },
    { timeout: 60_000, interval: 300 },
  )

  await account.send(`POST /conversations/${task.id}/messages`, { content: "Which word was it?" })
  const messages = await vi.waitFor(
    async () => {
      const { data } = (await account.send(`GET /conversations/${task.id}/messages`)).body
      expect(data).toHaveLength(4)
      return data
    },
    { timeout: 40_000, interval: 50 },
  )
  expect(messages.map(({ content }: { content: string }) => content)).toContain("Dormouse.")
  expect(await runsOf(task.id)).toHaveLength(2)
  await account.send(`POST /tasks/${task.id}/cancel`)
  expect((await untilEnded(account, task.id)).status).toBe("cancelled")
}, 120_000)

test("a task sleeps without a container, and is woken by a message and by time", async () => {
  const [woken, waiting] = [
    await newTask(account, agentId, { instructions: "Wait for the approval, then finish." }),
    await newTask(account, agentId, { instructions: "Wait for the approval, then finish." }),
  ]
  for (const { id } of [woken, waiting]) await untilStatus(id, "hibernating")
  expect(await runsOf(woken.id)).toEqual(["released"])

  await account.send(`POST /tasks/${woken.id}/wake`, { kind: "message", message: "It is approved." })
  expect(await untilEnded(account, woken.id)).toMatchObject({ status: "finished", result: "Approved, so done." })

  time.advance(86_400_000)
  expect(await untilEnded(account, waiting.id)).toMatchObject({ status: "finished", result: "Nobody came." })
}, 120_000)
