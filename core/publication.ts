import { unmarshall } from "@aws-sdk/util-dynamodb"
import { LedgerEntity } from "./billing.entity.ts"
import * as Checkpoint from "./checkpoint.ts"
import * as Credit from "./credit.ts"
import { DeliveryEntity } from "./delivery.entity.ts"
import * as Delivery from "./delivery.ts"
import { EventEntity } from "./event.entity.ts"
import * as Event from "./event.ts"
import * as Execution from "./execution.ts"
import { isTerminal } from "./lifecycle.ts"
import { SignalEntity } from "./signal.entity.ts"
import * as Sweeper from "./sweeper.ts"
import * as Task from "./task.ts"

type Image = Parameters<typeof unmarshall>[0]

/**
 * What follows from an item that was committed to the table: an event is announced, a signal ends its waiting, a delivery is sent,
 * credit wakes what waited for it.
 */
export async function publish(image: unknown): Promise<void> {
  const item = unmarshall(image as Image)
  const event = EventEntity.parse({ Item: item }).data
  if (event) {
    // Starting first: an announcement that cannot be made must not keep a task from running.
    if (event.type === "task.created") await start(() => Promise.resolve(event))
    await Event.announce(event)
    if (isTerminal(event.status)) await Checkpoint.end(event.accountId, event.taskId)
    return
  }
  const signal = SignalEntity.parse({ Item: item }).data
  if (signal?.as === "Superseded") return start(() => Task.row(signal.accountId, signal.taskId))
  if (signal) return Execution.close(signal)
  const delivery = DeliveryEntity.parse({ Item: item }).data
  if (delivery) return Delivery.send(delivery)
  const entry = LedgerEntity.parse({ Item: item }).data
  if (entry?.kind === "credit") return Credit.granted(entry.accountId)
}

/** Starts an execution of a task, if there still is one: a record that can never be published would hold up those behind it. */
const start = (find: () => Promise<Parameters<typeof Sweeper.inputOf>[0]>) =>
  Task.unlessDeleted(async () => Execution.start(await Sweeper.inputOf(await find())))
