import * as Protocol from "#core/protocol.ts"
import * as Turn from "#core/turn.ts"
import { runRoute } from "#functions/http/route.ts"
import { serve } from "#functions/http/serve.ts"

export const routes = [
  runRoute(
    "GET /agent/channels/{channel}/recv",
    {
      summary: "Receive what a person said, and with it the next turn",
      description: "Waits for it as long as it is asked to. Taking up the next turn begins it.",
      query: Protocol.Receive,
      returns: [200, Protocol.Received],
      problems: ["channel_not_found", "lease_lost", "conflict"],
    },
    ({ run, path, query }) => Turn.receive(run, path.channel, query),
  ),
]

export const handler = serve(routes)
