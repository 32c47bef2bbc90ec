import * as z from "zod"

/** JSON Schemas of the documents, from the same zod schemas that check every request and answer. */

type Schema = Record<string, unknown>

const options = {
  target: "openapi-3.0",
  // The output form stamps `additionalProperties: false` on answers, which tells strict clients to refuse any field added later.
  io: "input",
  unrepresentable: "any",
  uri: (id: string) => `#/components/schemas/${id}`,
  override: ({ jsonSchema }: { jsonSchema: Schema }) => {
    delete jsonSchema.id
    // Bounds of JavaScript's integers, and a pattern that repeats the format: noise for a reader.
    if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
    if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
    if (jsonSchema.format === "date-time") delete jsonSchema.pattern
  },
} as const

/** A reference where the schema has a name, the schema itself where it has none. */
export const schemaOf = (schema: z.ZodType): Schema => {
  const id = schema.meta()?.id
  if (id) return { $ref: options.uri(id) }
  const { $schema: _, ...plain } = z.toJSONSchema(schema, options as never) as Schema
  return plain
}

/** The named schemas that a document refers to, with all that they refer to themselves. */
export function components(root: object, always: Record<string, z.ZodType>): Record<string, Schema> {
  const { schemas } = z.toJSONSchema(z.globalRegistry, options as never) as unknown as { schemas: Record<string, Schema> }
  const found = new Map<string, Schema>()
  const visit = (part: unknown) => {
    for (const [, id] of JSON.stringify(part).matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      if (found.has(id!)) continue
      const { $schema: _, $id: __, ...schema } = schemas[id!] ?? {}
      found.set(id!, schema)
      visit(schema)
    }
  }
  visit([root, Object.values(always).map(schemaOf)])
  return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)))
}
