import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import type { z } from "zod"
import type { Sources } from "../../core/git.ts"
import {
  AppendLogs,
  type Beat,
  ClaimNext,
  CommitCheckpoint,
  Complete,
  CompleteOutput,
  CompleteTurn,
  Fail,
  Heartbeat,
  type Lease,
  type LogLine,
  PrepareCheckpoint,
  PrepareModelRequest,
  PrepareOutput,
  ReadCheckpoint,
  Receive,
  type Received,
  Release,
  ReportUsage,
  renewalSeconds,
  SaySoFar,
  type Signal,
} from "../../core/protocol.ts"
import type { Bundle, Claimed } from "../daemon/api.ts"
import { readText, serveModels, serveObject, serveStore, sha256, tokenOf } from "./beside-api.ts"

export const claimToken = "claim-token-canary-5f1d"

type Output = z.infer<typeof PrepareOutput> & { text: string }

/** What a request may meet: a status instead of its answer, a lost connection, or an answer that is lost after the work is done. */
export type Trouble = number | "hangup" | "lost answer" | undefined

type Options = {
  runId: string
  bundle: Bundle
  now: () => Date
  modelUrl: string
  /** The contents of input and reference files, by id. */
  files?: Record<string, string>
  sources: z.infer<typeof Sources>
  /** What containers of the task have stored before. */
  objects?: Map<string, Buffer>
}

/** What the API has seen. */
const createSeen = ({ bundle }: Options) => ({
  /** What was not as agreed. */
  violations: [] as string[],
  /** Paths below `/api`, in order. */
  requests: [] as string[],
  batches: new Map<number, z.infer<typeof LogLine>[]>(),
  /** Sequence numbers in the order in which they were taken, repeats included. */
  sequences: [] as number[],
  /** What renewed the lease, in order. */
  renewedBy: [] as ("heartbeat" | "logs")[],
  usage: [] as number[],
  /** What the agent had said so far, each time that it was told. */
  live: [] as { turn_number: number; text: string }[],
  outputs: new Map<string, Output>(),
  /** Bytes of each model request as it came to the gateway, and of the body that it named instead, if any. */
  modelRequests: [] as { bytes: number; stored: number | undefined }[],
  /** Turns that were completed, in order, and what the run was released for. */
  turns: [] as z.infer<typeof CompleteTurn>[],
  released: undefined as z.infer<typeof Release> | undefined,
  /** Segments of the checkpoint, the oldest first. */
  segments: [...(bundle.checkpoint?.segments ?? [])],
  completed: undefined as Omit<z.infer<typeof Complete>, "messages" | "after"> | undefined,
  /** What was said with the end of the run. */
  lastMessages: [] as z.infer<typeof Complete>["messages"],
  failed: undefined as z.infer<typeof Fail> | undefined,
  runToken: "",
})

/** What a test may have the API do. */
const createPlay = ({ bundle }: Options) => ({
  signals: [] as z.infer<typeof Signal>[],
  runtimeSeconds: bundle.time_left_seconds ?? bundle.limits.max_runtime_seconds,
  mode: bundle.turn.mode,
  /** Other than `claimed` where somebody has ended the run. */
  leaseStatus: "claimed" as z.infer<typeof Lease>["status"],
  /** Whether somebody reads what is said. */
  isFollowed: true,
  /** The turn that `recv` hands out, once there is one that the container does not know. */
  turn: bundle.turn,
  /** Problems of the next call of each of these, by their codes. */
  refuse: {} as Partial<Record<"release" | "complete" | "turns/complete", { code: string; message: string }>>,
  /** Asked before each request, with its path below `/api`. */
  trouble: (_path: string): Trouble => undefined,
  /** The same for uploads. */
  storeTrouble: (): Trouble => undefined,
  /** Waited for in the middle of a download from the store, and before an object of a checkpoint is given or taken. */
  transfer: async (_path: string): Promise<void> => undefined,
})

export type Stage = Options & {
  seen: ReturnType<typeof createSeen>
  play: ReturnType<typeof createPlay>
  origin: string
  runTokenHash: string
  claimedAt: number
  /** When the lease was last renewed. */
  renewedAt: number
  /** Uploads that were announced, by file id, and those that have come. */
  prepared: Map<string, z.infer<typeof PrepareOutput>>
  stored: Map<string, string>
  /** Objects of checkpoints, by name. */
  objects: Map<string, Buffer>
}

/**
 * The API as a container sees it, held to `core/protocol.ts`: every body is parsed by its schema, and what is not as agreed is
 * noted in `violations`. With a store for presigned addresses, and the model gateway in front of `modelUrl`.
 */
export const startContainerApi = async (options: Options) => {
  const seen = createSeen(options)
  const play = createPlay(options)
  const stage: Stage = {
    ...options,
    seen,
    play,
    origin: "",
    runTokenHash: "",
    claimedAt: 0,
    renewedAt: 0,
    prepared: new Map(),
    stored: new Map(),
    objects: options.objects ?? new Map(),
  }
  const server = createServer((request, response) => {
    serve(stage, request, response).catch((error: unknown) => {
      seen.violations.push(String(error))
      response.destroy()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  stage.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const close = () => {
    server.close()
    server.closeAllConnections()
  }
  return { url: `${stage.origin}/api`, seen, play, objects: stage.objects, close }
}

const serve = async (stage: Stage, request: IncomingMessage, response: ServerResponse) => {
  const url = request.url ?? ""
  const object = /^\/checkpoints\/(.+)$/.exec(url)?.[1]
  if (object) return serveObject(stage, request, response, object)
  const id = /^\/store\/(\w+)$/.exec(url)?.[1]
  if (id) return serveStore(stage, request, response, id)
  const path = url.replace("/api", "")
  stage.seen.requests.push(path)
  const trouble = stage.play.trouble(path)
  if (trouble === "hangup") return response.destroy()
  const model = /^\/agent\/models\/(?:anthropic|openai|openrouter)(\/.*)$/.exec(path)?.[1]
  if (model && !trouble) return serveModels(stage, request, response, model)
  const reply = (status: number, body: unknown) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
  try {
    if (typeof trouble === "number") throw new Problem(trouble, "Trouble was asked for.")
    const answer = await answerAgent(stage, request, path)
    return trouble ? response.destroy() : reply(200, answer)
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    return reply(error.status, { error: { code: error.code, message: error.message } })
  }
}

const answerAgent = async (stage: Stage, request: IncomingMessage, path: string): Promise<unknown> => {
  const token = tokenOf(request)
  const body = parse(await readText(request))
  if (path === "/agent/tasks/claim-next") {
    if (token !== claimToken) throw new Problem(401, "Invalid claim token.")
    return claim(stage, body)
  }
  if (sha256(token) !== stage.runTokenHash) throw new Problem(401, "Invalid run token.")
  stage.seen.runToken = token
  const query = /^\/agent\/channels\/tsk_1\/recv\?(.*)$/.exec(path)?.[1]
  if (query) return receive(stage, Object.fromEntries(new URLSearchParams(query)))
  const rest = path.replace(`/agent/tasks/${stage.runId}/`, "")
  const fileId = /^files\/(\w+)$/.exec(rest)?.[1]
  if (fileId && stage.files?.[fileId] !== undefined) return { url: `${stage.origin}/store/${fileId}` }
  const answer = answers[rest]
  if (!answer) throw new Problem(404, `There is nothing at ${path}`)
  return answer(stage, body)
}

const check = <T>({ seen }: Stage, schema: z.ZodType<T>, body: unknown): T => {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  seen.violations.push(parsed.error.message)
  throw new Problem(422, "The request is not valid.")
}

const leaseOf = ({ now, runId, play }: Stage) => ({
  run_id: runId,
  task_id: "tsk_1",
  status: play.leaseStatus,
  claim_token_hash: sha256(claimToken),
  heartbeat_at: now().toISOString(),
  lease_until: new Date(now().getTime() + 120_000).toISOString(),
})

const claim = (stage: Stage, body: unknown): { claim: Claimed } => {
  const { run_token_hash } = check(stage, ClaimNext, body)
  if (stage.runTokenHash && stage.runTokenHash !== run_token_hash) throw new Problem(409, "The run is claimed already.")
  stage.runTokenHash = run_token_hash
  stage.claimedAt ||= stage.now().getTime()
  stage.renewedAt = stage.claimedAt
  const run = { id: stage.runId, task_id: "tsk_1", attempt: 1, claimed_at: stage.now().toISOString() }
  const task = { id: "tsk_1", title: "Write a report", status: "running" }
  return { claim: { lease: leaseOf(stage), run, task, bundle: stage.bundle } }
}

const refuseOnce = ({ play }: Stage, call: keyof typeof play.refuse) => {
  const refused = play.refuse[call]
  play.refuse[call] = undefined
  if (refused) throw new Problem(refused.code === "message_waiting" ? 409 : 422, refused.message, refused.code)
}

const renew = (stage: Stage, by: "heartbeat" | "logs"): z.infer<typeof Beat> => {
  stage.seen.renewedBy.push(by)
  stage.renewedAt = stage.now().getTime()
  const time_left_seconds = stage.play.runtimeSeconds - (stage.renewedAt - stage.claimedAt) / 1000
  const { mode, isFollowed: is_followed } = stage.play
  return { lease: leaseOf(stage), signals: signalsOf(stage), mode, time_left_seconds, is_followed }
}

/** Those of the test, and what is said to an agent that works by itself, as the API tells of it. */
const signalsOf = ({ play: { signals, mode, turn } }: Stage): z.infer<typeof Signal>[] => {
  const sequence = Math.max(0, ...turn.messages.map((message) => message.sequence))
  return mode === "autonomous" && sequence > 0 ? [...signals, { kind: "message", sequence }] : signals
}

/** Everything below the path of the run. */
const answers: Record<string, (stage: Stage, body: unknown) => unknown> = {
  sources: ({ sources }) => sources,
  heartbeat: (stage, body) => {
    check(stage, Heartbeat, body)
    return renew(stage, "heartbeat")
  },
  logs: (stage, body) => {
    const { sequence, lines } = check(stage, AppendLogs, body)
    stage.seen.sequences.push(sequence)
    stage.seen.batches.set(sequence, lines)
    const isDue = stage.now().getTime() - stage.renewedAt >= renewalSeconds * 1000
    return { accepted: true, is_followed: stage.play.isFollowed, ...(isDue && { beat: renew(stage, "logs") }) }
  },
  delta: (stage, body) => {
    stage.seen.live.push(check(stage, SaySoFar, body))
    return { accepted: true, is_followed: stage.play.isFollowed }
  },
  usage: (stage, body) => {
    stage.seen.usage.push(check(stage, ReportUsage, body).cost_usd)
    return { accepted: true }
  },
  "model-requests": (stage, body) => {
    const { size_bytes } = check(stage, PrepareModelRequest, body)
    const request_id = `mrq_${stage.prepared.size + 1}`
    stage.prepared.set(request_id, { filename: request_id, size_bytes, output_name: null })
    return { request_id, upload_url: `${stage.origin}/store/${request_id}`, method: "PUT", headers: { "x-signed": "yes" } }
  },
  "outputs/prepare": (stage, body) => {
    const output = check(stage, PrepareOutput, body)
    const file_id = `file_${stage.prepared.size + 1}`
    stage.prepared.set(file_id, output)
    return { file_id, upload_url: `${stage.origin}/store/${file_id}`, method: "PUT", headers: { "x-signed": "yes" } }
  },
  "outputs/complete": (stage, body) => {
    const output = check(stage, CompleteOutput, body)
    const ids = [...stage.prepared].filter(([id, { filename }]) => filename === output.filename && stage.stored.has(id))
    const id = ids.at(-1)?.[0]
    if (!id) throw new Problem(422, "The bytes of this file are not there.")
    stage.seen.outputs.set(output.filename, { ...output, text: stage.stored.get(id) ?? "" })
    return { accepted: true }
  },
  "turns/complete": (stage, body) => {
    const turn = check(stage, CompleteTurn, body)
    refuseOnce(stage, "turns/complete")
    stage.seen.turns.push(turn)
    return { lease: leaseOf(stage), has_next_turn: stage.play.turn.number > turn.turn_number }
  },
  release: (stage, body) => {
    const release = check(stage, Release, body)
    refuseOnce(stage, "release")
    stage.seen.released = release
    return { lease: { ...leaseOf(stage), status: "released" } }
  },
  "checkpoints/prepare": (stage, body) => {
    const { objects } = check(stage, PrepareCheckpoint, body)
    const place = ({ name }: { name: string }) => ({
      name,
      upload_url: `${stage.origin}/checkpoints/${name}`,
      method: "PUT",
      headers: {},
    })
    return { objects: objects.map(place) }
  },
  "checkpoints/commit": (stage, body) => {
    const { previous, segment, added, released } = check(stage, CommitCheckpoint, body)
    const { segments } = stage.seen
    if (segments.at(-1) === segment) return { live_bytes: 1 }
    if (previous !== (segments.at(-1) ?? null)) throw new Problem(409, "The head is elsewhere.", "conflict")
    const missing = added.find(({ name, size_bytes }) => stage.objects.get(name)?.length !== size_bytes)
    if (missing) throw new Problem(422, `${missing.name} is not there.`, "upload_incomplete")
    stage.seen.segments = [...segments.filter((name) => !released.includes(name)), segment]
    return { live_bytes: 1 }
  },
  "checkpoints/addresses": (stage, body) => {
    const { names } = check(stage, ReadCheckpoint, body)
    return { objects: names.map((name) => ({ name, url: `${stage.origin}/checkpoints/${name}` })) }
  },
  complete: (stage, body) => {
    const { messages, after: _, ...completed } = check(stage, Complete, body)
    refuseOnce(stage, "complete")
    Object.assign(stage.seen, { completed, lastMessages: messages })
    return { lease: { ...leaseOf(stage), status: "completed" } }
  },
  fail: (stage, body) => {
    stage.seen.failed = check(stage, Fail, body)
    return { lease: { ...leaseOf(stage), status: "failed" } }
  },
}

/** Answers at once, or as soon as the test has something new, or when the wait is over. */
const receive = async (stage: Stage, query: unknown): Promise<z.infer<typeof Received>> => {
  const { wait, turn, after } = check(stage, Receive, query)
  const until = Date.now() + wait * 1000
  for (;;) {
    const { turn: current, signals } = stage.play
    const messages = current.messages.filter(({ sequence }) => sequence > after)
    if (current.number > turn || messages.length > 0) return { turn: { ...current, messages }, signals }
    if (signals.length > 0 || stage.now().getTime() >= until || Date.now() >= until) return { turn: null, signals }
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

class Problem extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, message: string, code = "problem") {
    super(message)
    this.status = status
    this.code = code
  }
}

const parse = (text: string): unknown => (text ? JSON.parse(text) : undefined)
