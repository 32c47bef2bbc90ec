import * as z from "zod"
import { after } from "./clock.ts"
import { addressOf, providers } from "./provider.ts"

/** One question to a model and its answer, for side work of our own. What agents say to models is passed on as it is: `model.ts`. */

interface Question {
  provider: string
  model: string
  key: string
  /** The system prompt. */
  instructions: string
  text: string
  /** At most so many tokens, and so many milliseconds. */
  tokens: number
  milliseconds: number
}

/** A model had nothing to say. The message says why, without the key. */
export class NoAnswer extends Error {}

interface Format {
  path: string
  headers?: Record<string, string>
  bodyOf: (question: Question) => object
  /** The text of an answer. */
  answer: z.ZodType<string>
}

const Piece = z.object({ text: z.string().optional() })
const textOf = (pieces: z.infer<typeof Piece>[]) => pieces.map(({ text = "" }) => text).join("")

const formats: Record<string, Format> = {
  anthropic: {
    path: "/messages",
    headers: { "anthropic-version": "2023-06-01" },
    bodyOf: ({ model, instructions, text, tokens }) => ({
      model,
      max_tokens: tokens,
      system: instructions,
      messages: [{ role: "user", content: text }],
    }),
    answer: z.object({ content: z.array(Piece) }).transform(({ content }) => textOf(content)),
  },
  openai: {
    path: "/responses",
    bodyOf: ({ model, instructions, text, tokens }) => ({ model, instructions, input: text, max_output_tokens: tokens }),
    answer: z
      .object({ output: z.array(z.object({ content: z.array(Piece).optional() })) })
      .transform(({ output }) => textOf(output.flatMap(({ content = [] }) => content))),
  },
  openrouter: {
    path: "/chat/completions",
    bodyOf: ({ model, instructions, text, tokens }) => ({
      model,
      max_tokens: tokens,
      messages: [
        { role: "system", content: instructions },
        { role: "user", content: text },
      ],
    }),
    answer: z
      .object({ choices: z.array(z.object({ message: z.object({ content: z.string().nullable() }) })) })
      .transform(({ choices }) => choices[0]?.message.content ?? ""),
  },
}

/** Asks once: nothing is tried again, since what was asked may have been paid for. Throws `NoAnswer`. */
export async function ask(question: Question): Promise<string> {
  const { provider, key, milliseconds } = question
  const { path, headers, bodyOf, answer } = formats[provider]!
  const deadline = new AbortController()
  const done = after(milliseconds, () => deadline.abort(new NoAnswer(`${provider} took too long`)))
  try {
    const response = await fetch(addressOf({ provider, path, method: "POST" }), {
      method: "POST",
      headers: { "content-type": "application/json", ...headers, ...providers[provider]!.authorize(key) },
      body: JSON.stringify(bodyOf(question)),
      redirect: "manual",
      signal: deadline.signal,
    })
    if (!response.ok) throw new NoAnswer(`${provider} answered ${response.status}`)
    const { data } = answer.safeParse(await response.json())
    if (data === undefined) throw new NoAnswer(`${provider} answered something that is no answer`)
    return data
  } catch (error) {
    throw error instanceof NoAnswer ? error : new NoAnswer(`${provider} could not be reached`)
  } finally {
    done()
  }
}
