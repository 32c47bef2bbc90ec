import * as z from "zod"
import { Sources } from "../../core/git.ts"
import type {
  AppendLogs,
  ClaimNext,
  CommitCheckpoint,
  Complete,
  CompleteTurn,
  Fail,
  PrepareCheckpoint,
  PrepareModelRequest,
  PrepareOutput,
  ReadCheckpoint,
  Receive,
  Release,
  ReportUsage,
  SaySoFar,
} from "../../core/protocol.ts"
import {
  Accepted,
  AppendedLogs,
  Beat,
  CheckpointAddresses,
  Claim,
  CommittedCheckpoint,
  CompletedTurn,
  Ended,
  FileAddress,
  PreparedCheckpoint,
  PreparedModelRequest,
  PreparedOutput,
  Received,
  SaidSoFar,
} from "../../core/protocol.ts"
import { persist, readAll, send, withTimeout } from "./http.ts"

const { claim } = Claim.shape

/**
 * A claim as an API answers it that may be older than this container: it has promised what is left of the task's time to those that start
 * today, and one of yesterday's says it with the first renewal of the lease only.
 */
const AnyClaim = Claim.extend({ claim: claim.extend({ bundle: claim.shape.bundle.partial({ time_left_seconds: true }) }) })

export type Claimed = z.infer<typeof AnyClaim>["claim"]
export type Bundle = Claimed["bundle"]
export type Turn = Bundle["turn"]
export type AgentMessage = NonNullable<z.input<typeof CompleteTurn>["messages"]>[number]

/** Problems of a run that is still ours, though they are conflicts. */
const notLost = new Set<string | undefined>(["message_waiting", "turn_running", "conflict"])

/** The API answered, but not with what was asked for. */
export class Refused extends Error {
  override name = "Refused"
  readonly status: number
  /** The problem's code, where the API gave one. */
  readonly code: string | undefined

  constructor(status: number, message: string, code?: string) {
    super(message)
    this.status = status
    this.code = code
  }

  /** Later the same request may succeed. */
  get isPassing() {
    return this.status === 429 || this.status >= 500 || this.code === "conflict"
  }

  /** The run is no longer ours: its token is revoked, or another attempt has taken it over. */
  get isLost() {
    return this.status === 401 || (this.status === 409 && !notLost.has(this.code))
  }
}

/** No answer came. */
export class Unanswered extends Error {
  override name = "Unanswered"
  readonly isPassing = true
}

/** No answer at all, or one that may be another in a moment. */
export const isPassing = (error: unknown) => (error instanceof Unanswered || error instanceof Refused) && error.isPassing

/** The API answers nobody at the moment, and not only this call. */
export const isAway = (error: unknown) =>
  error instanceof Unanswered || (error instanceof Refused && [429, 503].includes(error.status))

/**
 * A client of the agent API. What is sent may be sent twice: every call says the same again. `onBeat` hears what comes with each renewal
 * of the lease, whichever answer brought it.
 */
export const createApi = (base: string, token: string, onBeat: (beat: z.infer<typeof Beat>) => void = () => undefined) => {
  const exchange = (method: string, path: string, body?: object) =>
    withTimeout(60, async (signal) => {
      const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" }
      const bytes = body && Buffer.from(JSON.stringify(body))
      const length = bytes && { "content-length": String(bytes.length) }
      const response = await send(new URL(base + path), { method, headers: { ...headers, ...length }, body: bytes, signal })
      return { status: response.statusCode ?? 0, text: (await readAll(response)).toString("utf8") }
    }).catch((error: unknown) => {
      throw new Unanswered(error instanceof Error ? error.message : String(error))
    })
  const once = async <T>(answer: z.ZodType<T>, method: string, path: string, body?: object): Promise<T> => {
    const { status, text } = await exchange(method, path, body)
    if (status < 200 || status > 299) throw new Refused(status, messageOf(text) ?? `The API answered ${status}`, codeOf(text))
    const parsed = answer.safeParse(parseJson(text))
    if (!parsed.success) throw new Refused(status, `The API's answer to ${method} ${path} is not what was agreed`)
    return parsed.data
  }
  const call: typeof once = (...request) => persist(() => once(...request), isPassing)
  const of = (runId: string) => `/agent/tasks/${encodeURIComponent(runId)}`
  const beat = async (runId: string) => {
    const answer = await once(Beat, "POST", `${of(runId)}/heartbeat`, {})
    onBeat(answer)
    return answer
  }

  return {
    claim: (body: z.infer<typeof ClaimNext>) => call(AnyClaim, "POST", "/agent/tasks/claim-next", body),
    /** Not repeated: who holds the lease decides when to try again. */
    beat,
    /** How the task stands, for what cannot go on before it knows. */
    stand: (runId: string) => persist(() => beat(runId), isPassing),
    logs: async (runId: string, body: z.infer<typeof AppendLogs>) => {
      const answer = await call(AppendedLogs, "POST", `${of(runId)}/logs`, body)
      if (answer.beat) onBeat(answer.beat)
      return answer
    },
    usage: (runId: string, body: z.infer<typeof ReportUsage>) => call(Accepted, "POST", `${of(runId)}/usage`, body),
    /** Not repeated: the next one says it all again. */
    usageSoFar: (runId: string, body: z.infer<typeof ReportUsage>) => once(Accepted, "POST", `${of(runId)}/usage`, body),
    /** Not repeated: the next one says it all again. */
    say: (runId: string, body: z.infer<typeof SaySoFar>) => once(SaidSoFar, "POST", `${of(runId)}/delta`, body),
    prepareOutput: (runId: string, body: z.infer<typeof PrepareOutput>) =>
      call(PreparedOutput, "POST", `${of(runId)}/outputs/prepare`, body),
    completeOutput: (runId: string, body: z.infer<typeof PrepareOutput>) =>
      call(z.unknown(), "POST", `${of(runId)}/outputs/complete`, body),
    /** Not repeated: the model proxy decides when to ask again. */
    prepareModelRequest: (runId: string, body: z.infer<typeof PrepareModelRequest>) =>
      once(PreparedModelRequest, "POST", `${of(runId)}/model-requests`, body),
    sources: (runId: string) => call(Sources, "GET", `${of(runId)}/sources`),
    fileAddress: (runId: string, fileId: string) => call(FileAddress, "GET", `${of(runId)}/files/${encodeURIComponent(fileId)}`),
    prepareCheckpoint: (runId: string, body: z.infer<typeof PrepareCheckpoint>) =>
      call(PreparedCheckpoint, "POST", `${of(runId)}/checkpoints/prepare`, body),
    commitCheckpoint: (runId: string, body: z.infer<typeof CommitCheckpoint>) =>
      call(CommittedCheckpoint, "POST", `${of(runId)}/checkpoints/commit`, body),
    checkpointAddresses: (runId: string, body: z.infer<typeof ReadCheckpoint>) =>
      call(CheckpointAddresses, "POST", `${of(runId)}/checkpoints/addresses`, body),
    receive: (channel: string, { wait, turn, after }: z.output<typeof Receive>) =>
      call(Received, "GET", `/agent/channels/${encodeURIComponent(channel)}/recv?wait=${wait}&turn=${turn}&after=${after}`),
    completeTurn: (runId: string, body: z.input<typeof CompleteTurn>) =>
      call(CompletedTurn, "POST", `${of(runId)}/turns/complete`, body),
    release: (runId: string, body: z.input<typeof Release>) => call(Ended, "POST", `${of(runId)}/release`, body),
    complete: (runId: string, body: z.input<typeof Complete>) => call(Ended, "POST", `${of(runId)}/complete`, body),
    fail: (runId: string, body: z.infer<typeof Fail>) => call(Ended, "POST", `${of(runId)}/fail`, body),
  }
}

export type Api = ReturnType<typeof createApi>

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The words of an error body, ours or a provider's. */
export const messageOf = (text: string): string | undefined => {
  const body = parseJson(text) as { error?: { message?: unknown } | string; message?: unknown } | undefined
  const message = typeof body?.error === "object" ? body.error?.message : (body?.error ?? body?.message)
  return typeof message === "string" && message ? message.slice(0, 500) : undefined
}

const codeOf = (text: string): string | undefined => {
  const body = parseJson(text) as { error?: { code?: unknown } } | undefined
  return typeof body?.error?.code === "string" ? body.error.code : undefined
}
