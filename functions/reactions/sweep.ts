import * as z from "zod"
import * as DeliverySweeper from "#core/delivery-sweeper.ts"
import * as LostBatch from "#core/lost-batch.ts"
import * as Publication from "#core/publication.ts"
import * as Sweeper from "#core/sweeper.ts"

/** A "Step Functions Execution Status Change" event of an execution that ended badly. */
const Ended = z.object({
  "detail-type": z.literal("Step Functions Execution Status Change"),
  detail: z.object({ executionArn: z.string() }),
})

/** Mends what got stuck: on a schedule whatever is due, and at once the task of an execution that ended badly. */
export const handler = async (event: unknown) => {
  const ended = Ended.safeParse(event)
  if (ended.success) return Sweeper.ended(ended.data.detail.executionArn)
  const work = [Sweeper.sweep(), DeliverySweeper.sweep(), LostBatch.sweep(), Publication.sweep()] as const
  // What fails in one of them keeps none of the others from coming to its end.
  await Promise.allSettled(work)
  const [looked, deliveries, batches, published] = await Promise.all(work)
  return { ...looked, deliveries: deliveries.looked, batches: batches.looked, published: published.looked }
}
