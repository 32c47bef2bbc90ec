import * as z from "zod"
import { AwsError } from "../service.ts"
import { bytesOf, payloadLimit } from "./failure.ts"

/** What callers send. */

/** Reads an operation's input. Throws ValidationException for what its schema does not take. */
export const read = <Schema extends z.ZodType>(schema: Schema, input: Record<string, unknown>): z.infer<Schema> => {
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  throw new AwsError("ValidationException", z.prettifyError(parsed.error))
}

export const arn = z.string().min(1).max(256)

/** JSON as text, of at most 262,144 bytes. */
export const payload = z.string().refine((text) => bytesOf(text) <= payloadLimit, `must have at most ${payloadLimit} bytes`)

export const isJson = (text: string) => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Names of executions: no white space, control characters, brackets, wildcards, nor what URLs and ARNs use as punctuation. */
export const isName = (name: string) =>
  name.length > 0 && name.length <= 80 && !/[\s\p{Cc}\p{Cs}<>{}[\]?*"#%\\^|~`$&,;:/\ufffe\uffff]/u.test(name)

/** `nextToken`: where the next page begins, and which question it belongs to. */
export const pageToken = (question: string, after: number) => Buffer.from(JSON.stringify([question, after])).toString("base64url")

/** The place that a `nextToken` of the same question stands for. Throws InvalidToken. */
export const readPageToken = (question: string, token: string | undefined, first: number): number => {
  if (token === undefined) return first
  const text = Buffer.from(token, "base64url").toString()
  const place = z.tuple([z.literal(question), z.int()]).safeParse(isJson(text) ? JSON.parse(text) : undefined)
  if (place.success) return place.data[1]
  throw new AwsError("InvalidToken", "Invalid Token: 'Invalid token'")
}

export const paging = {
  // 0 means the default, as on AWS.
  maxResults: z
    .int()
    .min(0)
    .max(1_000)
    .default(0)
    .transform((size) => size || 100),
  nextToken: z.string().min(1).max(1_024).optional(),
}
