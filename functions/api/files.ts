import { z } from "zod"
import * as File from "#core/file.ts"
import * as Page from "#core/page.ts"
import { route } from "#functions/http/route.ts"
import { serve } from "#functions/http/serve.ts"

export const routes = [
  route(
    "GET /tasks/{taskId}/files",
    {
      summary: "List the output files of a task",
      query: z.strictObject(Page.query()),
      returns: [200, File.Listed],
      problems: ["task_not_found"],
      streaming: true,
    },
    ({ accountId, path, query }) => File.list(accountId, path.taskId, query),
  ),
  route(
    "GET /tasks/{taskId}/files/{fileId}",
    {
      summary: "Download an output file",
      description:
        "The bytes as they are. A file over 100 MB is answered with a redirect (302) to an address that holds for five minutes.",
      returns: [200, "application/octet-stream"],
      problems: ["task_not_found", "file_not_found"],
      streaming: true,
    },
    ({ accountId, path }) => File.download(accountId, path.taskId, path.fileId),
  ),
]

export const handler = serve(routes)
