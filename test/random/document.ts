import { readFileSync } from "node:fs"
import { parse } from "yaml"

/** The committed document, as far as requests are made from it and answers are held to it. */

export interface Schema {
  $ref?: string
  type?: string
  format?: string
  pattern?: string
  enum?: unknown[]
  nullable?: boolean
  properties?: Record<string, Schema>
  required?: string[]
  additionalProperties?: boolean | Schema
  items?: Schema
  oneOf?: Schema[]
  allOf?: Schema[]
  minLength?: number
  maxLength?: number
  minimum?: number
  maximum?: number
  minItems?: number
  maxItems?: number
  example?: unknown
}

export interface Parameter {
  name: string
  in: "path" | "query" | "header"
  required?: boolean
  schema: Schema
}

interface Content {
  content?: Record<string, { schema: Schema }>
}

export interface Operation {
  /** As the documentation writes it: `GET /agents/{agentId}`. */
  name: string
  parameters: Parameter[]
  requestBody?: Content
  responses: Record<string, Content & { description: string }>
}

type Written = Omit<Operation, "name" | "parameters"> & { parameters?: Parameter[]; security: object[] }

const document = parse(readFileSync(new URL("../../openapi/openapi.yaml", import.meta.url), "utf8")) as {
  paths: Record<string, Record<string, Written>>
  components: { schemas: Record<string, Schema> }
}

/** Everything that takes a key. */
export const operations: Operation[] = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods)
    .filter(([, { security }]) => security.length > 0)
    .map(([method, { parameters = [], ...rest }]) => ({
      ...rest,
      parameters,
      name: `${method.toUpperCase()} ${path.replace("/api/v1", "")}`,
    })),
)

/** A schema with what it refers to in the place of the reference. */
export const resolved = ({ $ref, ...schema }: Schema): Schema =>
  $ref ? resolved({ ...document.components.schemas[$ref.split("/").at(-1)!]!, ...schema }) : schema

/** The same all the way down. */
export function whole(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(whole)
  if (typeof schema !== "object" || schema === null) return schema
  return Object.fromEntries(Object.entries(resolved(schema)).map(([key, value]) => [key, whole(value)]))
}

export const bodyOf = ({ requestBody }: Operation) => {
  const schema = requestBody?.content?.["application/json"]?.schema
  return schema && resolved(schema)
}
