import * as Checkpoint from "#core/checkpoint.ts"
import * as Protocol from "#core/protocol.ts"
import { runRoute } from "#functions/http/route.ts"
import { serve } from "#functions/http/serve.ts"

export const routes = [
  runRoute(
    "POST /agent/tasks/{run_id}/checkpoints/prepare",
    {
      summary: "Ask where to put parts of a checkpoint",
      body: Protocol.PrepareCheckpoint,
      returns: [200, Protocol.PreparedCheckpoint],
      problems: ["foreign_run", "lease_lost", "checkpoint_quota_exceeded"],
    },
    ({ run, body }) => Checkpoint.prepare(run, body),
  ),
  runRoute(
    "POST /agent/tasks/{run_id}/checkpoints/commit",
    {
      summary: "Make what was stored the task's latest checkpoint",
      body: Protocol.CommitCheckpoint,
      returns: [200, Protocol.CommittedCheckpoint],
      problems: ["foreign_run", "lease_lost", "conflict", "upload_incomplete", "checkpoint_quota_exceeded"],
    },
    ({ run, body }) => Checkpoint.commit(run, body),
  ),
  runRoute(
    "POST /agent/tasks/{run_id}/checkpoints/addresses",
    {
      summary: "Ask from where to read parts of the latest checkpoint",
      body: Protocol.ReadCheckpoint,
      returns: [200, Protocol.CheckpointAddresses],
      problems: ["foreign_run", "lease_lost", "not_found"],
    },
    ({ run, body }) => Checkpoint.addresses(run, body),
  ),
]

export const handler = serve(routes)
