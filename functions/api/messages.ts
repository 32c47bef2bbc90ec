import * as Conversation from "#core/conversation.ts"
import * as Message from "#core/message.ts"
import { route } from "#functions/http/route.ts"
import { serve } from "#functions/http/serve.ts"

export const routes = [
  route(
    "GET /conversations/{taskId}/messages",
    {
      summary: "List the messages of a conversation",
      query: Message.ListQuery,
      returns: [200, Message.Listed],
      problems: ["conversation_not_found"],
    },
    ({ accountId, path, query }) => Message.list(accountId, path.taskId, query),
  ),
  route(
    "POST /conversations/{taskId}/messages",
    {
      summary: "Send a message",
      description:
        "While a turn runs, messages wait for the next one; in autonomous mode they reach the agent at work. An agent that waits is woken.",
      body: Message.Create,
      returns: [200, Conversation.Started],
      problems: ["conversation_not_found", "task_ended", "conflict"],
    },
    ({ accountId, path, body }) => Conversation.say(accountId, path.taskId, body),
  ),
]

export const handler = serve(routes)
