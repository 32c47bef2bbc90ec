import * as z from "zod"
import * as Attempt from "#core/attempt.ts"

export const Input = z.object({
  accountId: z.string(),
  taskId: z.string(),
  generation: z.int(),
  entry: z.string(),
  tries: z.int(),
  token: z.string(),
})

/** State `Run`: starts the container of the next attempt. Whoever ends the run completes the token. */
export const handler = (input: unknown) => Attempt.start(Input.parse(input))
