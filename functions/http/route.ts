import type { Readable } from "node:stream"
import type { z } from "zod"
import type { ProblemCode } from "#core/problem.ts"
import type { Ref } from "#core/run.ts"

export type Method = "GET" | "POST" | "PATCH" | "PUT" | "DELETE" | "ANY"

type Path<Url extends string> = Url extends `${string}{${infer Name}}${infer Rest}`
  ? Record<Name extends `${infer Greedy}+` ? Greedy : Name, string> & Path<Rest>
  : unknown

/** An answer that is not JSON, or not ours: passed on as it is. */
export interface Raw {
  status: number
  headers: Record<string, string>
  body: string | Readable
}

/** Media types that a route may answer instead of JSON. */
type Media = "application/octet-stream" | "application/yaml" | "text/html" | "*/*"

interface Contract<Query extends z.ZodType, Body extends z.ZodType, Out extends z.ZodType | Media | null> {
  summary: string
  description?: string
  query?: Query
  body?: Body
  /** Status and body of success: a schema, null for none, or a media type whose bytes the handler answers as `Raw`. */
  returns: readonly [status: number, body: Out]
  /** What it may answer besides `unauthorized`, `invalid_request` and `internal`, which follow from the rest. */
  problems?: readonly ProblemCode[]
  /** The answer is sent as it is made, however long it takes. All routes of a function are of one kind. */
  streaming?: true
  /** Asked with `stream=true` it answers `text/event-stream`, as `Raw`, and takes the key as `apiKey` too: an EventSource sets no header. */
  eventStream?: true
}

/** Who may come in: with an account's key, with the token of a run, with the claim token of a run, or anybody. */
export interface Callers {
  key: { accountId: string; keyId: string }
  run: { run: Ref }
  claim: { run: Ref }
  anybody: unknown
}

export type Door = keyof Callers

// biome-ignore lint/suspicious/noExplicitAny: the one place where unlike routes share a table.
type Anything = any

export interface Route extends Contract<z.ZodType, z.ZodType, z.ZodType | Media | null> {
  door: Door
  method: Method
  /** As the gateway's resource: `/v1/agents/{agentId}`. */
  resource: string
  /** As the documentation writes it, and so everything else: `GET /agents/{agentId}`. */
  name: string
  handle: (request: Anything) => Promise<unknown>
}

/** The request as it came, for the rare handler that passes it on. */
export interface Incoming {
  httpMethod: string
  headers: Record<string, string | undefined>
  /** The query with its question mark, or nothing. */
  search: string
  bytes: Buffer
}

// biome-ignore lint/suspicious/noConfusingVoidType: a handler without an answer returns nothing, which is void.
type Result<Out> = Out extends z.ZodType ? z.input<Out> | Raw : Out extends null ? void : Raw

const define =
  <Through extends Door>(door: Through, prefix: string) =>
  <
    Url extends `/${string}`,
    Out extends z.ZodType | Media | null,
    Query extends z.ZodType = z.ZodNever,
    Body extends z.ZodType = z.ZodNever,
  >(
    name: `${Method} ${Url}`,
    contract: Contract<Query, Body, Out>,
    handle: (
      request: Callers[Through] & { event: Incoming; path: Path<Url>; query: z.output<Query>; body: z.output<Body> },
    ) => Promise<Result<Out>>,
  ): Route => {
    const [method, url] = name.split(" ") as [Method, string]
    return { door, name, method, resource: `${prefix}${url}`, ...contract, handle }
  }

/** One endpoint of the public API: its name as the documentation writes it, its contract, and the code that honours it. */
export const route = define("key", "/v1")
/** One that needs no key. */
export const openRoute = define("anybody", "/v1")
/** One that the container of a run may call with its run token. */
export const runRoute = define("run", "")
/** The one that it may call before it has one. */
export const claimRoute = define("claim", "")
