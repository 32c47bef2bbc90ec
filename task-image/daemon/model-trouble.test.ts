import { expect, test } from "vitest"
import type { Script } from "../../test/model-server.ts"
import { fastForward, startStage } from "../test/stage.ts"
import type { Turn } from "./api.ts"

const patient = { limits: { model_idle_seconds: 80_000, max_runtime_seconds: 80_000 } }
const created_at = "2026-11-25T12:00:00.000Z"
const partial = { blocks: [{ tool: "write", args: { path: "output/part.md", content: "half" } }] }

const runWith = async (script: Script) => {
  const stage = await startStage({ bundle: patient, script })
  await stage.untilAsked(0)
  expect(await fastForward(stage), stage.printed()).toBe(0)
  expect(stage.api.seen.violations).toEqual([])
  return { ...stage, ...stage.api.seen }
}

test("a refused key fails the run at once with words that say so, and keeps what was written", async () => {
  const { failed, outputs, model } = await runWith([partial, { status: 401, error: "invalid x-api-key" }])

  expect(failed?.error).toBe(
    "The model provider refused the API key (401): invalid x-api-key. Check the anthropic key of this task.",
  )
  expect(model.requests).toHaveLength(2)
  expect(outputs.get("part.md")?.text).toBe("half")
})

test("a busy provider is asked again after the time that it names", async () => {
  const { completed, said } = await runWith([
    { status: 429, error: "slow down", headers: { "retry-after": "30" } },
    { status: 529, error: "overloaded" },
    { blocks: [{ text: "At last." }] },
  ])

  expect(completed).toEqual({ result: "At last." })
  expect(said("daemon")).toContain("The model cannot answer now (429: slow down). Asking again in 30 seconds")
  expect(said("daemon")).toContain("The model cannot answer now (529: overloaded). Asking again in 2 seconds")
})

test("a rate limit that never ends fails the run", async () => {
  const { failed } = await runWith(() => ({ status: 429, error: "slow down", headers: { "retry-after": "1" } }))

  expect(failed?.error).toMatch(
    /^The model provider refused to answer 11 times in a row because of its rate limit \(429\): slow down\./,
  )
})

test("a provider that fails for ever fails the run", async () => {
  const { failed, outputs } = await runWith((_, n) => (n === 0 ? partial : { status: 500, error: "internal error" }))

  expect(failed?.error).toMatch(/^The model provider failed 11 times in a row \(500\): internal error\. Try again later/)
  expect(outputs.get("part.md")?.text).toBe("half")
})

test("a provider that failed for one turn is met with the same patience in the next", async () => {
  const message = (number: number) => ({ id: `msg_${number}`, sequence: number, content: "Well?", files: [], created_at })
  const turn = (number: number): Turn => ({ number, mode: "conversation", messages: [message(number)] })
  const stage = await startStage({
    bundle: { ...patient, turn: turn(1) },
    script: (_, n) => (n < 11 + 5 ? { status: 500, error: "internal error" } : { blocks: [{ text: "At last." }] }),
  })
  stage.api.play.trouble = (path) => {
    if (path.endsWith("/turns/complete")) stage.api.play.turn = turn(2)
    return undefined
  }
  await stage.untilAsked(0)

  expect(await fastForward(stage), stage.printed()).toBe(0)
  const answers = stage.api.seen.turns.map(({ messages }) => messages?.[0]?.content)
  expect(answers).toEqual([expect.stringContaining("failed 11 times in a row (500)"), "At last."])
})

test("an unknown model fails the run and is named", async () => {
  const { failed } = await runWith([{ status: 404, error: "model: claude-sonnet-4-5" }])

  expect(failed?.error).toContain("offers the model claude-sonnet-4-5")
})

test("what the gateway itself refuses is told in its words, without blame on the provider", async () => {
  const { failed } = await runWith([{ status: 422, error: "There is no API key. Set one." }])

  expect(failed?.error).toBe(
    "The request to the model claude-sonnet-4-5 of anthropic was refused (422): There is no API key. Set one.",
  )
})

test("an answer that breaks off is asked for again", async () => {
  const { completed, said } = await runWith([
    { blocks: [{ text: "Half an" }], end: "cut" },
    { blocks: [{ text: "A whole answer." }] },
  ])

  expect(completed).toEqual({ result: "A whole answer." })
  expect(said("daemon").join("\n")).toContain("The model's answer broke off")
})

test("answers that always break off fail the run", async () => {
  const { failed, model } = await runWith(() => ({ blocks: [{ text: "Half an" }], end: "cut" as const }))

  expect(failed?.error).toMatch(/^The answer of anthropic's model claude-sonnet-4-5 broke off/)
  expect(model.requests).toHaveLength(4)
})

test("an answer at its length limit with nothing in it fails the run", async () => {
  const { failed } = await runWith(() => ({ blocks: [], end: "length" as const }))

  expect(failed?.error).toContain("reached its output limit without an answer")
})

test("a model that says nothing is given up after the idle limit, and let go", async () => {
  const stage = await startStage({ bundle: { limits: { model_idle_seconds: 150 } }, script: [partial, { silent: true }] })
  await stage.untilAsked(1)

  expect(await fastForward(stage), stage.printed()).toBe(0)
  expect(stage.api.seen.failed?.error).toMatch(/claude-sonnet-4-5 said nothing for 2.5 minutes/)
  expect(stage.api.seen.outputs.get("part.md")?.text).toBe("half")
  await stage.until(() => stage.model.requests[1]?.aborted === true)
})

test("a model that falls silent in the middle of its answer is given up too, and what it said is kept", async () => {
  const stage = await startStage({
    bundle: { limits: { model_idle_seconds: 150 } },
    script: [{ blocks: [{ text: "I was about to" }], end: "hang" }],
  })
  await stage.untilAsked(0)

  expect(await fastForward(stage), stage.printed()).toBe(0)
  expect(stage.api.seen.failed?.error).toContain("said nothing for 2.5 minutes")
  expect(stage.said("agent_stdout")).toEqual(["I was about to"])
})

test("a tool that works for longer than the idle limit is not the model's silence", async () => {
  const stage = await startStage({
    bundle: { limits: { model_idle_seconds: 100, max_runtime_seconds: 400 } },
    script: [{ blocks: [{ tool: "bash", args: { command: "sleep 1000" } }] }],
  })
  await stage.until(() => stage.printed().includes("Starting pi"))
  await stage.untilAsked(0)

  expect(await fastForward(stage), stage.printed()).toBe(0)
  expect(stage.api.seen.failed?.error).toContain("reached its limit of")
})

test.each([
  ["openai", "gpt-5.1", "/v1/responses"],
  ["openrouter", "deepseek/deepseek-chat-v3.1", "/api/v1/chat/completions"],
  ["openrouter", "anthropic/claude-sonnet-4.5", "/api/v1/"],
  ["anthropic", "claude-of-tomorrow", "/v1/messages"],
] as const)("%s's %s is asked by its own wire format", async (provider, model, path) => {
  const stage = await startStage({
    bundle: { execution: { provider, model, weak_model: model } },
    script: [partial, { blocks: [{ text: "Done." }] }],
  })

  expect(await stage.ended, stage.printed()).toBe(0)
  expect(stage.api.seen.completed).toEqual({ result: "Done." })
  expect(stage.api.seen.outputs.get("part.md")?.text).toBe("half")
  expect(stage.model.requests[0]?.url).toContain(path)
  expect(stage.model.requests[0]?.body.model).toBe(model)
})
