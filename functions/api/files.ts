import * as z from "zod"
import * as File from "#core/file.ts"
import * as Output from "#core/output.ts"
import * as Page from "#core/page.ts"
import { route } from "#functions/http/route.ts"
import { serve } from "#functions/http/serve.ts"

const page = z.strictObject(Page.query())

const bytes =
  "The bytes as they are, or the range of them that a `Range` header asks for (206). A file over 100 MB is answered with a redirect (302) to an address that holds for five minutes and takes ranges as well."

export const routes = [
  route(
    "GET /files",
    { summary: "List uploaded files", description: "Newest first.", query: page, returns: [200, File.Listed], streaming: true },
    ({ accountId, query }) => File.list(accountId, query),
  ),
  route(
    "GET /files/{fileId}",
    { summary: "Read what is known of a file", returns: [200, File.View], problems: ["file_not_found"], streaming: true },
    ({ accountId, path }) => File.get(accountId, path.fileId),
  ),
  route(
    "GET /files/{fileId}/content",
    {
      summary: "Download a file",
      description: bytes,
      returns: [200, "application/octet-stream"],
      problems: ["file_not_found", "range_not_satisfiable"],
      streaming: true,
    },
    ({ accountId, path, event }) => File.download(accountId, path.fileId, event.headers),
  ),
  route(
    "DELETE /files/{fileId}",
    {
      summary: "Delete a file",
      description:
        "Its room is free at once. Refused while it is a reference file of an agent that is not archived; tasks that were given it before still find it for a week.",
      returns: [204, null],
      problems: ["file_not_found", "file_in_use"],
      streaming: true,
    },
    ({ accountId, path }) => File.remove(accountId, path.fileId),
  ),
  route(
    "GET /tasks/{taskId}/files",
    {
      summary: "List the output files of a task",
      query: page,
      returns: [200, Output.Listed],
      problems: ["task_not_found"],
      streaming: true,
    },
    ({ accountId, path, query }) => Output.list(accountId, path.taskId, query),
  ),
  route(
    "GET /tasks/{taskId}/files/{fileId}",
    {
      summary: "Download an output file",
      description: bytes,
      returns: [200, "application/octet-stream"],
      problems: ["task_not_found", "file_not_found", "range_not_satisfiable"],
      streaming: true,
    },
    ({ accountId, path, event }) => Output.download(accountId, path.taskId, path.fileId, event.headers),
  ),
]

export const handler = serve(routes)
