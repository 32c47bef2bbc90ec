import { unmarshall } from "@aws-sdk/util-dynamodb"
import { LedgerEntity } from "./billing.entity.ts"
import * as Checkpoint from "./checkpoint.ts"
import * as Credit from "./credit.ts"
import { DeliveryEntity } from "./delivery.entity.ts"
import * as Delivery from "./delivery.ts"
import { EventEntity, type EventRow } from "./event.entity.ts"
import * as Event from "./event.ts"
import * as Execution from "./execution.ts"
import { isTerminal } from "./lifecycle.ts"
import * as Queue from "./queue.ts"
import { SignalEntity, type SignalRow } from "./signal.entity.ts"
import * as Sweep from "./sweep.ts"
import * as Sweeper from "./sweeper.ts"
import * as Task from "./task.ts"
import { unlessRefused } from "./transaction.ts"

type Image = Parameters<typeof unmarshall>[0]

/**
 * What follows from an item that was committed to the table: an event is announced, a signal ends its waiting, a delivery is sent,
 * credit wakes what waited for it.
 */
export async function publish(image: unknown): Promise<void> {
  const item = unmarshall(image as Image)
  const event = EventEntity.parse({ Item: item }).data
  if (event) return publishEvent(event)
  const signal = SignalEntity.parse({ Item: item }).data
  if (signal) return publishSignal(signal)
  const delivery = DeliveryEntity.parse({ Item: item }).data
  if (delivery) return Delivery.send(delivery)
  const entry = LedgerEntity.parse({ Item: item }).data
  if (entry?.kind === "credit") return Credit.granted(entry.accountId)
}

async function publishEvent(event: EventRow) {
  const { accountId, taskId, sequence } = event
  // Starting first: an announcement that cannot be made must not keep a task from running.
  if (event.type === "task.created") await start(() => Promise.resolve(event))
  await Event.announce(event)
  if (isTerminal(event.status)) await Checkpoint.end(accountId, taskId)
  // The item may have been deleted with its task meanwhile.
  await unlessRefused(EventEntity.patch({ accountId, taskId, sequence }).remove(["sweepShard", "sweepAt"]))
}

async function publishSignal(signal: SignalRow) {
  const { accountId, taskId, signalId } = signal
  if (signal.as === "Superseded") await start(() => Task.row(accountId, taskId))
  else await Execution.close(signal)
  // A container may have left: whoever waits for its place goes on.
  await Queue.advance(accountId)
  await unlessRefused(SignalEntity.patch({ accountId, taskId, signalId }).remove(["sweepShard", "sweepAt"]))
}

/** Publishes what no record of the stream has told of, for whatever reason. Answers how many events and signals that were. */
export async function sweep(): Promise<{ looked: number }> {
  const events = await Sweep.overdue((sweepShard, now) =>
    EventEntity.query.dueForSweep({ sweepShard }).lt({ sweepAt: now }).go({ pages: "all", hydrate: true }),
  )
  const signals = await Sweep.overdue((sweepShard, now) =>
    SignalEntity.query.dueForSweep({ sweepShard }).lt({ sweepAt: now }).go({ pages: "all", hydrate: true }),
  )
  const work = [...events.map((event) => () => publishEvent(event)), ...signals.map((signal) => () => publishSignal(signal))]
  await Sweep.each(work)
  return { looked: work.length }
}

/** Starts an execution of a task, if there still is one: a record that can never be published would hold up those behind it. */
const start = (find: () => Promise<Parameters<typeof Sweeper.inputOf>[0]>) =>
  Task.unlessDeleted(async () => Execution.start(await Sweeper.inputOf(await find())))
