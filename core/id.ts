import { createHash } from "node:crypto"
import { monotonicFactory } from "ulid"
import { millis } from "./clock.ts"

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
  run: "run",
  secret: "sec",
  signal: "sig",
  modelRequest: "mrq",
} as const

type Kind = keyof typeof prefixes

const ulid = monotonicFactory()

/** A new id: the prefix of its kind and a ULID, so that ids sort by the time they were made. Never parse one for its meaning. */
export const newId = (kind: Kind) => `${prefixes[kind]}_${ulid(millis())}`

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

/** The same id for the same parts, for things that must not be made twice. Looks like the others; does not sort by time. */
export const derivedId = (kind: Kind, ...parts: string[]) => {
  const digest = createHash("sha256").update(JSON.stringify(parts)).digest()
  return `${prefixes[kind]}_${Array.from(digest.subarray(0, 26), (byte) => alphabet[byte % 32]).join("")}`
}
