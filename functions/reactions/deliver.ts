import * as Courier from "#core/courier.ts"
import { Message } from "#core/delivery-queue.ts"
import { consume } from "#functions/queue/consume.ts"

/** Makes attempts to deliver, those of a batch side by side. */
export const handler = consume(Message, "attempt", Courier.deliver, Courier.gather)
