import { readdirSync, readFileSync } from "node:fs"
import { parse } from "yaml"

/** Folders of `functions/` in which every file is one Lambda. */
const folders = ["api", "agent", "operate", "gateway", "lifecycle", "reactions"] as const

/** The files that the program is made from. It imports no code of ours. */
export interface Sources {
  /** One Lambda each: `api/tasks`. */
  functions: string[]
  documents: { api: Document; agent: Document }
  /** `state-machines/task.asl.json`, with its holes. */
  machine: string
}

/** The part of an OpenAPI document that decides what the gateway routes where. */
export interface Document {
  paths: Record<string, Record<string, Operation>>
}

export interface Operation {
  /** The answer is streamed. */
  "x-dormouse-streaming"?: boolean
  /** The last path parameter takes the whole rest of the path, by any method. */
  "x-dormouse-proxy"?: boolean
}

const root = `${import.meta.dirname}/..`

/** Reads the repository's own sources. */
export function readSources(): Sources {
  return {
    functions: folders.flatMap(listFunctions),
    documents: { api: readDocument("openapi"), agent: readDocument("agent") },
    machine: readFileSync(`${root}/state-machines/task.asl.json`, "utf8"),
  }
}

const listFunctions = (folder: string) =>
  readdirSync(`${root}/functions/${folder}`)
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .sort()
    .map((file) => `${folder}/${file.slice(0, -".ts".length)}`)

const readDocument = (name: string) => parse(readFileSync(`${root}/openapi/${name}.yaml`, "utf8")) as Document
