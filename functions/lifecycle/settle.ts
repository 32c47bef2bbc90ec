import * as z from "zod"
import * as Attempt from "#core/attempt.ts"

export const Input = z.object({ accountId: z.string(), taskId: z.string(), error: z.string(), cause: z.string() })

/** State `Settle`: ends a task that did not end itself. Doing it twice is doing it once. */
export const handler = (input: unknown) => {
  const { accountId, taskId, error, cause } = Input.parse(input)
  return Attempt.settle(accountId, taskId, error, cause)
}
