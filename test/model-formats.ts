import type { Answer, Usage } from "./model-server.ts"

/** Turns a scripted answer into the chunks of a wire format. `n` is the number of the request and makes the ids. */
export type Format = (answer: Answer, model: string, n: number) => Iterable<string>

/** True when the stream must stop before its closing events. */
const isBroken = ({ end }: Answer) => end === "hang" || end === "cut"

const pieces = (text: string, size = 8) => text.match(new RegExp(`[\\s\\S]{1,${size}}`, "gu")) ?? [""]

const counted = (usage: Usage = {}) => ({ input: 100, output: 20, cacheRead: 0, cacheWrite: 0, ...usage })

/** What OpenRouter adds: its own price, in US dollars. */
const billed = ({ billedUsd }: Answer) => (billedUsd === undefined ? {} : { cost: billedUsd, is_byok: false })

const namedEvent = (type: string, data: object) => `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`

/** Answers in one piece, by the end of the path that was asked: for requests that do not ask for a stream. */
export const documents: Record<string, (text: string) => object> = {
  "/messages": (text) => ({ type: "message", role: "assistant", content: [{ type: "text", text }], stop_reason: "end_turn" }),
  "/responses": (text) => ({ output: [{ type: "reasoning" }, { type: "message", content: [{ type: "output_text", text }] }] }),
  "/chat/completions": (text) => ({ choices: [{ index: 0, message: { role: "assistant", content: text } }] }),
}

/** `POST /v1/messages` */
export function* anthropicMessages(answer: Answer, model: string, n: number): Generator<string> {
  const { input, output, cacheRead, cacheWrite } = counted(answer.usage)
  const usage = {
    input_tokens: input,
    output_tokens: 1,
    cache_read_input_tokens: cacheRead,
    cache_creation_input_tokens: cacheWrite,
  }
  const message = { id: `msg_${n}`, type: "message", role: "assistant", model, content: [], stop_reason: null, usage }
  yield namedEvent("message_start", { message })
  for (const [index, block] of answer.blocks.entries()) {
    const [content_block, deltas] = anthropicBlock(block, `toolu_${n}_${index}`)
    yield namedEvent("content_block_start", { index, content_block })
    for (const delta of deltas) yield namedEvent("content_block_delta", { index, delta })
    yield namedEvent("content_block_stop", { index })
  }
  if (isBroken(answer)) return
  const usesTool = answer.blocks.some((block) => "tool" in block)
  const stop_reason = answer.end === "length" ? "max_tokens" : usesTool ? "tool_use" : "end_turn"
  yield namedEvent("message_delta", {
    delta: { stop_reason, stop_sequence: null },
    usage: { output_tokens: output, ...billed(answer) },
  })
  yield namedEvent("message_stop", {})
}

const anthropicBlock = (block: Answer["blocks"][number], id: string): [start: object, deltas: object[]] => {
  if ("text" in block) return [{ type: "text", text: "" }, pieces(block.text).map((text) => ({ type: "text_delta", text }))]
  if ("thinking" in block) {
    const deltas: object[] = pieces(block.thinking).map((thinking) => ({ type: "thinking_delta", thinking }))
    deltas.push({ type: "signature_delta", signature: "c2lnbmF0dXJl" })
    return [{ type: "thinking", thinking: "", signature: "" }, deltas]
  }
  const json = pieces(JSON.stringify(block.args), 16)
  const deltas = json.map((partial_json) => ({ type: "input_json_delta", partial_json }))
  return [{ type: "tool_use", id: block.id ?? id, name: block.tool, input: {} }, deltas]
}

/** `POST /v1/chat/completions` */
export function* chatCompletions(answer: Answer, model: string, n: number): Generator<string> {
  const chunk = (choices: object[], extra: object = {}) =>
    `data: ${JSON.stringify({ id: `chatcmpl_${n}`, object: "chat.completion.chunk", created: 1, model, choices, ...extra })}\n\n`
  const say = (delta: object, finish_reason: string | null = null) => chunk([{ index: 0, delta, finish_reason }])

  yield say({ role: "assistant", content: "" })
  let calls = 0
  for (const block of answer.blocks) {
    if ("text" in block) for (const content of pieces(block.text)) yield say({ content })
    else if ("thinking" in block) for (const reasoning of pieces(block.thinking)) yield say({ reasoning })
    else {
      const index = calls++
      const id = block.id ?? `call_${n}_${index}`
      yield say({ tool_calls: [{ index, id, type: "function", function: { name: block.tool, arguments: "" } }] })
      for (const part of pieces(JSON.stringify(block.args), 16))
        yield say({ tool_calls: [{ index, function: { arguments: part } }] })
    }
  }
  if (isBroken(answer)) return
  yield say({}, answer.end === "length" ? "length" : calls > 0 ? "tool_calls" : "stop")
  const { input, output, cacheRead, cacheWrite } = counted(answer.usage)
  const prompt_tokens = input + cacheRead + cacheWrite
  const details = { prompt_tokens_details: { cached_tokens: cacheRead, cache_write_tokens: cacheWrite } }
  const usage = { prompt_tokens, completion_tokens: output, total_tokens: prompt_tokens + output, ...details, ...billed(answer) }
  yield chunk([], { usage })
  yield "data: [DONE]\n\n"
}

type Sequenced = (type: string, data: object) => string

/** `POST /v1/responses` */
export function* openaiResponses(answer: Answer, model: string, n: number): Generator<string> {
  let sequence_number = 0
  const event: Sequenced = (type, data) => namedEvent(type, { sequence_number: sequence_number++, ...data })
  const response = { id: `resp_${n}`, object: "response", created_at: 1, model, parallel_tool_calls: true, tools: [] }
  const output: object[] = []

  yield event("response.created", { response: { ...response, output, status: "in_progress" } })
  for (const [index, block] of answer.blocks.entries()) {
    output.push(
      "tool" in block
        ? yield* functionCall(event, index, `${n}_${index}`, block)
        : yield* textItem(event, index, `msg_${n}_${index}`, "text" in block ? block.text : block.thinking),
    )
  }
  if (isBroken(answer)) return
  const { input, output: written, cacheRead, cacheWrite } = counted(answer.usage)
  const usage = {
    input_tokens: input + cacheRead + cacheWrite,
    input_tokens_details: { cached_tokens: cacheRead, cache_write_tokens: cacheWrite },
    output_tokens: written,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: input + cacheRead + cacheWrite + written,
  }
  if (answer.end === "length") {
    const incomplete = { status: "incomplete", incomplete_details: { reason: "max_output_tokens" } }
    yield event("response.incomplete", { response: { ...response, output, usage, ...incomplete } })
  } else yield event("response.completed", { response: { ...response, output, usage, status: "completed" } })
}

type Call = { tool: string; args: unknown; id?: string }

function* functionCall(event: Sequenced, output_index: number, number: string, call: Call): Generator<string, object> {
  const item = { type: "function_call", id: `fc_${number}`, call_id: call.id ?? `call_${number}`, name: call.tool }
  const json = JSON.stringify(call.args)
  const where = { item_id: item.id, output_index }
  yield event("response.output_item.added", { output_index, item: { ...item, arguments: "", status: "in_progress" } })
  for (const delta of pieces(json, 16)) yield event("response.function_call_arguments.delta", { ...where, delta })
  yield event("response.function_call_arguments.done", { ...where, arguments: json })
  const done = { ...item, arguments: json, status: "completed" }
  yield event("response.output_item.done", { output_index, item: done })
  return done
}

function* textItem(event: Sequenced, output_index: number, id: string, text: string): Generator<string, object> {
  const item = { type: "message", id, role: "assistant" }
  const where = { item_id: id, output_index, content_index: 0 }
  const part = { type: "output_text", text, annotations: [] }
  yield event("response.output_item.added", { output_index, item: { ...item, status: "in_progress", content: [] } })
  yield event("response.content_part.added", { ...where, part: { ...part, text: "" } })
  for (const delta of pieces(text)) yield event("response.output_text.delta", { ...where, delta })
  yield event("response.content_part.done", { ...where, part })
  const done = { ...item, status: "completed", content: [part] }
  yield event("response.output_item.done", { output_index, item: done })
  return done
}
