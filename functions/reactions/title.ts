import * as z from "zod"
import * as Title from "#core/title.ts"

/** A `task.created` event of the stack's bus, as far as it concerns us. */
const Input = z.object({ detail: z.object({ accountId: z.string(), taskId: z.string() }) })

/** A task was dispatched, and runs already or soon: meanwhile it gets its name. */
export const handler = (input: unknown) => {
  const { accountId, taskId } = Input.parse(input).detail
  return Title.entitle(accountId, taskId)
}
