import * as Protocol from "#core/protocol.ts"
import * as Run from "#core/run.ts"
import { runRoute } from "#functions/http/route.ts"
import { serve } from "#functions/http/serve.ts"

export const routes = [
  runRoute(
    "GET /agent/tasks/{run_id}/files/{file_id}",
    {
      summary: "Ask where to read an input or reference file of the task",
      description: "The address holds for five minutes.",
      returns: [200, Protocol.FileAddress],
      problems: ["foreign_run", "run_not_found", "lease_lost", "file_not_found"],
    },
    ({ run, path }) => Run.fileAddress(run, path.file_id),
  ),
]

export const handler = serve(routes)
