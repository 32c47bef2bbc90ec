import type { Document, Operation } from "./sources.ts"

/** One route of the gateway. Paths are those below the stage: `/v1/tasks/{taskId}`. */
export interface Route {
  method: string
  path: string
  /** File that answers it: `api/tasks`. */
  file: string
  streaming: boolean
}

const methods = ["get", "put", "post", "delete", "options", "head", "patch"]

/** The first segment of every path in the documents: the gateway's stage. */
export const stage = "api"

/** Every route of both documents. Fails for a path that no file answers, and for one that two rules claim. */
export const routesOf = (documents: { api: Document; agent: Document }, files: string[]): Route[] => [
  ...routesOfDocument(documents.api, "/v1", ["api"], files),
  ...routesOfDocument(documents.agent, "/agent", ["agent", "gateway"], files),
]

const routesOfDocument = (document: Document, base: string, folders: string[], files: string[]): Route[] =>
  Object.entries(document.paths).flatMap(([url, operations]) =>
    Object.entries(operations)
      .filter(([method]) => methods.includes(method))
      .map(([method, operation]) => {
        const path = below(url, base)
        return { ...shape(method, path, operation), file: fileOf(path, folders, files), streaming: streams(operation) }
      }),
  )

const below = (url: string, base: string) => {
  const path = url.slice(`/${stage}`.length)
  if (!url.startsWith(`/${stage}${base}/`)) throw new Error(`${url} is not below /${stage}${base}`)
  return path
}

const shape = (method: string, path: string, operation: Operation) =>
  operation["x-dormouse-proxy"]
    ? { method: "ANY", path: path.replace(/\{(\w+)\}$/, "{$1+}") }
    : { method: method.toUpperCase(), path }

const streams = (operation: Operation) => operation["x-dormouse-streaming"] === true

/** The findability rule: the last segment of the path that is the name of a file. */
function fileOf(path: string, folders: string[], files: string[]): string {
  const candidates = path
    .split("/")
    .map((segment) => segment.replace(/\.\w+$/, ""))
    .flatMap((name) => folders.map((folder) => `${folder}/${name}`))
  const file = candidates.filter((candidate) => files.includes(candidate)).at(-1)
  if (!file) throw new Error(`No file of functions/${folders.join(" or functions/")} is named by a segment of ${path}`)
  return file
}
