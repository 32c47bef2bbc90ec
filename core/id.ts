import { createHash } from "node:crypto"
import { encodeTime, monotonicFactory } from "ulid"
import * as z from "zod"
import { millis } from "./clock.ts"
import * as Request from "./request.ts"

const prefixes = {
  account: "acc",
  key: "key",
  agent: "agt",
  version: "agv",
  container: "ctr",
  containerVersion: "ctv",
  task: "tsk",
  event: "evt",
  file: "file",
  upload: "upl",
  run: "run",
  message: "msg",
  wait: "wait",
  secret: "sec",
  signal: "sig",
  webhook: "whk",
  delivery: "dlv",
  modelRequest: "mrq",
  stream: "str",
  repository: "repo",
  sshKey: "ssh",
} as const

type Kind = keyof typeof prefixes

/** An id that somebody names in a request. Whether there is such a thing is for the look-up to say; no id is longer. */
export const Named = z.string().min(1).max(255)

const ulid = monotonicFactory()

/** A new id: the prefix of its kind and a ULID, so that ids sort by the time they were made. Never parse one for its meaning. */
export const newId = (kind: Kind) => `${prefixes[kind]}_${repeatedUlid(kind) ?? ulid(millis())}`

/** In a request that may come again: the same ULID each time it is carried out, one after the other within it. */
function repeatedUlid(kind: Kind) {
  const made = Request.made(`id ${kind}`)
  if (!made) return undefined
  const digest = createHash("sha256").update(made.seed).update(kind).digest()
  const random = (digest.readBigUInt64BE() + BigInt(made.index)) % 2n ** 64n
  const tail = Array.from(digest.subarray(8, 11), (byte) => alphabet[byte % 32]).join("")
  return `${encodeTime(millis(), 10)}${tail}${encodeRandom(random)}`
}

/** 64 bits as 13 characters that sort as the number does. */
const encodeRandom = (value: bigint) =>
  Array.from({ length: 13 }, (_, at) => alphabet[Number((value >> BigInt(5 * (12 - at))) & 31n)]).join("")

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

/** The same id for the same parts, for things that must not be made twice. Looks like the others; does not sort by time. */
export const derivedId = (kind: Kind, ...parts: string[]) => `${prefixes[kind]}_${letters(parts, 26)}`

/** The same, and sorts by a time (milliseconds since the epoch) that is as much the thing's own as its parts. */
export const derivedIdAt = (kind: Kind, at: number, ...parts: string[]) => `${beginningAt(kind, at)}${letters(parts, 16)}`

/** How the ids begin of what was made at a time. */
export const beginningAt = (kind: Kind, at: number) => `${prefixes[kind]}_${encodeTime(at)}`

const letters = (parts: string[], count: number) => {
  const digest = createHash("sha256").update(JSON.stringify(parts)).digest()
  return Array.from(digest.subarray(0, count), (byte) => alphabet[byte % 32]).join("")
}
