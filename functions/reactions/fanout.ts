import * as Fanout from "#core/fanout.ts"
import { consume } from "#functions/queue/consume.ts"

/** An event of the bus becomes a delivery for every webhook that wants to hear of it. */
export const handler = consume(Fanout.Announcement, "fanout", Fanout.fanOut)
