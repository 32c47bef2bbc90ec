import { AwsError } from "../service.ts"
import type { Headers } from "./call.ts"
import type { StoredObject } from "./store.ts"

/**
 * Holds a write to its `If-Match` and `If-None-Match` against what is stored now. Problems: `AwsError` PreconditionFailed,
 * NoSuchKey where `If-Match` names an object that is not there, NotImplemented for an `If-None-Match` other than `*`.
 */
export const checkWrite = (headers: Headers, stored: StoredObject | undefined) => {
  const { "if-match": match, "if-none-match": noneMatch } = headers
  if (noneMatch !== undefined && noneMatch !== "*") {
    throw new AwsError("NotImplemented", "A header you provided implies functionality that is not implemented", 501, {
      Header: "If-None-Match",
    })
  }
  if (noneMatch !== undefined && stored) throw failed("If-None-Match")
  if (match === undefined) return
  if (!stored) throw noSuchKey()
  if (!matches(match, stored.etag)) throw failed("If-Match")
}

/**
 * Holds a read to its conditions; `prefix` stands before their names in a copy. Answers whether the reader has the object already
 * (304). Problems: `AwsError` PreconditionFailed.
 */
export const checkRead = (headers: Headers, stored: StoredObject, prefix = ""): "send" | "unchanged" => {
  const header = (name: string) => headers[`${prefix}${name}`]
  // A header tells whole seconds, so a time is compared in them.
  const modified = Math.floor(stored.modified / 1000) * 1000
  const [match, noneMatch] = [header("if-match"), header("if-none-match")]
  if (match !== undefined) {
    if (!matches(match, stored.etag)) throw failed("If-Match")
  } else if (modified > time(header("if-unmodified-since"), Number.POSITIVE_INFINITY)) {
    throw failed("If-Unmodified-Since")
  }
  if (noneMatch !== undefined) return matches(noneMatch, stored.etag) ? "unchanged" : "send"
  return modified <= time(header("if-modified-since"), Number.NEGATIVE_INFINITY) ? "unchanged" : "send"
}

export const noSuchKey = () => new AwsError("NoSuchKey", "The specified key does not exist.", 404)

export const failed = (condition: string) =>
  new AwsError("PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412, {
    Condition: condition,
  })

const matches = (header: string, etag: string) =>
  header.split(",").some((each) => each.trim() === "*" || each.trim().replaceAll('"', "") === etag)

/** A time that cannot be read counts as not given. */
const time = (header: string | undefined, otherwise: number) => {
  const at = Date.parse(header ?? "")
  return Number.isNaN(at) ? otherwise : at
}
