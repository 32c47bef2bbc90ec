import { millis } from "./clock.ts"
import { DeliveryEntity, type DeliveryRow, keptDays } from "./delivery.entity.ts"
import { beginningAt } from "./id.ts"

/** How many times are looked up at once. */
const lookUps = 50

/**
 * The deliveries of a task's events, which happened at these times: a small query for each time, since the id of a delivery begins with
 * it. However much the account sends, no more than that is read. What was sent again on request is not among them.
 */
export async function at(accountId: string, taskId: string, times: readonly string[]): Promise<DeliveryRow[]> {
  const kept = [...new Set(times.map((time) => Date.parse(time)))].filter((time) => time > millis() - keptDays * 86_400_000)
  const found: DeliveryRow[] = []
  while (kept.length) {
    const pages = await Promise.all(kept.splice(0, lookUps).map((time) => madeAt(accountId, time)))
    found.push(...pages.flat().filter((delivery) => delivery.taskId === taskId))
  }
  return found
}

async function madeAt(accountId: string, time: number): Promise<DeliveryRow[]> {
  const deliveryId = beginningAt("delivery", time)
  return (await DeliveryEntity.query.byId({ accountId }).begins({ deliveryId }).go({ pages: "all" })).data
}
