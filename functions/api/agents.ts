import * as z from "zod"
import * as Agent from "#core/agent.ts"
import * as Page from "#core/page.ts"
import * as Standard from "#core/standard.ts"
import * as Version from "#core/version.ts"
import { route } from "#functions/http/route.ts"
import { serve } from "#functions/http/serve.ts"

const page = z.strictObject(Page.query())

export const routes = [
  route(
    "GET /agents",
    {
      summary: "List agents",
      description: "One's own that are not archived, newest first; then the standard ones.",
      query: page,
      returns: [200, Agent.Listed],
    },
    ({ accountId, query }) => Agent.list(accountId, query),
  ),
  route(
    "POST /agents",
    { summary: "Make an agent", body: Agent.Create, returns: [201, Agent.View], problems: ["conflict"] },
    ({ accountId, body }) => Agent.create(accountId, body),
  ),
  route(
    "GET /agents/{agentId}",
    { summary: "Read an agent", returns: [200, Agent.View], problems: ["agent_not_found"] },
    ({ accountId, path }) => Agent.get(accountId, path.agentId),
  ),
  route(
    "PATCH /agents/{agentId}",
    {
      summary: "Change an agent",
      description:
        "A change of what is run makes a new version; name and description change in place. Running tasks notice nothing.",
      body: Agent.Update,
      returns: [200, Agent.View],
      problems: ["agent_not_found", "conflict"],
    },
    ({ accountId, path, body }) => Agent.update(accountId, path.agentId, body),
  ),
  route(
    "DELETE /agents/{agentId}",
    {
      summary: "Archive an agent",
      description: "It leaves the list and takes no new tasks; what runs goes on, and it can still be read.",
      returns: [204, null],
      problems: ["agent_not_found"],
    },
    ({ accountId, path }) => Agent.archive(accountId, path.agentId),
  ),
  route(
    "POST /agents/{agentId}/fork",
    {
      summary: "Fork a standard agent",
      description: "Makes one of your own of it, with everything that it has now.",
      body: Standard.Fork,
      returns: [201, Agent.View],
      problems: ["agent_not_found", "not_standard", "conflict"],
    },
    ({ accountId, path, body }) => Agent.fork(accountId, path.agentId, body),
  ),
  route(
    "GET /agents/{agentId}/versions",
    {
      summary: "List the versions of an agent",
      description: "Newest first.",
      query: page,
      returns: [200, Version.Listed],
      problems: ["agent_not_found"],
    },
    ({ accountId, path, query }) => Agent.versions(accountId, path.agentId, query),
  ),
  route(
    "GET /agents/{agentId}/versions/{versionId}",
    { summary: "Read a version of an agent", returns: [200, Version.View], problems: ["agent_not_found", "version_not_found"] },
    ({ accountId, path }) => Agent.version(accountId, path.agentId, path.versionId),
  ),
]

export const handler = serve(routes)
