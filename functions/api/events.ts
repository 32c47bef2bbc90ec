import * as TaskEvent from "#core/task-event.ts"
import { route } from "#functions/http/route.ts"
import { serve } from "#functions/http/serve.ts"

export const routes = [
  route(
    "GET /conversations/{taskId}/events",
    {
      summary: "List what happened to a conversation besides its messages",
      description: "Oldest first.",
      query: TaskEvent.ListQuery,
      returns: [200, TaskEvent.Listed],
      problems: ["task_not_found"],
    },
    ({ accountId, path, query }) => TaskEvent.list(accountId, path.taskId, query),
  ),
]

export const handler = serve(routes)
