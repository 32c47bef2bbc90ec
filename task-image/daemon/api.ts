import { z } from "zod"
import { Sources } from "../../core/git.ts"
import type {
  AppendLogs,
  ClaimNext,
  Complete,
  Fail,
  PrepareModelRequest,
  PrepareOutput,
  ReportUsage,
} from "../../core/protocol.ts"
import { Accepted, Beat, Claim, Ended, FileAddress, PreparedModelRequest, PreparedOutput } from "../../core/protocol.ts"
import { persist, readAll, send, withTimeout } from "./http.ts"

export type Claimed = z.infer<typeof Claim>["claim"]
export type Bundle = Claimed["bundle"]

/** The API answered, but not with what was asked for. */
export class Refused extends Error {
  override name = "Refused"
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }

  /** Later the same request may succeed. */
  get isPassing() {
    return this.status === 429 || this.status >= 500
  }

  /** The run is no longer ours: its token is revoked, or another attempt has taken it over. */
  get isLost() {
    return this.status === 401 || this.status === 409
  }
}

/** No answer at all, or one that may be another in a moment. */
const isPassing = (error: unknown) => !(error instanceof Refused) || error.isPassing

/** A client of the agent API. What is sent may be sent twice: every call says the same again. */
export const createApi = (base: string, token: string) => {
  const once = <T>(answer: z.ZodType<T>, method: string, path: string, body?: object) =>
    withTimeout(60, async (signal): Promise<T> => {
      const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" }
      const bytes = body && Buffer.from(JSON.stringify(body))
      const length = bytes && { "content-length": String(bytes.length) }
      const response = await send(new URL(base + path), { method, headers: { ...headers, ...length }, body: bytes, signal })
      const text = (await readAll(response)).toString("utf8")
      const status = response.statusCode ?? 0
      if (status < 200 || status > 299) throw new Refused(status, messageOf(text) ?? `The API answered ${status}`)
      const parsed = answer.safeParse(parseJson(text))
      if (!parsed.success) throw new Refused(status, `The API's answer to ${method} ${path} is not what was agreed`)
      return parsed.data
    })
  const call: typeof once = (...request) => persist(() => once(...request), isPassing)
  const of = (runId: string) => `/agent/tasks/${encodeURIComponent(runId)}`

  return {
    claim: (body: z.infer<typeof ClaimNext>) => call(Claim, "POST", "/agent/tasks/claim-next", body),
    /** Not repeated: who holds the lease decides when to try again. */
    beat: (runId: string) => once(Beat, "POST", `${of(runId)}/heartbeat`, {}),
    logs: (runId: string, body: z.infer<typeof AppendLogs>) => call(Accepted, "POST", `${of(runId)}/logs`, body),
    usage: (runId: string, body: z.infer<typeof ReportUsage>) => call(Accepted, "POST", `${of(runId)}/usage`, body),
    prepareOutput: (runId: string, body: z.infer<typeof PrepareOutput>) =>
      call(PreparedOutput, "POST", `${of(runId)}/outputs/prepare`, body),
    completeOutput: (runId: string, body: z.infer<typeof PrepareOutput>) =>
      call(z.unknown(), "POST", `${of(runId)}/outputs/complete`, body),
    /** Not repeated: the model proxy decides when to ask again. */
    prepareModelRequest: (runId: string, body: z.infer<typeof PrepareModelRequest>) =>
      once(PreparedModelRequest, "POST", `${of(runId)}/model-requests`, body),
    sources: (runId: string) => call(Sources, "GET", `${of(runId)}/sources`),
    fileAddress: (runId: string, fileId: string) => call(FileAddress, "GET", `${of(runId)}/files/${encodeURIComponent(fileId)}`),
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
