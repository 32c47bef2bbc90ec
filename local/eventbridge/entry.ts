import { randomUUID } from "node:crypto"
import { AwsError } from "../service.ts"

/** An event as rules see it and targets receive it. */
export interface BusEvent extends Record<string, unknown> {
  version: "0"
  id: string
  "detail-type": string
  source: string
  account: string
  /** ISO-8601 in UTC, in whole seconds. */
  time: string
  region: string
  resources: string[]
  detail: Record<string, unknown>
}

/** What a service of this machine says of an event; the rest is filled in. */
export interface NewEvent {
  source: string
  detailType: string
  detail: Record<string, unknown>
  resources: string[]
  time?: Date
}

/** What PutEvents answers for an entry that it does not take. */
export interface Refusal {
  ErrorCode: string
  ErrorMessage: string
}

const mostEntries = 10
const mostBytes = 256 * 1024

export const toEvent = (event: NewEvent, bus: { account: string; region: string }, fallback: Date): BusEvent => ({
  version: "0",
  id: randomUUID(),
  "detail-type": event.detailType,
  source: event.source,
  account: bus.account,
  time: `${(event.time ?? fallback).toISOString().slice(0, 19)}Z`,
  region: bus.region,
  resources: event.resources,
  detail: event.detail,
})

const bytes = (value: unknown) => (typeof value === "string" ? Buffer.byteLength(value) : 0)

/** By EventBridge's own rule: fourteen bytes for a time, and every text in UTF-8. */
const entryBytes = ({ Time, Source, DetailType, Detail, Resources }: Record<string, unknown>) =>
  (Time === undefined ? 0 : 14) +
  [Source, DetailType, Detail, ...(Array.isArray(Resources) ? Resources : [])].reduce<number>((sum, text) => sum + bytes(text), 0)

/** The entries of a PutEvents call. Throws `ValidationException` when the call as a whole is refused. */
export const checkEntries = (entries: unknown): Record<string, unknown>[] => {
  if (!Array.isArray(entries) || entries.length < 1 || entries.length > mostEntries) {
    throw new AwsError("ValidationException", `Entries must be a list of 1 to ${mostEntries} entries.`)
  }
  if (!entries.every((entry) => typeof entry === "object" && entry !== null)) {
    throw new AwsError("ValidationException", "Every entry must be an object.")
  }
  if (entries.reduce<number>((sum, entry) => sum + entryBytes(entry), 0) > mostBytes) {
    throw new AwsError("ValidationException", `The entries of one request may have ${mostBytes} bytes together.`)
  }
  return entries
}

const invalid = (message: string): Refusal => ({ ErrorCode: "InvalidArgument", ErrorMessage: message })

const parseDetail = (detail: string): Record<string, unknown> | undefined => {
  try {
    const value: unknown = JSON.parse(detail)
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

/** Reads one entry as callers send it, or says why it is refused. `Time` comes in seconds since the epoch. */
export const readEntry = (entry: Record<string, unknown>): NewEvent | Refusal => {
  const { Source, DetailType, Detail, Resources = [], Time } = entry
  for (const [name, value] of Object.entries({ Source, DetailType, Detail })) {
    if (typeof value !== "string" || value === "") return invalid(`Parameter ${name} is not valid. Reason: it is required.`)
  }
  if (String(Source).startsWith("aws.")) {
    return { ErrorCode: "NotAuthorizedForSource", ErrorMessage: "Sources that begin with aws. are reserved for AWS services." }
  }
  if (!Array.isArray(Resources) || !Resources.every((resource) => typeof resource === "string")) {
    return invalid("Parameter Resources is not valid. Reason: it must be a list of strings.")
  }
  const time = Time === undefined ? undefined : new Date(Number(Time) * 1000)
  if (time && Number.isNaN(time.getTime())) return invalid("Parameter Time is not valid. Reason: it must be a timestamp.")
  const detail = parseDetail(String(Detail))
  if (!detail) return { ErrorCode: "MalformedDetail", ErrorMessage: "Detail must be the text of a JSON object." }
  return { source: String(Source), detailType: String(DetailType), detail, resources: Resources, ...(time && { time }) }
}
