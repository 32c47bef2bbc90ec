/** Counts the tokens of a model's answer from the answer itself, in the wire formats of the three providers. */

export interface Tokens {
  input: number
  output: number
  cacheRead: number
  cacheWrite: number
}

interface Meter {
  read(chunk: Buffer): void
  total(): Tokens
}

/** Longest line of a stream that is looked at: usage comes in short ones. */
const longestLine = 1024 * 1024

/** A meter for an answer of that content type: server-sent events, or one JSON document. */
export function usageMeter(contentType: string): Meter {
  const tokens: Tokens = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 }
  const isStream = contentType.includes("text/event-stream")
  const decoder = new TextDecoder()
  let rest = ""
  const look = (text: string) => {
    if (!text.includes('"usage"')) return
    for (const usage of usagesIn(parse(text))) Object.assign(tokens, tokensOf(usage, tokens))
  }
  return {
    read(chunk) {
      rest += decoder.decode(chunk, { stream: true })
      if (isStream) {
        const lines = rest.split("\n")
        rest = lines.pop() ?? ""
        for (const line of lines) if (line.startsWith("data:")) look(line.slice("data:".length))
      }
      if (rest.length > longestLine) rest = ""
    },
    total() {
      if (!isStream) look(rest)
      return tokens
    },
  }
}

type Json = Record<string, unknown>

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Anthropic: `usage` of the event or of its `message`. OpenAI responses: of its `response`. Chat completions: of the chunk. */
const usagesIn = (event: unknown): Json[] =>
  isObject(event)
    ? [event, event.message, event.response].flatMap((part) => (isObject(part) && isObject(part.usage) ? [part.usage] : []))
    : []

const number = (value: unknown) =>
  typeof value === "number" && Number.isFinite(value) && value >= 0 ? Math.floor(value) : undefined

/** What a usage object says, over what was known before: later events repeat totals, they do not add to them. */
function tokensOf(usage: Json, before: Tokens): Tokens {
  const details = [usage.input_tokens_details, usage.prompt_tokens_details].find(isObject)
  const cached = number(details?.cached_tokens)
  const input = number(usage.input_tokens) ?? number(usage.prompt_tokens)
  return {
    // OpenAI counts cached tokens among the input, Anthropic apart.
    input: input === undefined ? before.input : input - (cached ?? 0),
    output: number(usage.output_tokens) ?? number(usage.completion_tokens) ?? before.output,
    cacheRead: cached ?? number(usage.cache_read_input_tokens) ?? before.cacheRead,
    cacheWrite: number(usage.cache_creation_input_tokens) ?? before.cacheWrite,
  }
}
