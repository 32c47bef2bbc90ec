/** Puts values in the place of `{{NAME}}` in every text of a structure; a name without a value is left empty. */
export const fillPlaceholders = <T>(structure: T, values: Readonly<Record<string, string | undefined>>): T =>
  JSON.parse(JSON.stringify(structure), (_key, value: unknown) =>
    typeof value === "string" ? value.replace(/\{\{([A-Z_]+)\}\}/g, (_whole, name: string) => values[name] ?? "") : value,
  )
