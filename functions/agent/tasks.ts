import * as Delta from "#core/delta.ts"
import * as Git from "#core/git.ts"
import * as ModelRequest from "#core/model-request.ts"
import * as Protocol from "#core/protocol.ts"
import * as Run from "#core/run.ts"
import * as Source from "#core/source.ts"
import * as Turn from "#core/turn.ts"
import { claimRoute, runRoute } from "#functions/http/route.ts"
import { serve } from "#functions/http/serve.ts"

export const routes = [
  claimRoute(
    "POST /agent/tasks/claim-next",
    {
      summary: "Take up the run that the claim token is for",
      body: Protocol.ClaimNext,
      returns: [200, Protocol.Claim],
      problems: ["run_not_found", "already_claimed", "lease_lost"],
    },
    ({ run, body }) => Run.claim(run, body),
  ),
  runRoute(
    "POST /agent/tasks/{run_id}/heartbeat",
    {
      summary: "Renew the lease",
      body: Protocol.Heartbeat,
      returns: [200, Protocol.Beat],
      problems: ["foreign_run", "lease_lost"],
    },
    ({ run }) => Run.heartbeat(run),
  ),
  runRoute(
    "POST /agent/tasks/{run_id}/logs",
    {
      summary: "Append log lines",
      description:
        "Renews the lease as well, where that was last done some time ago, and then answers what a heartbeat does. `is_followed` says whether somebody reads the log.",
      body: Protocol.AppendLogs,
      returns: [200, Protocol.AppendedLogs],
      problems: ["foreign_run", "run_not_found", "lease_lost"],
    },
    ({ run, body }) => Run.appendLogs(run, body),
  ),
  runRoute(
    "POST /agent/tasks/{run_id}/usage",
    {
      summary: "Report what the models cost so far",
      body: Protocol.ReportUsage,
      returns: [200, Protocol.Accepted],
      problems: ["foreign_run", "lease_lost"],
    },
    ({ run, body }) => Run.reportUsage(run, body),
  ),
  runRoute(
    "GET /agent/tasks/{run_id}/sources",
    {
      summary: "Read what to clone and what to install",
      description: "With the private keys for it: asked for just before use, and never handed on to the agent.",
      returns: [200, Git.Sources],
      problems: ["foreign_run", "run_not_found", "lease_lost"],
    },
    ({ run }) => Source.open(run),
  ),
  runRoute(
    "POST /agent/tasks/{run_id}/delta",
    {
      summary: "Show what the agent is saying at the moment",
      description: "For those who follow the conversation. What was said in the end is a message.",
      body: Protocol.SaySoFar,
      returns: [200, Protocol.SaidSoFar],
      problems: ["foreign_run", "run_not_found", "lease_lost"],
    },
    ({ run, body }) => Delta.put(run, body),
  ),
  runRoute(
    "POST /agent/tasks/{run_id}/model-requests",
    {
      summary: "Ask where to put the body of a large model request",
      description: "The request to the model gateway then names it by the header `x-dormouse-stored-request` and has no body.",
      body: Protocol.PrepareModelRequest,
      returns: [200, Protocol.PreparedModelRequest],
      problems: ["foreign_run", "run_not_found", "lease_lost", "payload_too_large"],
    },
    ({ run, body }) => ModelRequest.prepare(run, body),
  ),
  runRoute(
    "POST /agent/tasks/{run_id}/turns/complete",
    {
      summary: "End a turn of a conversation",
      description: "The container stays, and asks its channel for the next turn.",
      body: Protocol.CompleteTurn,
      returns: [200, Protocol.CompletedTurn],
      problems: ["foreign_run", "run_not_found", "lease_lost", "message_waiting", "conflict"],
    },
    ({ run, body }) => Turn.complete(run, body),
  ),
  runRoute(
    "POST /agent/tasks/{run_id}/release",
    {
      summary: "End the run: the task goes on with another container later",
      body: Protocol.Release,
      returns: [200, Protocol.Ended],
      problems: [
        "foreign_run",
        "run_not_found",
        "lease_lost",
        "message_waiting",
        "turn_running",
        "hibernation_disabled",
        "hibernation_in_conversation",
        "hibernation_too_long",
        "hibernation_in_the_past",
        "conflict",
      ],
    },
    ({ run, body }) => Run.release(run, body),
  ),
  runRoute(
    "POST /agent/tasks/{run_id}/complete",
    {
      summary: "End the run: the work is done",
      body: Protocol.Complete,
      returns: [200, Protocol.Ended],
      problems: ["foreign_run", "run_not_found", "lease_lost", "message_waiting", "conflict"],
    },
    ({ run, body }) => Run.complete(run, body),
  ),
  runRoute(
    "POST /agent/tasks/{run_id}/fail",
    {
      summary: "End the run: the work cannot be done",
      body: Protocol.Fail,
      returns: [200, Protocol.Ended],
      problems: ["foreign_run", "run_not_found", "lease_lost", "conflict"],
    },
    ({ run, body }) => Run.fail(run, body),
  ),
]

export const handler = serve(routes)
