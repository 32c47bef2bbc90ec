import type { z } from "zod"
import { type Lease, leaseSeconds } from "./protocol.ts"
import type { RunRow } from "./run.entity.ts"

/** Until when a container may act that was heard of at this time. */
export const until = (heartbeatAt: string) => new Date(Date.parse(heartbeatAt) + leaseSeconds * 1000).toISOString()

export const view = (run: RunRow): z.infer<typeof Lease> => ({
  run_id: run.runId,
  task_id: run.taskId,
  status: run.status === "starting" ? "claimed" : run.status,
  claim_token_hash: run.tokenHash!,
  heartbeat_at: run.heartbeatAt!,
  lease_until: run.leaseUntil!,
})
