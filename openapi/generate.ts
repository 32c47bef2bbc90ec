import { readFile, writeFile } from "node:fs/promises"
import { stringify } from "yaml"
import { agentDocument, publicDocument } from "./document.ts"
import { withSchema } from "./events-guide.ts"

/** Writes the documents from the routes, and the schema of events into their guide. A test holds the committed files against a fresh generation. */
await writeFile(new URL("openapi.yaml", import.meta.url), stringify(await publicDocument()))
await writeFile(new URL("agent.yaml", import.meta.url), stringify(await agentDocument()))

const guide = new URL("../docs/events.md", import.meta.url)
await writeFile(guide, withSchema(await readFile(guide, "utf8")))
