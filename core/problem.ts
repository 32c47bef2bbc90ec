/** Every way a request can fail. The code is the contract; the words may improve. */
export const problems = {
  unauthorized: [401, "Invalid or missing API key."],
  insufficient_credit: [402, "The account's credit does not cover the reservation for a task."],
  foreign_run: [403, "This token belongs to another run."],
  not_found: [404, "There is no such resource."],
  account_not_found: [404, "There is no such account."],
  agent_not_found: [404, "There is no such agent."],
  version_not_found: [404, "The agent has no such version."],
  container_not_found: [404, "There is no such container."],
  container_version_not_found: [404, "The container has no such version."],
  task_not_found: [404, "There is no such task."],
  file_not_found: [404, "There is no such file."],
  conversation_not_found: [404, "There is no such conversation."],
  channel_not_found: [404, "This run has no such channel."],
  api_key_not_found: [404, "There is no such API key."],
  repository_not_found: [404, "There is no such repository."],
  repository_not_attached: [404, "The repository is not attached there."],
  ssh_key_not_found: [404, "There is no such SSH key."],
  webhook_not_found: [404, "There is no such webhook."],
  delivery_not_found: [404, "There is no such delivery."],
  run_not_found: [404, "There is no such run."],
  already_claimed: [409, "The run was claimed with another run token."],
  lease_lost: [409, "The run has ended or was given to another attempt."],
  message_waiting: [409, "A message has come that the agent has not seen yet. Receive it first."],
  turn_running: [409, "The turn is still running. Complete it first."],
  task_not_ended: [409, "The task has not ended. Cancel it first."],
  conflict: [409, "The resource was changed by somebody else at the same moment. Try again."],
  idempotency_in_progress: [409, "A request with this Idempotency-Key is still being carried out. Try again."],
  precondition_failed: [412, "The resource is not in the state that If-Match names. Read it again."],
  payload_too_large: [413, "The request is too large."],
  unsupported_media_type: [415, "Send the body as application/json."],
  range_not_satisfiable: [416, "The file has no bytes in the range that was asked for."],
  invalid_request: [422, "The request is not valid."],
  not_standard: [422, "Only what the stack provides can be forked."],
  idempotency_mismatch: [422, "This Idempotency-Key was used for another request."],
  agent_archived: [422, "An archived agent takes no new tasks, and nothing can be attached to it."],
  repository_in_use: [422, "An agent mounts this repository. Detach it from all agents first."],
  task_ended: [422, "The task has ended or is being cancelled."],
  not_hibernating: [422, "The task is not hibernating."],
  waiting_for_credit: [422, "The task is paused until its account has credit again."],
  hibernation_disabled: [422, "This task may not hibernate: hibernationEnabled is false. Finish the work, or fail and say why."],
  hibernation_in_conversation: [422, "A conversation does not hibernate: end the turn, and the next message wakes it."],
  hibernation_too_long: [422, "This task may not sleep that long. Choose a shorter time."],
  hibernation_in_the_past: [422, "The time to wake must be in the future."],
  internet_access_required: [422, "This stack has no isolated network, so a task with internetAccess false cannot run on it."],
  checkpoint_quota_exceeded: [
    422,
    "The account's checkpoint storage has no room for this. Let tasks end whose work is no longer needed, or keep less in the workspace.",
  ],
  upload_incomplete: [422, "The uploaded object is missing, or its size or checksum is not what was announced."],
  upload_expired: [422, "The upload was not completed in time. Prepare it again."],
  storage_quota_exceeded: [422, "The account's file storage has no room for this. Delete files that are no longer needed."],
  file_in_use: [422, "The file is a reference file of an agent's current version. Detach it there first."],
  model_not_allowed: [422, "The task may not use this model."],
  provider_key_missing: [422, "There is no API key for the model provider. Set one on the task, the agent or the account."],
  provider_unknown: [422, "There is no such model provider."],
  webhook_inactive: [422, "The webhook is turned off or deleted."],
  webhook_limit_reached: [422, "The account has as many webhooks as it may have. Delete one first."],
  rate_limited: [429, "Too many requests. Try again later."],
  too_many_streams: [429, "The account has as many open streams as it may. Close one, or try again in a few minutes."],
  internal: [500, "Something went wrong on our side."],
  provider_unreachable: [502, "The model provider could not be reached."],
  unavailable: [503, "The service is not available at the moment. Try again."],
} as const satisfies Record<string, readonly [status: number, message: string]>

export type ProblemCode = keyof typeof problems

/** Thrown by the domain, turned into the error envelope at the edge. `extra` goes beside code and message. */
export class Problem extends Error {
  readonly code: ProblemCode
  readonly extra: Record<string, unknown>

  constructor(code: ProblemCode, extra: Record<string, unknown> = {}) {
    super(problems[code][1])
    this.name = "Problem"
    this.code = code
    this.extra = extra
  }

  get status() {
    return problems[this.code][0]
  }
}

/** One bad field. `path` as in `defaults.maxRuntimeSeconds`. */
export const invalid = (path: string, message: string) => new Problem("invalid_request", { issues: [{ path, message }] })
