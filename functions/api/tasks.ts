import * as z from "zod"
import * as Cancellation from "#core/cancellation.ts"
import * as Dispatch from "#core/dispatch.ts"
import { limits } from "#core/limits.ts"
import * as Log from "#core/log.ts"
import * as Page from "#core/page.ts"
import { logPauseSeconds } from "#core/protocol.ts"
import * as Task from "#core/task.ts"
import * as TaskList from "#core/task-list.ts"
import * as TaskRemoval from "#core/task-removal.ts"
import * as Wake from "#core/wake.ts"
import { route } from "#functions/http/route.ts"
import { serve } from "#functions/http/serve.ts"

export const routes = [
  route(
    "GET /agents/{agentId}/tasks",
    {
      summary: "List the tasks of an agent",
      description: "Newest first.",
      query: Task.ListQuery,
      returns: [200, Task.Listed],
      problems: ["agent_not_found"],
    },
    ({ accountId, path, query }) => Task.list(accountId, path.agentId, query),
  ),
  route(
    "POST /agents/{agentId}/tasks",
    {
      summary: "Give an agent a task",
      description: "The task is pending until its container has started. Credit is held back until its cost is known.",
      body: Dispatch.Create,
      returns: [201, Task.View],
      problems: [
        "agent_not_found",
        "version_not_found",
        "agent_archived",
        "insufficient_credit",
        "internet_access_required",
        "conflict",
      ],
    },
    ({ accountId, path, body }) => Dispatch.dispatch(accountId, path.agentId, body),
  ),
  route(
    "GET /tasks",
    {
      summary: "List the tasks of all agents",
      description: "Newest first.",
      query: TaskList.Query,
      returns: [200, Task.Listed],
    },
    ({ accountId, query }) => TaskList.list(accountId, query),
  ),
  route(
    "GET /tasks/{taskId}",
    { summary: "Read a task", returns: [200, Task.View], problems: ["task_not_found"] },
    ({ accountId, path }) => Task.get(accountId, path.taskId),
  ),
  route(
    "POST /tasks/{taskId}/cancel",
    {
      summary: "Cancel a task",
      description:
        "A container at work is given two minutes to save what it has; until then the task is running. One that has ended stays as it is.",
      returns: [200, Task.View],
      problems: ["task_not_found", "conflict"],
    },
    ({ accountId, path }) => Cancellation.request(accountId, path.taskId),
  ),
  route(
    "POST /tasks/{taskId}/wake",
    {
      summary: "Wake a task that hibernates",
      body: Wake.Create,
      returns: [200, Task.View],
      problems: ["task_not_found", "not_hibernating", "waiting_for_credit", "conflict"],
    },
    ({ accountId, path, body }) => Wake.create(accountId, path.taskId, body),
  ),
  route(
    "DELETE /tasks/{taskId}",
    {
      summary: "Delete a task that has ended",
      description: "With its log, its events and its output files. What it cost stays in the account's books.",
      returns: [204, null],
      problems: ["task_not_found", "task_not_ended"],
    },
    ({ accountId, path }) => TaskRemoval.remove(accountId, path.taskId),
  ),
  route(
    "GET /tasks/{taskId}/logs",
    {
      summary: "Read the log of a task",
      description: `Newest line first. Of a task at work, lines appear within seconds while somebody reads them, and within ${logPauseSeconds.longest} seconds otherwise.`,
      query: z.strictObject(Page.query(limits.page.logs)),
      returns: [200, Log.Listed],
      problems: ["task_not_found"],
    },
    ({ accountId, path, query }) => Log.list(accountId, path.taskId, query),
  ),
]

export const handler = serve(routes)
