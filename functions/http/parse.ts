import type { z } from "zod"
import { limits } from "#core/limits.ts"
import { Problem } from "#core/problem.ts"
import { type Headers, header } from "./headers.ts"

/** A value as a schema wants it. Raises `invalid_request`, with every field that is wrong. */
export const parse = (schema: z.ZodType, value: unknown) => {
  const { data, error } = schema.safeParse(value, { error: plainly })
  if (!error) return data
  throw new Problem("invalid_request", { issues: error.issues.flatMap(issuesOf) })
}

/** What the schema's own words would say in JavaScript's: `undefined`, `NaN`. */
const plainly: z.core.$ZodErrorMap = ({ code, input }) => {
  if (code !== "invalid_type") return undefined
  if (input === undefined) return "This field is missing"
  return Number.isNaN(input) ? "This is not a number" : undefined
}

/** Unknown fields are named one by one, each where it stands. */
const issuesOf = (issue: z.core.$ZodIssue) => {
  const at = issue.path.join(".")
  if (issue.code !== "unrecognized_keys") return [{ path: at, message: issue.message }]
  return issue.keys.map((key) => ({ path: [at, key].filter(Boolean).join("."), message: "This field is not known" }))
}

/** A body as a schema wants it; where that can do without one, no bytes are none. Raises what `parse` and `json` raise. */
export const parseBody = (schema: z.ZodType, bytes: Buffer, headers: Headers) =>
  parse(schema, bytes.length === 0 && isOptional(schema) ? undefined : json(bytes, headers))

const isOptional = (schema: z.ZodType) => schema.safeParse(undefined).success

/** The JSON of a body. Raises `payload_too_large`, `unsupported_media_type`, `invalid_request`. */
function json(bytes: Buffer, headers: Headers): unknown {
  if (bytes.length > limits.requestBytes) throw new Problem("payload_too_large")
  const type = header(headers, "content-type")
  // A client that does not say what it sends is given the benefit of the doubt: what counts then is whether it can be read.
  if (type && !/^application\/([\w.+-]+\+)?json\s*(;|$)/i.test(type)) throw new Problem("unsupported_media_type")
  try {
    return JSON.parse(bytes.toString("utf8"))
  } catch {
    throw new Problem("invalid_request", { issues: [{ path: "", message: "The body is not JSON" }] })
  }
}
