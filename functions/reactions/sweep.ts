import { z } from "zod"
import * as Sweeper from "#core/sweeper.ts"

/** A "Step Functions Execution Status Change" event of an execution that ended badly. */
const Ended = z.object({
  "detail-type": z.literal("Step Functions Execution Status Change"),
  detail: z.object({
    status: z.string(),
    input: z.string(),
    error: z.string().nullish(),
    cause: z.string().nullish(),
  }),
})

const Input = z.object({ accountId: z.string(), taskId: z.string(), generation: z.int(), timeoutSeconds: z.number() })

/** Mends what got stuck: on a schedule whatever is due, and at once the task of an execution that ended badly. */
export const handler = (event: unknown) => {
  const ended = Ended.safeParse(event)
  if (!ended.success) return Sweeper.sweep()
  const { status, input, error, cause } = ended.data.detail
  return Sweeper.ended(Input.parse(JSON.parse(input)), status, error ?? undefined, cause ?? undefined)
}
