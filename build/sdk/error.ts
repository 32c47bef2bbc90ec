import { text } from "node:stream/consumers"
import type { HttpResponse } from "@smithy/core/protocols"
import { isThrottlingError, isTransientError } from "@smithy/core/retry"

type Answer = Pick<HttpResponse, "statusCode" | "body"> & { headers: Partial<Record<string, string>> }

/** Errors as the SDK raises them: known by their name, with what the service says of them. */
export class ServiceException extends Error {
  readonly $metadata: { httpStatusCode: number; requestId: string | undefined }

  constructor(name: string, message: string, { statusCode, headers }: Answer, members: object = {}) {
    super(message)
    Object.assign(this, members, { name, message })
    this.$metadata = { httpStatusCode: statusCode, requestId: headers["x-amzn-requestid"] ?? headers["x-amz-request-id"] }
  }
}

/** A class for `instanceof`: every failure of that name is one of it. */
export const named = (name: string) =>
  class extends ServiceException {
    static override [Symbol.hasInstance](error: unknown) {
      return error instanceof Error && error.name === name
    }
  }

/** What an answer that is no success tells of, in JSON or in XML. */
export async function failureOf(response: Answer): Promise<ServiceException> {
  const body = await text(response.body)
  if (body.trimStart().startsWith("<")) return inXml(body, response)
  const members = (parsed(body) ?? {}) as Partial<Record<string, string>>
  const name = response.headers["x-amzn-errortype"] ?? members.__type ?? members.code
  // A HEAD has no body that could tell.
  if (name === undefined)
    return new ServiceException(response.statusCode === 404 ? "NotFound" : "UnknownError", "UnknownError", response)
  const { __type: _, Message, message = Message ?? "UnknownError", ...others } = members
  return new ServiceException(plain(name), message, response, others)
}

/** The failure that an XML document tells of. */
export function inXml(body: string, response: Answer) {
  const value = (tag: string) => new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(body)?.[1]
  return new ServiceException(value("Code") ?? "UnknownError", unescaped(value("Message") ?? "UnknownError"), response)
}

/** Without the namespace before it and the address behind it. */
const plain = (name: string) => name.replace(/:.*$/, "").replace(/^.*#/, "")

const entities: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" }

/** Text of an XML document as it is meant. */
export const unescaped = (xml: string) =>
  xml.replace(/&(?:#x([\da-f]+)|#(\d+)|(\w+));/gi, (all, hex, decimal, name) => {
    if (hex) return String.fromCodePoint(Number.parseInt(hex, 16))
    return decimal ? String.fromCodePoint(Number(decimal)) : (entities[name] ?? all)
  })

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    // What stands before a service, a proxy for instance, answers in its own words.
    return undefined
  }
}

/**
 * What a failure is to whoever may call again (`@smithy/core/retry`); undefined where another call would fail as well. The SDK does not
 * call again where a single write has met a transaction on its item: nothing was written, and the transaction takes milliseconds.
 */
export function retryTypeOf(error: unknown): "THROTTLING" | "TRANSIENT" | undefined {
  const failure = error as Parameters<typeof isTransientError>[0]
  if (isThrottlingError(failure)) return "THROTTLING"
  if (failure.name === "TransactionConflictException") return "TRANSIENT"
  return isTransientError(failure) ? "TRANSIENT" : undefined
}
