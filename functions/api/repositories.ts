import * as z from "zod"
import * as Agent from "#core/agent.ts"
import * as Attachment from "#core/attachment.ts"
import * as Page from "#core/page.ts"
import * as Repository from "#core/repository.ts"
import { route } from "#functions/http/route.ts"
import { serve } from "#functions/http/serve.ts"

const page = z.strictObject(Page.query())

export const routes = [
  route(
    "GET /repositories",
    { summary: "List repositories", description: "Newest first.", query: page, returns: [200, Repository.Listed] },
    ({ accountId, query }) => Repository.list(accountId, query),
  ),
  route(
    "POST /repositories",
    {
      summary: "Add a repository",
      description: "Agents and tasks can mount it from then on. It is cloned when a container starts, and not before.",
      body: Repository.Create,
      returns: [201, Repository.View],
      problems: ["conflict"],
    },
    ({ accountId, body }) => Repository.create(accountId, body),
  ),
  route(
    "DELETE /repositories/{repositoryId}",
    {
      summary: "Delete a repository",
      description: "Refused while the current version of an agent mounts it. Tasks that have it already keep it.",
      returns: [204, null],
      problems: ["repository_not_found", "repository_in_use", "conflict"],
    },
    ({ accountId, path }) => Repository.remove(accountId, path.repositoryId),
  ),
  route(
    "GET /agents/{agentId}/repositories",
    {
      summary: "List the repositories of an agent",
      description: "What its current version mounts, by mounting point.",
      query: page,
      returns: [200, Attachment.Listed],
      problems: ["agent_not_found"],
    },
    ({ accountId, path, query }) => Attachment.list(accountId, path.agentId, query),
  ),
  route(
    "POST /agents/{agentId}/repositories",
    {
      summary: "Mount repositories in an agent's workspace",
      description: "Makes a new version of the agent. Tasks that were dispatched before notice nothing.",
      body: Attachment.Attach,
      returns: [200, Agent.View],
      problems: ["agent_not_found", "agent_archived", "conflict"],
    },
    ({ accountId, path, body }) => Attachment.attach(accountId, path.agentId, body),
  ),
  route(
    "DELETE /agents/{agentId}/repositories/{repositoryId}",
    {
      summary: "Take a repository out of an agent's workspace",
      description: "From one mounting point, in a new version of the agent.",
      query: Attachment.DetachQuery,
      returns: [204, null],
      problems: ["agent_not_found", "repository_not_attached", "agent_archived", "conflict"],
    },
    ({ accountId, path, query }) => Attachment.detach(accountId, path.agentId, path.repositoryId, query),
  ),
  route(
    "GET /conversations/{taskId}/repositories",
    {
      summary: "List the repositories of a conversation",
      description:
        "What it was begun with and what was mounted in it since, by mounting point; its agent's are not among them. A repository that was deleted is still cloned, and shown as it was known when it was mounted, without keys.",
      query: page,
      returns: [200, Attachment.Listed],
      problems: ["conversation_not_found"],
    },
    ({ accountId, path, query }) => Attachment.listOfConversation(accountId, path.taskId, query),
  ),
  route(
    "POST /conversations/{taskId}/repositories",
    {
      summary: "Mount repositories in a conversation's workspace",
      description: "They are cloned before its next turn. Nothing else happens: it is neither woken nor interrupted.",
      body: Attachment.Attach,
      returns: [201, Attachment.Attached],
      problems: ["conversation_not_found", "task_ended", "conflict"],
    },
    ({ accountId, path, body }) => Attachment.attachToConversation(accountId, path.taskId, body),
  ),
  route(
    "GET /ssh-keys/{sshKeyId}/repositories",
    {
      summary: "List the repositories that an SSH key opens",
      description: "Newest first.",
      query: page,
      returns: [200, Repository.Listed],
      problems: ["ssh_key_not_found"],
    },
    ({ accountId, path, query }) => Repository.ofKey(accountId, path.sshKeyId, query),
  ),
  route(
    "POST /ssh-keys/{sshKeyId}/repositories",
    {
      summary: "Let an SSH key open a repository",
      body: Repository.AttachKey,
      returns: [200, Repository.View],
      problems: ["ssh_key_not_found", "repository_not_found", "conflict"],
    },
    ({ accountId, path, body }) => Repository.attachKey(accountId, path.sshKeyId, body),
  ),
  route(
    "DELETE /ssh-keys/{sshKeyId}/repositories/{repositoryId}",
    {
      summary: "Take an SSH key from a repository",
      returns: [204, null],
      problems: ["ssh_key_not_found", "repository_not_attached"],
    },
    ({ accountId, path }) => Repository.detachKey(accountId, path.sshKeyId, path.repositoryId),
  ),
]

export const handler = serve(routes)
