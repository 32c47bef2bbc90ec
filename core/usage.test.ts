import { describe, expect, test } from "vitest"
import { anthropicMessages, chatCompletions, type Format, openaiResponses } from "#test/model-formats.ts"
import { usageMeter } from "./usage.ts"

const used = { input: 1200, output: 80, cacheRead: 300, cacheWrite: 50 }
const blocks = [{ text: 'It says "usage": 7 and ends with 🐭.' }, { tool: "bash", args: { command: "ls" } }]

const meter = (chunks: Iterable<string | Buffer>, contentType = "text/event-stream; charset=utf-8") => {
  const it = usageMeter(contentType)
  for (const chunk of chunks) it.read(Buffer.from(chunk as string))
  return it.total()
}

const formats: [string, Format][] = [
  ["Anthropic's messages", anthropicMessages],
  ["OpenAI's responses", openaiResponses],
  ["chat completions", chatCompletions],
]

const json = (body: object) => meter([JSON.stringify(body)], "application/json")

describe.each(formats)("a stream of %s", (_, format) => {
  const whole = () => Buffer.from([...format({ blocks, usage: used }, "a-model", 0)].join(""))

  test("is counted to the token, cached ones apart", () => {
    expect(meter([whole()])).toEqual(used)
  })

  test.each([1, 7, 1000])("is counted in chunks of %i bytes, wherever they are cut", (size) => {
    const bytes = whole()
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size))
    expect(meter(chunks)).toEqual(used)
  })

  test("is counted with comments between its events, line ends of two characters, and none at the end", () => {
    const text = whole().toString().replaceAll("\n\n", "\n\n: still at work\n\n").replaceAll("\n", "\r\n").trimEnd()
    expect(meter([text])).toEqual(used)
  })

  test("that stops at its length limit is counted as well", () => {
    expect(meter(format({ blocks, usage: used, end: "length" }, "a-model", 0))).toEqual(used)
  })

  test("that says nothing of usage counts nothing", () => {
    expect(meter(['data: {"type":"ping"}\n\n', "data: [DONE]\n\n"])).toEqual({ input: 0, output: 0, cacheRead: 0, cacheWrite: 0 })
  })
})

describe("an answer cut in the middle", () => {
  test("counts what Anthropic said at its beginning", () => {
    expect(meter(anthropicMessages({ blocks, usage: used, end: "cut" }, "a-model", 0))).toEqual({ ...used, output: 1 })
  })

  test.each(formats.slice(1))("counts nothing of %s, which tell it at the end", (_, format) => {
    const none = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 }
    expect(meter(format({ blocks, usage: used, end: "cut" }, "a-model", 0))).toEqual(none)
  })
})

describe("an answer that is one document", () => {
  test("of Anthropic", () => {
    const usage = { input_tokens: 1200, output_tokens: 80, cache_read_input_tokens: 300, cache_creation_input_tokens: 50 }
    expect(json({ type: "message", content: [], usage })).toEqual(used)
  })

  test("of OpenAI's responses", () => {
    const usage = { input_tokens: 1500, input_tokens_details: { cached_tokens: 300 }, output_tokens: 80 }
    expect(json({ object: "response", output: [], usage })).toEqual({ ...used, cacheWrite: 0 })
  })

  test("of chat completions", () => {
    const details = { cached_tokens: 300, cache_write_tokens: 50 }
    const usage = { prompt_tokens: 1550, prompt_tokens_details: details, completion_tokens: 80 }
    expect(json({ object: "chat.completion", choices: [], usage })).toEqual(used)
  })

  test("of more than a megabyte", () => {
    const usage = { input_tokens: 1200, output_tokens: 80, cache_read_input_tokens: 300, cache_creation_input_tokens: 50 }
    expect(json({ content: [{ text: "x".repeat(2 * 1024 ** 2) }], usage })).toEqual(used)
  })
})

describe("a provider that talks nonsense", () => {
  test.each([
    ["a negative number", { input_tokens: -5, output_tokens: 3 }],
    ["a text", { input_tokens: "many", output_tokens: 3 }],
    ["more from the cache than in all", { input_tokens: 5, input_tokens_details: { cached_tokens: 9 }, output_tokens: 3 }],
  ])("never makes a count negative: %s", (_, usage) => {
    expect(json({ usage })).toMatchObject({ input: 0, output: 3 })
  })

  test.each(["null", "[]", '"usage"', '{"usage":null}', '{"usage":'])("and %s counts nothing", (text) => {
    expect(meter([`data: ${text}\n\n`])).toEqual({ input: 0, output: 0, cacheRead: 0, cacheWrite: 0 })
  })

  test("a line without an end is given up, and the next one counts", () => {
    const usage = { input_tokens: 7, output_tokens: 3 }
    const endless = Array.from({ length: 9 }, () => "x".repeat(1024 ** 2))
    expect(meter(["data: ", ...endless, "\n", `data: ${JSON.stringify({ usage })}\n`])).toMatchObject({ input: 7, output: 3 })
  })
})
