import * as z from "zod"
import type { Answer } from "../app.ts"
import { type Operation, type Schema, whole } from "./document.ts"

/** Holds an answer to what the document says of it: a sentence on what is wrong, or nothing. */
export function wrongWith(operation: Operation, { status, headers, body }: Answer): string | undefined {
  if (status >= 500) return `is ${status}`
  const documented = operation.responses[status]
  if (!documented) return `is ${status}, which is not documented`
  if (!headers.get("x-request-id")) return "has no request id"
  const code = status >= 400 ? String(body.error?.code) : undefined
  if (code !== undefined && !documented.description.includes(`\`${code}\``))
    return `has the code ${code}, which is not documented`
  const type = headers.get("content-type")?.split(";")[0]
  const content = documented.content
  if (!content) return body === "" ? undefined : "has a body, which is not documented"
  if (!type || !content[type]) return `is ${type}, which is not documented`
  if (type !== "application/json") return undefined
  const { error } = validatorOf(content[type].schema).safeParse(body)
  return error && `breaks its schema: ${z.prettifyError(error)}`
}

const validators = new Map<Schema, z.ZodType>()

function validatorOf(schema: Schema): z.ZodType {
  const made = validators.get(schema) ?? z.fromJSONSchema(whole(schema) as never, { defaultTarget: "openapi-3.0" })
  validators.set(schema, made)
  return made
}
