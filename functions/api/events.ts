import * as Stream from "#core/stream.ts"
import * as TaskEvent from "#core/task-event.ts"
import { route } from "#functions/http/route.ts"
import { serve } from "#functions/http/serve.ts"

export const routes = [
  route(
    "GET /conversations/{taskId}/events",
    {
      summary: "List what happened to a conversation besides its messages, or follow all of it",
      description:
        "Oldest first. With `stream=true` everything that happens, as it happens. A task that was not begun as a conversation may be followed as well: it sleeps and wakes.",
      query: TaskEvent.ListQuery,
      returns: [200, TaskEvent.Listed],
      problems: ["conversation_not_found", "too_many_streams"],
      streaming: true,
      eventStream: true,
    },
    ({ accountId, path, query, event }) => Stream.events(accountId, path.taskId, query, event.headers),
  ),
]

export const handler = serve(routes)
