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

/**
 * Longest line of a stream, or whole document, that is looked at, in characters. OpenAI's last event repeats the whole answer beside
 * its usage.
 */
const longest = 8 * 1024 * 1024

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
  const lookAtLine = (line: string) => {
    if (line.startsWith("data:")) look(line.slice("data:".length))
  }
  return {
    read(chunk) {
      const [first = "", ...more] = isStream
        ? decoder.decode(chunk, { stream: true }).split("\n")
        : [decoder.decode(chunk, { stream: true })]
      const lines = [rest + first, ...more]
      rest = lines.pop() ?? ""
      lines.forEach(lookAtLine)
      if (rest.length > longest) rest = ""
    },
    total() {
      isStream ? lookAtLine(rest) : look(rest)
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
  const read = number(details?.cached_tokens)
  const written = number(details?.cache_write_tokens)
  const input = number(usage.input_tokens) ?? number(usage.prompt_tokens)
  return {
    // OpenAI and OpenRouter count what was read from and written to the cache among the input, Anthropic apart.
    input: input === undefined ? before.input : Math.max(0, input - (read ?? 0) - (written ?? 0)),
    output: number(usage.output_tokens) ?? number(usage.completion_tokens) ?? before.output,
    cacheRead: read ?? number(usage.cache_read_input_tokens) ?? before.cacheRead,
    cacheWrite: written ?? number(usage.cache_creation_input_tokens) ?? before.cacheWrite,
  }
}
