import * as Conversation from "#core/conversation.ts"
import { route } from "#functions/http/route.ts"
import { serve } from "#functions/http/serve.ts"

export const routes = [
  route(
    "POST /agents/{agentId}/conversations",
    {
      summary: "Begin a conversation with an agent",
      description: "A task whose agent answers, waits for the next message, and goes on where it left off.",
      body: Conversation.Create,
      returns: [201, Conversation.Started],
      problems: [
        "agent_not_found",
        "version_not_found",
        "agent_archived",
        "insufficient_credit",
        "internet_access_required",
        "conflict",
      ],
    },
    ({ accountId, path, body }) => Conversation.create(accountId, path.agentId, body),
  ),
  route(
    "POST /conversations/{taskId}/autonomous",
    {
      summary: "Hand a conversation over to the agent, or take it back",
      body: Conversation.Autonomous,
      returns: [200, Conversation.Switched],
      problems: ["conversation_not_found", "task_ended", "conflict"],
    },
    ({ accountId, path, body }) => Conversation.setAutonomous(accountId, path.taskId, body),
  ),
]

export const handler = serve(routes)
