import { beforeAll, describe, expect, test } from "vitest"
import { newAccount, shared } from "#test/app.ts"
import { items, published } from "#test/aws.ts"
import { type Container, claimedContainer, containerOf, stopContainer } from "#test/container.ts"
import { defaults, newAgent, newConversation } from "#test/make.ts"

const app = shared()
const account = await newAccount(app, { creditUsd: 100 })
const other = await newAccount(app)
let agentId: string

beforeAll(async () => {
  agentId = (await newAgent(account)).id
})

const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
const codeOf = ({ status, body }: { status: number; body: { error?: { code: string } } }) => [status, body.error?.code]
const read = async ({ task }: Container) => (await account.send(`GET /tasks/${task.id}`)).body
const say = ({ task }: Container, content: string) => account.send(`POST /conversations/${task.id}/messages`, { content })
const messagesOf = async ({ task }: Container, query = "") =>
  (await account.send(`GET /conversations/${task.id}/messages${query}`)).body
const said = async (container: Container) =>
  (await messagesOf(container)).data.map(({ turnNumber, role, status, content }: Record<string, unknown>) => [
    turnNumber,
    role,
    status,
    content,
  ])
const eventsOf = async ({ task }: Container) =>
  (await items(app, `${account.accountId}#${task.id}`, "event#")).map(({ type, turnNumber }) =>
    [type.replace("task.", ""), turnNumber].filter((part) => part !== undefined).join(" "),
  )
const toggle = ({ task }: Container, enabled: boolean) => account.send(`POST /conversations/${task.id}/autonomous`, { enabled })

const usage = { input_tokens: 10, output_tokens: 5, cache_read_tokens: 2, cache_write_tokens: 1 }
const answer = (content: string) => ({ content, usage, cost_usd: 0.01 })
const completeTurn = (container: Container, turn_number: number, ...texts: string[]) =>
  container.send("turns/complete", { turn_number, messages: texts.map(answer) })
const conversation = (more: object = {}) => claimedContainer(app, account, { conversation: more })
/** The conversation's next container, once it has started and taken up its run. */
const nextOf = async ({ task }: Container, attempt: number) => {
  const container = await containerOf(app, account.accountId, task, attempt)
  return { container, bundle: (await container.claim()).body.claim.bundle }
}

describe("POST /agents/{agentId}/conversations", () => {
  test("201: a task in conversation mode with its first message, queued", async () => {
    const { task, message } = await newConversation(account, agentId)
    expect(task).toMatchObject({ status: "pending", mode: "conversation", turnStatus: "running", turnNumber: 1 })
    expect(task).toMatchObject({ sessionTtlSeconds: 86_400, instructions: "Help with the garden." })
    expect(message).toEqual({
      id: expect.stringMatching(/^msg_/),
      turnNumber: 1,
      role: "user",
      status: "queued",
      content: "Which flowers bloom now?",
      files: [],
      tokenUsage: null,
      costUsd: null,
      createdAt: time,
    })
  })

  test("201: the version's time to live holds, and the task's own before it", async () => {
    const { id } = await newAgent(account, { defaults: defaults({ sessionTtlSeconds: 600 }) })
    expect((await newConversation(account, id)).task.sessionTtlSeconds).toBe(600)
    const own = await newConversation(account, id, { overrides: { sessionTtlSeconds: 90 } })
    expect(own.task.sessionTtlSeconds).toBe(90)
  })

  test("201: the first message may be as long as messages may be, and comes back whole", async () => {
    const message = "Long. ".repeat(16_000)
    const { task, message: stored } = await newConversation(account, agentId, { message })
    expect(stored.content).toBe(message.trim())
    const container = await containerOf(app, account.accountId, task)
    expect((await container.claim()).body.claim.bundle.turn.messages[0].content).toBe(message.trim())
  })

  test.each([{ message: "" }, { message: "  " }, { message: "x".repeat(100_001) }, { message: undefined }])(
    "422 invalid_request: %j",
    async (body) => {
      const sent = await account.send(`POST /agents/${agentId}/conversations`, { instructions: "Help.", ...body })
      expect(codeOf(sent)).toEqual([422, "invalid_request"])
      expect(sent.body.error.issues[0].path).toBe("message")
    },
  )

  test("402 insufficient_credit: as a task, it needs its reservation", async () => {
    const poor = await newAccount(app, { creditUsd: 0.4 })
    const { id } = await newAgent(poor)
    const sent = await poor.send(`POST /agents/${id}/conversations`, { instructions: "Help.", message: "Hi" })
    expect(codeOf(sent)).toEqual([402, "insufficient_credit"])
  })
})

describe("a turn", () => {
  test("begins with what the person said, and ends with what the agent said, its tokens and its cost", async () => {
    const container = await conversation()
    const { bundle } = (await container.claim()).body.claim
    expect(bundle.turn).toEqual({
      number: 1,
      mode: "conversation",
      messages: [
        { id: expect.stringMatching(/^msg_/), sequence: 1, content: "Which flowers bloom now?", files: [], created_at: time },
      ],
    })
    expect(await read(container)).toMatchObject({ status: "running", turnStatus: "running", turnNumber: 1 })
    const { status, body } = await completeTurn(container, 1, "Snowdrops.", "Which colour?")
    expect([status, body.has_next_turn, body.lease.status]).toEqual([200, false, "claimed"])
    expect(await read(container)).toMatchObject({ status: "awaiting_input", turnStatus: "awaiting_input", turnNumber: 1 })
    expect((await messagesOf(container)).data).toMatchObject([
      { role: "user", status: "processed" },
      {
        turnNumber: 1,
        role: "assistant",
        status: "created",
        content: "Snowdrops.",
        tokenUsage: { inputTokens: 10, outputTokens: 5, cacheReadTokens: 2, cacheWriteTokens: 1 },
        costUsd: 0.01,
      },
      { role: "assistant", content: "Which colour?" },
    ])
    expect(await eventsOf(container)).toEqual([
      "created",
      "message.created",
      "turn.queued 1",
      "turn.started 1",
      "message.created",
      "message.created",
      "turn.completed 1",
      "awaiting_input",
    ])
  })

  test("completed twice, it is completed once", async () => {
    const container = await conversation()
    const first = await completeTurn(container, 1, "Snowdrops.")
    const before = await published(app, account.accountId, container.task.id)
    expect((await completeTurn(container, 1, "Snowdrops.")).body).toEqual(first.body)
    expect(await items(app, `${account.accountId}#${container.task.id}`)).toEqual(before)
    expect(codeOf(await completeTurn(container, 2, "Roses."))).toEqual([409, "lease_lost"])
  })

  test("messages that come while it runs are the next one, together, and are processed by it", async () => {
    const container = await conversation()
    expect((await say(container, "And trees?")).body).toMatchObject({
      task: { status: "running", turnNumber: 1 },
      message: { turnNumber: 2, status: "queued" },
    })
    await say(container, "Small ones.")
    expect((await container.send("heartbeat", {})).body.signals).toEqual([])
    expect((await container.receive({ turn: 1, after: 1 })).body.turn).toBeNull()
    expect((await completeTurn(container, 1, "Snowdrops.")).body.has_next_turn).toBe(true)
    expect(await read(container)).toMatchObject({ status: "running", turnNumber: 2 })
    const { turn } = (await container.receive({ turn: 1, after: 1 })).body
    expect([turn.number, turn.messages.map(({ content }: { content: string }) => content)]).toEqual([
      2,
      ["And trees?", "Small ones."],
    ])
    await completeTurn(container, 2, "Hazel.")
    expect(await said(container)).toEqual([
      [1, "user", "processed", "Which flowers bloom now?"],
      [2, "user", "processed", "And trees?"],
      [2, "user", "processed", "Small ones."],
      [1, "assistant", "created", "Snowdrops."],
      [2, "assistant", "created", "Hazel."],
    ])
  })

  test("is done again by the next attempt when its container was lost, and says nothing twice", async () => {
    const container = await conversation()
    await container.send("logs", {
      sequence: 1,
      lines: [{ source: "daemon", message: "x", created_at: new Date().toISOString() }],
    })
    await stopContainer(app, container)
    const { container: next, bundle } = await nextOf(container, 2)
    expect(bundle.turn).toMatchObject({ number: 1, messages: [{ sequence: 1 }] })
    expect(codeOf(await completeTurn(container, 1, "Too late."))).toEqual([409, "lease_lost"])
    await completeTurn(next, 1, "Snowdrops.")
    expect((await said(next)).map(([, , , content]: string[]) => content)).toEqual(["Which flowers bloom now?", "Snowdrops."])
    expect((await eventsOf(next)).filter((type) => type === "turn.started 1")).toHaveLength(1)
  })
})

describe("a message to a conversation that waits", () => {
  test("warm: it reaches the container that waits, and starts the turn at once", async () => {
    const container = await conversation()
    await completeTurn(container, 1, "Snowdrops.")
    const content = `And trees? ${"?".repeat(5_000)}`
    const waiting = container.receive({ wait: 20, turn: 1, after: 1 })
    const sent = performance.now()
    expect((await say(container, content)).body).toMatchObject({
      task: { status: "running", turnStatus: "running", turnNumber: 2 },
      message: { turnNumber: 2, status: "queued" },
    })
    const { turn } = (await waiting).body
    const milliseconds = performance.now() - sent
    expect(turn).toMatchObject({ number: 2, messages: [{ content }] })
    // Generous, since the machine may be busy: measured alone it is a third of a second.
    expect(milliseconds).toBeLessThan(5_000)
    expect((await container.receive({ turn: 1, after: 1 })).body.turn).toEqual(turn)
    expect((await eventsOf(container)).slice(-3)).toEqual(["message.created", "turn.queued 2", "turn.started 2"])
  })

  test("cold: its next container takes up the turn, with the same task", async () => {
    const container = await conversation()
    await completeTurn(container, 1, "Snowdrops.")
    const released = await container.send("release", { to: "await_input" })
    expect(released.body.lease.status).toBe("released")
    expect((await container.send("release", { to: "await_input" })).body).toEqual(released.body)
    expect(codeOf(await container.receive({ turn: 1 }))).toEqual([409, "lease_lost"])
    expect(await read(container)).toMatchObject({ status: "awaiting_input" })
    await say(container, "And trees?")
    const { container: next, bundle } = await nextOf(container, 2)
    expect(bundle).toMatchObject({ turn: { number: 2, messages: [{ content: "And trees?", sequence: 3 }] }, wake: null })
    await completeTurn(next, 2, "Hazel.")
    expect(await read(next)).toMatchObject({ status: "awaiting_input", turnNumber: 2 })
  })

  test("in the moment of leaving: the container is told to stay, and the message is not lost", async () => {
    const container = await conversation()
    await completeTurn(container, 1, "Snowdrops.")
    await say(container, "Wait!")
    expect(codeOf(await container.send("release", { to: "await_input" }))).toEqual([409, "message_waiting"])
    expect((await container.receive({ turn: 1, after: 1 })).body.turn.messages).toMatchObject([{ content: "Wait!" }])
  })

  test("in the moment of leaving, whoever is first: every message gets its turn", async () => {
    const containers = await Promise.all(Array.from({ length: 6 }, () => conversation()))
    await Promise.all(
      containers.map(async (container, i) => {
        await completeTurn(container, 1, "Snowdrops.")
        const leave = () => container.send("release", { to: "await_input" })
        const speak = () => say(container, "Wait!")
        const [first, second] = i % 2 ? [leave, speak] : [speak, leave]
        await Promise.all([first(), second()])
        const received = await container.receive({ turn: 1, after: 1 })
        const turn = received.status === 200 ? received.body.turn : (await nextOf(container, 2)).bundle.turn
        expect(turn).toMatchObject({ number: 2, messages: [{ content: "Wait!" }] })
      }),
    )
  })

  test("a container that leaves in the middle of a turn is refused", async () => {
    const container = await conversation()
    expect(codeOf(await container.send("release", { to: "await_input" }))).toEqual([409, "turn_running"])
  })
})

describe("POST /conversations/{taskId}/autonomous", () => {
  test("200: while it waits, the agent takes over in a turn of its own and finishes", async () => {
    const container = await conversation()
    await completeTurn(container, 1, "Snowdrops.")
    const { status, body } = await toggle(container, true)
    expect(status).toBe(200)
    expect(body).toMatchObject({
      task: { status: "running", mode: "autonomous", turnStatus: "autonomous", turnNumber: 2 },
      event: { kind: "mode_switched_to_autonomous", turnNumber: null, metadata: {} },
    })
    const { turn } = (await container.receive({ turn: 1, after: 1 })).body
    expect(turn).toEqual({ number: 2, mode: "autonomous", messages: [] })
    await container.send("complete", { result: "Planted.", messages: [answer("Planted.")], after: 1 })
    expect(await read(container)).toMatchObject({ status: "finished", result: "Planted.", turnStatus: null, turnNumber: 2 })
    expect((await said(container)).at(-1)).toEqual([2, "assistant", "created", "Planted."])
  })

  test("200: nothing changes, no event", async () => {
    const container = await conversation()
    const before = await published(app, account.accountId, container.task.id)
    expect((await toggle(container, false)).body).toMatchObject({ task: { mode: "conversation" }, event: null })
    expect(await items(app, `${account.accountId}#${container.task.id}`)).toEqual(before)
  })

  test("200: in a running turn, it ends as it began, and the agent goes on by itself", async () => {
    const container = await conversation()
    await toggle(container, true)
    expect((await container.send("heartbeat", {})).body.mode).toBe("autonomous")
    expect((await completeTurn(container, 1, "Snowdrops.")).body.has_next_turn).toBe(true)
    expect((await container.receive({ turn: 1, after: 1 })).body.turn).toEqual({ number: 2, mode: "autonomous", messages: [] })
  })

  test("200: taken back, the end of the agent's work is the end of its turn", async () => {
    const container = await conversation()
    await toggle(container, true)
    await completeTurn(container, 1, "Snowdrops.")
    await container.receive({ turn: 1, after: 1 })
    expect((await toggle(container, false)).body.event.kind).toBe("mode_switched_to_conversation")
    const ended = await container.send("complete", { result: "Planted.", messages: [answer("Planted.")], after: 1 })
    expect(ended.body.lease.status).toBe("completed")
    expect(await read(container)).toMatchObject({ status: "awaiting_input", mode: "conversation", turnNumber: 2 })
    await say(container, "And now?")
    expect((await nextOf(container, 2)).bundle.turn).toMatchObject({ number: 3, messages: [{ content: "And now?" }] })
  })

  test("200: what a person says to an agent at work by itself steers the running turn, and is seen before it ends", async () => {
    const container = await conversation()
    await completeTurn(container, 1, "Snowdrops.")
    await toggle(container, true)
    await container.receive({ turn: 1, after: 1 })
    expect((await say(container, "Only white ones.")).body.message).toMatchObject({ turnNumber: 2, status: "queued" })
    expect((await container.send("heartbeat", {})).body.signals).toEqual([{ kind: "message", sequence: 3 }])
    expect(codeOf(await container.send("complete", { result: null, after: 1 }))).toEqual([409, "message_waiting"])
    const { turn } = (await container.receive({ turn: 2, after: 1 })).body
    expect(turn).toMatchObject({ number: 2, messages: [{ content: "Only white ones.", sequence: 3 }] })
    expect((await container.send("complete", { result: null, after: 3 })).status).toBe(200)
    expect((await said(container)).at(-1)).toEqual([2, "user", "processed", "Only white ones."])
  })

  test.each([
    ["turns/complete", { turn_number: 1 }],
    ["complete", { result: null }],
  ])("200: taken back, what was said to the agent at work is seen before its turn ends by %s", async (call, body) => {
    const container = await conversation()
    await toggle(container, true)
    await say(container, "Only white ones.")
    await toggle(container, false)
    await say(container, "And then?")
    expect(codeOf(await container.send(call, { ...body, after: 1 }))).toEqual([409, "message_waiting"])
    const { turn } = (await container.receive({ turn: 1, after: 1 })).body
    expect(turn).toMatchObject({ number: 1, mode: "conversation", messages: [{ content: "Only white ones.", sequence: 2 }] })
    expect((await container.send(call, { ...body, after: 2 })).status).toBe(200)
    expect(await read(container)).toMatchObject({ status: "running", turnNumber: 2 })
  })

  test("200: handed over with a message queued, the work is not over before its turn", async () => {
    const container = await conversation()
    await say(container, "And then?")
    await toggle(container, true)
    for (const [call, body] of [
      ["complete", { result: null, after: 2 }],
      ["release", { to: "hibernate", until: new Date(Date.now() + 600_000).toISOString(), reason: "Waiting.", after: 2 }],
    ] as const)
      expect(codeOf(await container.send(call, body))).toEqual([409, "message_waiting"])
    expect((await container.receive({ turn: 1, after: 1 })).body.turn).toBeNull()
    expect((await completeTurn(container, 1, "Snowdrops.")).body.has_next_turn).toBe(true)
    const { turn } = (await container.receive({ turn: 1, after: 1 })).body
    expect(turn).toMatchObject({ number: 2, mode: "autonomous", messages: [{ content: "And then?", sequence: 2 }] })
  })

  test("422 task_ended: a conversation that has ended", async () => {
    const container = await conversation()
    await container.send("fail", { error: "Broken." })
    expect(codeOf(await toggle(container, true))).toEqual([422, "task_ended"])
    expect(codeOf(await say(container, "Hello?"))).toEqual([422, "task_ended"])
  })

  test("404 conversation_not_found: a task that was made as a task, and somebody else's", async () => {
    const container = await claimedContainer(app, account)
    expect(codeOf(await toggle(container, true))).toEqual([404, "conversation_not_found"])
    expect(codeOf(await say(container, "Hello?"))).toEqual([404, "conversation_not_found"])
    const { task } = await conversation()
    const foreign = await other.send(`POST /conversations/${task.id}/messages`, { content: "Hi" })
    expect(codeOf(foreign)).toEqual([404, "conversation_not_found"])
  })
})
