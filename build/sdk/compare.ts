import { createServer, type IncomingHttpHeaders } from "node:http"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"
import { afterAll, beforeAll, beforeEach, expect } from "vitest"

import type { ServiceException } from "./error.ts"

// A command is sent by the AWS SDK and by what stands in its place, to a server that writes down what comes and answers what a test
// wants: both must have sent the same, and must make the same of the answer.

interface Heard {
  method: string
  url: string
  headers: IncomingHttpHeaders
  body: string
}

export interface Answer {
  status?: number
  headers?: Record<string, string>
  body?: string
}

let heard: Heard[] = []
let answers: Answer[] = []

/** What each of the next calls is answered; the last one, those that follow too. */
export const answering = (...next: Answer[]) => {
  answers = next
}

/** What has come since this was asked last. */
export const heardSince = () => heard.splice(0)

const server = createServer(async (request, response) => {
  if (request.url === "/ping") return void response.end("healthy")
  heard.push({ method: request.method!, url: request.url!, headers: request.headers, body: await text(request) })
  const { status = 200, headers = {}, body = "{}" } = (answers.length > 1 ? answers.shift() : answers[0]) ?? {}
  response.writeHead(status, { "x-amzn-requestid": "request 1", ...headers }).end(request.method === "HEAD" ? undefined : body)
})

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    AWS_REGION: "eu-central-1",
    AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
    AWS_SECRET_ACCESS_KEY: "secret",
    AWS_SESSION_TOKEN: "session",
  })
})

afterAll(() => server.close())
beforeEach(() => {
  heard = []
  answers = []
})

// biome-ignore lint/suspicious/noExplicitAny: two libraries of other types are held against each other.
export type Library = any
interface Sent {
  output?: unknown
  error?: Record<string, unknown>
}

/** The SDK would follow a queue's own address; `from` makes the client that takes plain values. */
function clientOf(library: Library, name: string) {
  const client = new library[name]({ useQueueUrlAsEndpoint: false })
  return library.DynamoDBDocumentClient?.from(client, { marshallOptions: { removeUndefinedValues: true } }) ?? client
}

export async function send(library: Library, client: string, command: string, input: object): Promise<Sent> {
  const made = clientOf(library, client)
  try {
    return { output: await made.send(new library[command](structuredClone(input))) }
  } catch (error) {
    const { name, message, $metadata, CancellationReasons } = error as ServiceException & { CancellationReasons?: unknown }
    return { error: { name, message, status: $metadata.httpStatusCode, requestId: $metadata.requestId, CancellationReasons } }
  }
}

/** Headers in which two that send the same may differ: who they are, when they sent it, and what a kind of sender adds. */
const own = /^(authorization|x-amz-date|user-agent|x-amz-user-agent|amz-sdk-.*|connection|x-amz-content-sha256|expect|accept)$/
/** By the SDK's choice another checksum of the same bytes. */
const checksum = /^(x-amz-checksum-.*|x-amz-sdk-checksum-algorithm|x-amz-trailer|content-encoding|x-amz-decoded-content-length)$/

export const essence = ({ method, url, headers, body }: Heard) => {
  const { pathname, searchParams } = new URL(url, "http://host")
  // Tells S3's logs which call of the SDK this is.
  searchParams.delete("x-id")
  searchParams.sort()
  const kept = Object.entries(headers).filter(([name]) => !own.test(name) && !checksum.test(name) && name !== "content-length")
  const isJson = /json/.test(headers["content-type"] ?? "")
  return {
    method,
    pathname,
    query: searchParams.toString(),
    headers: Object.fromEntries(kept.sort()),
    body: isJson ? JSON.parse(body) : body.replace(/^<\?xml[^>]*\?>/, ""),
  }
}

export const withoutMetadata = (output: unknown) => {
  const { $metadata: _, ...members } = { ...(output as object) } as Record<string, unknown>
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
}

/** Sends one by both; asserts that the same was sent, and answers what each made of the answer. */
export async function compare(ours: Library, real: Library, client: string, command: string, input: object) {
  const script = [...answers]
  const theirs = await send(real, client, command, input)
  const [theirCall, ...theirAgain] = heardSince()
  answers = script
  const mine = await send(ours, client, command, input)
  const [myCall, ...myAgain] = heardSince()
  expect(myAgain.map(essence)).toEqual(theirAgain.map(essence))
  expect(essence(myCall!)).toEqual(essence(theirCall!))
  expect(myCall!.headers.authorization).toMatch(
    /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-central-1\/[a-z0-9]+\/aws4_request, /,
  )
  expect(scopeOf(myCall!)).toBe(scopeOf(theirCall!))
  return { mine, theirs }
}

const scopeOf = ({ headers }: Heard) => /Credential=([^,]+)/.exec(headers.authorization!)?.[1]
