import { z } from "zod"

/**
 * What a running container and the API say to each other, under `/api/agent`. The daemon of the task image and the functions in
 * `functions/agent` both import this file and nothing else of each other.
 *
 * A container proves itself twice: with the claim token from its environment when it claims its run, and from then on with a
 * run token that it made itself, of which the API has only the hash. Both go into `Authorization: Bearer`.
 */

/** How often the daemon renews its lease, and how long it may fail to before it must stop the agent. */
export const heartbeatSeconds = 30
export const leaseSeconds = 120

/** Most lines, and most bytes of JSON, in one batch of log lines. The daemon splits what is longer. */
export const logBatchLines = 200
export const logBatchBytes = 100_000
/** A longer line is cut, with a mark that says so. */
export const logLineCharacters = 8_000

/** A longer final answer is cut, with a mark that says so. */
export const resultCharacters = 100_000
export const errorCharacters = 1_000

const when = z.iso.datetime()
const seconds = z.number().positive()

export const OutputPolicy = z.discriminatedUnion("mode", [
  z.object({ mode: z.enum(["any", "none", "at_least_one"]) }),
  z.object({ mode: z.literal("named"), files: z.array(z.object({ name: z.string(), description: z.string().optional() })) }),
])

/** The right to act for a run, until `lease_until` or the next heartbeat. */
export const Lease = z
  .object({
    run_id: z.string(),
    task_id: z.string(),
    status: z.enum(["claimed", "completed", "failed", "lost"]),
    claim_token_hash: z.string(),
    heartbeat_at: when,
    lease_until: when,
  })
  .meta({ id: "Lease" })

const File = z.object({ id: z.string(), filename: z.string(), size_bytes: z.number().nullable() })

/** Everything a container needs to know to do its work. Never a secret of ours. */
export const Bundle = z
  .object({
    agent: z.object({ id: z.string(), name: z.string(), version_id: z.string() }),
    base_prompt: z.string(),
    instructions: z.string(),
    turn_number: z.int(),
    execution: z.object({ provider: z.enum(["anthropic", "openrouter", "openai"]), model: z.string(), weak_model: z.string() }),
    limits: z.object({
      max_runtime_seconds: seconds,
      max_runtime_per_turn_seconds: seconds.nullable(),
      soft_finish_after_seconds: seconds.nullable(),
      /** The agent is stopped when the model has said nothing for so long. */
      model_idle_seconds: seconds,
    }),
    output_policy: OutputPolicy,
    input_files: z.array(File),
    reference_files: z.array(File),
  })
  .meta({ id: "Bundle" })

export const ClaimNext = z
  .strictObject({
    /** SHA-256 in hexadecimal of the run token that the container made. */
    run_token_hash: z.string().regex(/^[0-9a-f]{64}$/),
  })
  .meta({ id: "ClaimNext", example: { run_token_hash: "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8" } })

export const Claim = z
  .object({
    claim: z.object({
      lease: Lease,
      run: z.object({ id: z.string(), task_id: z.string(), attempt: z.int(), claimed_at: when }),
      task: z.object({ id: z.string(), title: z.string(), status: z.string() }),
      bundle: Bundle,
    }),
  })
  .meta({ id: "Claim" })

export const Heartbeat = z.strictObject({}).meta({ id: "Heartbeat", example: {} })

/** What the container should know by now. `cancel`: stop the agent, save what is there, then `fail`. */
export const Signal = z.object({ kind: z.enum(["cancel"]) }).meta({ id: "RunSignal" })

export const Beat = z
  .object({
    lease: Lease,
    signals: z.array(Signal),
    /** Seconds until the total runtime limit, counted from the claim. */
    time_left_seconds: z.number(),
  })
  .meta({ id: "Beat" })

export const LogLine = z.strictObject({
  source: z.enum(["daemon", "agent_stdout", "agent_stderr"]),
  message: z.string().max(logLineCharacters + 100),
  created_at: when,
})

/** One batch. The same `sequence` sent again is the same batch: nothing is doubled. */
export const AppendLogs = z
  .strictObject({
    sequence: z.int().min(1).max(99_999_999),
    lines: z
      .array(LogLine)
      .min(1)
      .max(logBatchLines)
      // A batch is one row of the table, which holds no more than 400 KB.
      .refine((lines) => Buffer.byteLength(JSON.stringify(lines)) <= logBatchBytes, `At most ${logBatchBytes} bytes of JSON`),
  })
  .meta({
    id: "AppendLogs",
    example: {
      sequence: 1,
      lines: [{ source: "daemon", message: "Workspace is ready", created_at: "2026-11-22T12:00:00.000Z" }],
    },
  })

/**
 * What the models have cost so far in this run, in US dollars, by the agent runtime's price list. Always the total, never the
 * difference, so that it may be sent twice. Tokens are not in here: the model gateway counts them itself.
 */
export const ReportUsage = z
  .strictObject({ cost_usd: z.number().min(0).max(1_000_000) })
  .meta({ id: "ReportUsage", example: { cost_usd: 0.0123 } })

/** Asks where to put the body of a model request that is too large to come with the request. */
export const PrepareModelRequest = z
  .strictObject({ size_bytes: z.int().min(1) })
  .meta({ id: "PrepareModelRequest", example: { size_bytes: 6_000_000 } })

export const PreparedModelRequest = z
  .object({
    /** Goes into the request to the model gateway as the header `storedRequestHeader`, in place of a body. Good for a day. */
    request_id: z.string(),
    upload_url: z.string(),
    method: z.literal("PUT"),
    headers: z.record(z.string(), z.string()),
  })
  .meta({ id: "PreparedModelRequest" })

export const storedRequestHeader = "x-dormouse-stored-request"

export const Accepted = z.object({ accepted: z.literal(true) }).meta({ id: "Accepted" })

/** Path below `output/`, with forward slashes. */
export const PrepareOutput = z
  .strictObject({
    filename: z.string().min(1).max(1024),
    size_bytes: z
      .int()
      .min(0)
      .max(5 * 1024 ** 3),
    content_type: z.string().max(255).optional(),
    /** Name of the output policy that this file answers to, if any. */
    output_name: z.string().max(255).nullable(),
  })
  .meta({ id: "PrepareOutput", example: { filename: "report.md", size_bytes: 12, output_name: null } })

export const PreparedOutput = z
  .object({
    file_id: z.string(),
    upload_url: z.string(),
    method: z.literal("PUT"),
    headers: z.record(z.string(), z.string()),
  })
  .meta({ id: "PreparedOutput" })

/** Same body as `PrepareOutput`, once the bytes are there: the file becomes visible. */
export const CompleteOutput = PrepareOutput.meta({
  id: "CompleteOutput",
  example: { filename: "report.md", size_bytes: 12, output_name: null },
})

export const Complete = z
  .strictObject({
    result: z
      .string()
      .max(resultCharacters + 100)
      .nullable(),
  })
  .meta({ id: "Complete", example: { result: "The report is in report.md." } })

export const Fail = z
  .strictObject({
    error: z.string().min(1).max(errorCharacters),
    result: z
      .string()
      .max(resultCharacters + 100)
      .nullish(),
  })
  .meta({ id: "Fail", example: { error: "The model provider refused the API key (401)." } })

/** The answer to `complete` and `fail`. Sent again after the run has ended the same way, they answer the same. */
export const Ended = z.object({ lease: Lease }).meta({ id: "Ended" })

/** A short-lived address to read an input or reference file from; ask just before use. */
export const FileAddress = z.object({ url: z.string() }).meta({ id: "FileAddress" })
