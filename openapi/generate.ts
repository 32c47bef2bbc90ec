import { writeFile } from "node:fs/promises"
import { stringify } from "yaml"
import { agentDocument, publicDocument } from "./document.ts"

/** Writes the documents from the routes. A test holds the committed files against a fresh generation. */
await writeFile(new URL("openapi.yaml", import.meta.url), stringify(await publicDocument()))
await writeFile(new URL("agent.yaml", import.meta.url), stringify(await agentDocument()))
