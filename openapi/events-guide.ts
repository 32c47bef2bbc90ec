import * as z from "zod"
import { Detail } from "#core/event.ts"

/** `docs/events.md` with the schema of the events' detail as it is today. */
export const withSchema = (guide: string) =>
  guide.replace(
    /(<!-- schema[^>]*-->\n).*?(<!-- \/schema -->)/s,
    (_, open: string, close: string) => `${open}\`\`\`json\n${JSON.stringify(z.toJSONSchema(Detail), null, 2)}\n\`\`\`\n${close}`,
  )
