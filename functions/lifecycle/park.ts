import * as z from "zod"
import * as Park from "#core/park.ts"

export const Input = z.object({
  accountId: z.string(),
  taskId: z.string(),
  entry: z.string(),
  tries: z.int(),
  token: z.string(),
  parkSeconds: z.number(),
})

/** State `Park`: the task waits for a message, or sleeps. Whoever wakes it completes the token. */
export const handler = (input: unknown) => Park.start(Input.parse(input))
