import * as File from "#core/file.ts"
import * as Upload from "#core/upload.ts"
import { route } from "#functions/http/route.ts"
import { serve } from "#functions/http/serve.ts"

export const routes = [
  route(
    "POST /uploads/prepare",
    {
      summary: "Ask where to put the bytes of a file",
      description:
        "Send the bytes to `uploadUrl` with the method and the headers of the answer, then complete the upload. Storage is held back for them; an upload that is not completed in time gives it back.",
      body: Upload.Prepare,
      returns: [201, Upload.Prepared],
      problems: ["storage_quota_exceeded", "conflict"],
    },
    ({ accountId, body }) => Upload.prepare(accountId, body),
  ),
  route(
    "POST /uploads/complete",
    {
      summary: "Make a file of an upload",
      description: "Once its bytes are there. Sent again, it answers the same file.",
      body: Upload.Complete,
      returns: [201, File.View],
      problems: ["upload_incomplete", "upload_expired", "storage_quota_exceeded", "conflict"],
    },
    ({ accountId, body }) => Upload.complete(accountId, body),
  ),
]

export const handler = serve(routes)
