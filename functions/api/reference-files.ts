import * as z from "zod"
import * as Agent from "#core/agent.ts"
import * as File from "#core/file.ts"
import * as Page from "#core/page.ts"
import * as ReferenceFile from "#core/reference-file.ts"
import { route } from "#functions/http/route.ts"
import { serve } from "#functions/http/serve.ts"

export const routes = [
  route(
    "GET /agents/{agentId}/reference-files",
    {
      summary: "List the reference files of an agent",
      description: "Those of its current version, newest first.",
      query: z.strictObject(Page.query()),
      returns: [200, File.Listed],
      problems: ["agent_not_found"],
    },
    ({ accountId, path, query }) => ReferenceFile.list(accountId, path.agentId, query),
  ),
  route(
    "POST /agents/{agentId}/reference-files",
    {
      summary: "Give an agent reference files",
      description:
        "Makes a new version that has these files besides those it has. Every task of it finds them in its container in `reference/`.",
      body: ReferenceFile.Attach,
      returns: [200, Agent.View],
      problems: ["agent_not_found", "agent_archived", "conflict"],
    },
    ({ accountId, path, body }) => ReferenceFile.attach(accountId, path.agentId, body),
  ),
  route(
    "DELETE /agents/{agentId}/reference-files/{fileId}",
    {
      summary: "Take a reference file from an agent",
      description: "Makes a new version without it. The file itself stays.",
      returns: [204, null],
      problems: ["agent_not_found", "agent_archived", "file_not_found", "conflict"],
    },
    ({ accountId, path }) => ReferenceFile.detach(accountId, path.agentId, path.fileId),
  ),
]

export const handler = serve(routes)
