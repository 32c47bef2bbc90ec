import * as Protocol from "#core/protocol.ts"
import * as Run from "#core/run.ts"
import { runRoute } from "#functions/http/route.ts"
import { serve } from "#functions/http/serve.ts"

export const routes = [
  runRoute(
    "POST /agent/tasks/{run_id}/outputs/prepare",
    {
      summary: "Ask where to put the bytes of an output file",
      body: Protocol.PrepareOutput,
      returns: [200, Protocol.PreparedOutput],
      problems: ["foreign_run", "run_not_found", "lease_lost"],
    },
    ({ run, body }) => Run.prepareOutput(run, body),
  ),
  runRoute(
    "POST /agent/tasks/{run_id}/outputs/complete",
    {
      summary: "Make an uploaded output file visible",
      body: Protocol.CompleteOutput,
      returns: [200, Protocol.Accepted],
      problems: ["foreign_run", "run_not_found", "lease_lost", "upload_incomplete"],
    },
    ({ run, body }) => Run.completeOutput(run, body),
  ),
]

export const handler = serve(routes)
