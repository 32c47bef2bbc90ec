import * as z from "zod"

export * from "./protocol-checkpoint.ts"

/**
 * What a running container and the API say to each other, under `/api/agent`. The daemon of the task image and the functions in
 * `functions/agent` both import this file and nothing else of each other; what it says of checkpoints is a file of its own, and
 * so is what git may be given.
 *
 * A container proves itself twice: with the claim token from its environment when it claims its run, and from then on with a
 * run token that it made itself, of which the API has only the hash. Both go into `Authorization: Bearer`.
 */

/** How often the daemon renews its lease, and how long it may fail to before it must stop the agent. */
export const heartbeatSeconds = 30
export const leaseSeconds = 120
/**
 * A batch of log lines renews the lease as well, where the last renewal is this old. Renewing with a batch costs a quarter of a heartbeat,
 * so it is done well before one would be due: lines come when they come, and each that is let pass may be the last in time.
 */
export const renewalSeconds = 10
/** What the models of a run may be said to have cost. */
export const mostCostUsd = 1_000_000

/**
 * How often a container says at most what its models have cost so far, which nobody could say of one that is lost. An agent may have an
 * answer every few seconds, and each time is a request.
 */
export const usagePauseSeconds = 120

/**
 * Shortest and longest that the daemon lets go by from one answer of the API to its next batch of log lines. The shortest is for those that
 * somebody reads. The longest is shorter than a heartbeat's, so that what is said renews the lease and no heartbeat is needed beside it.
 */
export const logPauseSeconds = { shortest: 1, longest: 25 }

/** Most lines, and most bytes of JSON, in one batch of log lines. The daemon splits what is longer. */
export const logBatchLines = 200
export const logBatchBytes = 100_000
/** A longer line is cut, with a mark that says so. */
export const logLineCharacters = 8_000

/** A longer final answer is cut, with a mark that says so. */
export const resultCharacters = 100_000
export const errorCharacters = 1_000

/** Most of a running turn's text that is shown while it is being said. */
export const deltaCharacters = 32_000

/** What the agent says to a person in one turn, in one message or a few. A longer one is cut, with a mark that says so. */
export const messageCharacters = 100_000
export const turnMessages = 10

/** Longest that one `recv` waits, in seconds. */
export const receiveSeconds = 20

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
    /** `released`: the container let go of the run, and the task goes on with another one when its time comes. */
    status: z.enum(["claimed", "completed", "failed", "released", "lost"]),
    claim_token_hash: z.string(),
    heartbeat_at: when,
    lease_until: when,
  })
  .meta({ id: "Lease" })

const File = z.object({ id: z.string(), filename: z.string(), size_bytes: z.number().nullable() })

const Mode = z.enum(["autonomous", "conversation"])

/** What a person said. `sequence` counts the messages of the whole conversation, so that "what came after" has one meaning. */
export const TurnMessage = z
  .object({ id: z.string(), sequence: z.int(), content: z.string(), files: z.array(File), created_at: when })
  .meta({ id: "TurnMessage" })

/**
 * A turn of the agent. A one-shot task is one turn without messages. In a conversation it ends with `turns/complete`; in autonomous mode it
 * ends with `complete`, which is the end of the task, and what a person says meanwhile steers it. An autonomous turn without messages
 * is the agent's own: it was told to take over.
 */
export const Turn = z.object({ number: z.int(), mode: Mode, messages: z.array(TurnMessage) }).meta({ id: "Turn" })

/**
 * Why a task that slept is awake. `cycle` counts its sleeps: who has a newer checkpoint than the wake of its cycle has been told already.
 * `credit`: it was paused because the account had no credit, and has some again.
 */
export const Wake = z
  .object({
    cycle: z.int(),
    reason: z.enum(["message", "external_wake", "time", "credit"]),
    message: z.string().nullable(),
    slept_seconds: z.number(),
  })
  .meta({ id: "Wake" })

/** What the agent may ask for by its tool. `release` enforces the same. */
export const HibernationLimits = z
  .object({
    enabled: z.boolean(),
    /** Longest single sleep. */
    cycle_seconds: z.number(),
    /** What is left of the longest sleep in total. */
    left_seconds: z.number(),
  })
  .meta({ id: "HibernationLimits" })

/** Everything a container needs to know to do its work. Never a secret of ours. */
export const Bundle = z
  .object({
    agent: z.object({ id: z.string(), name: z.string(), version_id: z.string() }),
    base_prompt: z.string(),
    instructions: z.string(),
    /** The turn to be done. After a lost attempt it is the same again: what a restored checkpoint knows of it already need not be said twice. */
    turn: Turn,
    /** Set when the task slept before this run. */
    wake: Wake.nullable(),
    /** The id for `recv`. */
    channel: z.string(),
    /**
     * How long to stay for the next message after a turn, and how long in all the turns of this run: then `release`. Waiting costs the
     * customer nothing.
     */
    warm: z.object({ turn_seconds: seconds, run_seconds: seconds }),
    execution: z.object({ provider: z.enum(["anthropic", "openrouter", "openai"]), model: z.string(), weak_model: z.string() }),
    limits: z.object({
      max_runtime_seconds: seconds,
      max_runtime_per_turn_seconds: seconds.nullable(),
      soft_finish_after_seconds: seconds.nullable(),
      /** The agent is stopped when the model has said nothing for so long. */
      model_idle_seconds: seconds,
      hibernation: HibernationLimits,
    }),
    /** Seconds until the total runtime limit, counted from the claim on. What earlier runs have used is gone. */
    time_left_seconds: z.number(),
    output_policy: OutputPolicy,
    input_files: z.array(File),
    reference_files: z.array(File),
    /** The latest checkpoint: the names of its segments, the oldest first. Null where the task starts from nothing. */
    checkpoint: z.object({ segments: z.array(z.string()) }).nullable(),
    has_sources: z.boolean().describe("Whether there is something to clone or to install."),
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

/**
 * What the container should know by now, said again until it has followed.
 * - `cancel`: stop the agent, save what is there, then `fail`. Whatever is reported instead, the task ends as cancelled.
 * - `message`: a person has said something to an agent that works by itself, up to the message of that `sequence`: see `recv`.
 * - `pause`: the credit is used up. Stop the agent, save a checkpoint, then `release` with `pause`.
 */
const kinds = ["cancel", "message", "pause"] as const
export const Signal = z.object({ kind: z.enum(kinds), sequence: z.int().optional() }).meta({ id: "RunSignal" })

/** Somebody follows the conversation or reads the log, or did a minute ago. Nobody knows where it is not said. */
const isFollowed = z.boolean().optional()

/** What a container hears each time that its lease is renewed: by a heartbeat, or by a batch of log lines. */
export const Beat = z
  .object({
    lease: Lease,
    signals: z.array(Signal),
    /** As the task stands now: a person may hand a conversation over to the agent, and take it back. */
    mode: Mode,
    /** Seconds until the total runtime limit. Those of earlier turns are counted, those of waiting and of lost attempts are not. */
    time_left_seconds: z.number(),
    is_followed: isFollowed,
  })
  .meta({ id: "Beat" })

/**
 * Asks for what the container does not know yet, and waits for it for up to `wait` seconds. `turn` and `after` say what it knows: the
 * number of its latest turn and the sequence of its latest message. The same question gets the same answer, so one that was lost can be
 * asked again.
 */
export const Receive = z.strictObject({
  wait: z.coerce.number().min(0).max(receiveSeconds).default(0),
  turn: z.coerce.number().int().min(0).default(0),
  after: z.coerce.number().int().min(0).default(0),
})

export const Received = z
  .object({
    /** The current turn with its messages after `after`, where there are any or its number is above `turn`: then it has just begun. */
    turn: Turn.nullable(),
    signals: z.array(Signal),
  })
  .meta({ id: "Received" })

/** What the agent said to the person, with what it took to say it. Cost in US dollars, by the agent runtime's price list. */
export const AgentMessage = z.strictObject({
  content: z.string().max(messageCharacters + 100),
  usage: z.strictObject({
    input_tokens: z.int().min(0),
    output_tokens: z.int().min(0),
    cache_read_tokens: z.int().min(0),
    cache_write_tokens: z.int().min(0),
  }),
  cost_usd: z.number().min(0).max(mostCostUsd),
})

/** Stored in the same write as the end that they come with, so that a turn which is done again says nothing twice. */
const messages = z.array(AgentMessage).max(turnMessages).default([])

/**
 * Sequence of the latest message that the agent has been told of. Where a person wrote another one meanwhile, the end is refused with
 * `message_waiting`: go on with `recv`. Where that has nothing more in this turn, the message was queued before the agent took over:
 * end the turn, and the next one has it.
 */
const told = z.int().min(0)
const after = told.default(0)

const usage = { input_tokens: 1_200, output_tokens: 80, cache_read_tokens: 0, cache_write_tokens: 0 }

/**
 * The turn of a conversation is done, its outputs and its checkpoint are stored. Sent again, it answers the same. Then `recv` for the
 * next one, and `release` when none comes. Left out, `after` is the latest message: nothing waits.
 */
export const CompleteTurn = z.strictObject({ turn_number: z.int().min(1), messages, after: told.optional() }).meta({
  id: "CompleteTurn",
  example: { turn_number: 1, messages: [{ content: "Which colour?", usage, cost_usd: 0.0042 }] },
})

export const CompletedTurn = z
  .object({
    lease: Lease,
    /** Whether the next turn is there already: a message came meanwhile, or the agent was told to take over. */
    has_next_turn: z.boolean(),
  })
  .meta({ id: "CompletedTurn" })

/**
 * Lets go of the run with its checkpoint stored; the container ends. Sent again, it answers the same.
 * - `await_input`: refused with `message_waiting` where the next turn is there: go on with `recv`.
 * - `hibernate`: in autonomous mode, for as long as the limits allow; refused with a `hibernation_…` problem whose words are for the agent.
 * - `pause`: after the signal of that name.
 */
export const Release = z
  .discriminatedUnion("to", [
    z.strictObject({ to: z.literal("await_input") }),
    z.strictObject({ to: z.literal("hibernate"), until: when, reason: z.string().trim().min(1).max(1_000), messages, after }),
    z.strictObject({ to: z.literal("pause"), messages }),
  ])
  .meta({
    id: "Release",
    example: { to: "hibernate", until: "2026-12-24T12:00:00.000Z", reason: "Waiting for the approval of the release." },
  })

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

/** `beat` is there where the batch has renewed the lease as well: then no heartbeat is due for the ordinary time. */
export const AppendedLogs = z
  .object({ accepted: z.literal(true), is_followed: isFollowed, beat: Beat.optional() })
  .meta({ id: "AppendedLogs" })

/**
 * What the models have cost so far in this run, in US dollars, by the agent runtime's price list. Always the total, never the
 * difference, so that it may be sent twice. Tokens are not in here: the model gateway counts them itself.
 */
export const ReportUsage = z
  .strictObject({ cost_usd: z.number().min(0).max(mostCostUsd) })
  .meta({ id: "ReportUsage", example: { cost_usd: 0.0123 } })

/**
 * All that the agent has said in its turn since its last message, at most once a second, and where nobody follows hardly ever. A long text
 * is cut at its beginning.
 */
export const SaySoFar = z
  .strictObject({ turn_number: z.int().min(1), text: z.string().min(1).max(deltaCharacters) })
  .meta({ id: "SaySoFar", example: { turn_number: 1, text: "In November there are" } })

export const SaidSoFar = z.object({ accepted: z.literal(true), is_followed: isFollowed }).meta({ id: "SaidSoFar" })

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
    messages,
    after,
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

/** The answer to `complete`, `fail` and `release`. Sent again after the run has ended the same way, they answer the same. */
export const Ended = z.object({ lease: Lease }).meta({ id: "Ended" })

/** A short-lived address to read an input or reference file from; ask just before use. */
export const FileAddress = z.object({ url: z.string() }).meta({ id: "FileAddress" })
