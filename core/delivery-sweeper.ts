import { millis } from "./clock.ts"
import { DeliveryEntity, type DeliveryRow } from "./delivery.entity.ts"
import * as Delivery from "./delivery.ts"
import { each, shards } from "./sweep.ts"
import { unlessRefused } from "./transaction.ts"

/** Finds deliveries whose message or schedule got lost, and puts them on their way again. */

/** A delivery that never gets as far as an attempt is given up after so many times. */
const mostSweeps = 8
const hour = 3_600_000

/** Looks at every delivery that is due. Answers how many it looked at. */
export async function sweep(): Promise<{ looked: number }> {
  const before = new Date(millis()).toISOString()
  const found = await Promise.all(shards.map((shard) => dueIn(shard, before)))
  const deliveries = found.flat()
  const look = async (accountId: string, deliveryId: string) => {
    const delivery = await Delivery.find(accountId, deliveryId)
    if (delivery) await mend(delivery)
  }
  await each(
    deliveries.map(
      ({ accountId, deliveryId }) =>
        () =>
          look(accountId, deliveryId),
    ),
  )
  return { looked: deliveries.length }
}

const dueIn = async (sweepShard: string, before: string) => {
  const due = DeliveryEntity.query.dueForSweep({ sweepShard }).lt({ sweepAt: before })
  return (await due.go({ pages: "all", attributes: ["accountId", "deliveryId"] })).data
}

/** Repeating what is under way after all does no harm: an attempt that was made is made no second time. */
async function mend(delivery: DeliveryRow) {
  if (Delivery.isOver(delivery)) return
  const sweeps = delivery.sweeps + 1
  const isLost = sweeps > mostSweeps
  const { sweepAt, sweepShard } = Delivery.watched(delivery.deliveryId, millis() + 2 ** sweeps * hour)
  const isOurs = await change(
    delivery,
    isLost ? { status: "failed", lastError: "It could not be attempted.", sweeps } : { sweeps, sweepAt, sweepShard },
    isLost,
  )
  if (isOurs && !isLost) await Delivery.send({ ...delivery, nextRetryAt: undefined })
}

const change = ({ accountId, deliveryId, attemptCount, ...before }: DeliveryRow, set: Partial<DeliveryRow>, ends: boolean) =>
  unlessRefused(
    DeliveryEntity.patch({ accountId, deliveryId })
      .set(set as { sweeps: number })
      .remove(ends ? ["nextRetryAt", "sweepShard", "sweepAt"] : [])
      .where((row, { eq }) => `${eq(row.attemptCount, attemptCount)} AND ${eq(row.sweeps, before.sweeps)}`),
  )
