import * as z from "zod"
import { type ProblemCode, problems } from "#core/problem.ts"
import type { Door, Route } from "#functions/http/route.ts"
import { routesOf } from "#functions/http/routes.ts"
import { headerParameters, problemsOf, responseHeaders } from "./conventions.ts"
import { components, schemaOf } from "./schemas.ts"

/** OpenAPI 3.0, since that is what API Gateway imports. */
export interface Document {
  openapi: "3.0.3"
  info: { title: string; version: string; description: string }
  servers: { url: string; description: string }[]
  paths: Record<string, Record<string, Operation>>
  components: { securitySchemes: Record<string, unknown>; schemas: Record<string, unknown> }
}

interface Operation {
  operationId: string
  summary: string
  description?: string
  tags: string[]
  security: Record<string, string[]>[]
  parameters?: unknown[]
  requestBody?: unknown
  responses: Record<string, unknown>
}

const servers = [{ url: "/", description: "The stack that serves this document" }]

/** What customers use. */
export const publicDocument = async () =>
  document(
    {
      title: "Dormouse",
      version: "0.1.0",
      description:
        "AI agents in containers on your own AWS account. Define an agent, give it tasks, read what came of them. Every request carries an API key as a bearer token; every error has the same envelope, with a code to program against and the request's id.",
    },
    await routesOf("api"),
  )

/** What a running container and its daemon use. */
export const agentDocument = async () =>
  document(
    {
      title: "Dormouse container protocol",
      version: "0.1.0",
      description: "What the daemon in a task's container asks of the API. Not for customers.",
    },
    [...(await routesOf("agent")), ...(await routesOf("gateway"))],
  )

function document(info: Document["info"], routes: Route[]): Document {
  const paths: Document["paths"] = {}
  for (const route of routes) {
    const path = `/api${route.resource.replace("+}", "}")}`
    paths[path] = { ...paths[path], [methodOf(route)]: operation(route) }
  }
  const securitySchemes = Object.fromEntries([...new Set(routes.map(({ door }) => door))].flatMap((door) => schemes[door]))
  return {
    openapi: "3.0.3",
    info,
    servers,
    paths,
    components: { securitySchemes, schemas: components({ paths }, { Error: ErrorBody }) },
  }
}

/** A proxy takes any method; a document has no word for that, so it says POST, which is what models are called with. */
const methodOf = ({ method }: Route) => (method === "ANY" ? "post" : method.toLowerCase())

const schemes: Record<Door, [string, object][]> = {
  key: [["apiKey", { type: "http", scheme: "bearer", description: "An account's API key, `ac_live_…`." }]],
  run: [
    ["runToken", { type: "http", scheme: "bearer", description: "The token that the container made when it claimed its run." }],
  ],
  claim: [
    ["claimToken", { type: "http", scheme: "bearer", description: "`DORMOUSE_CLAIM_TOKEN` of the container's environment." }],
  ],
  anybody: [],
}

const operation = (route: Route): Operation => ({
  operationId: idOf(route),
  summary: route.summary,
  ...(route.description ? { description: route.description } : {}),
  tags: [tagOf(route)],
  security: schemes[route.door].map(([name]) => ({ [name]: [] })),
  ...(parametersOf(route).length ? { parameters: parametersOf(route) } : {}),
  ...(route.body
    ? {
        requestBody: {
          required: !route.body.safeParse(undefined).success,
          content: { "application/json": { schema: schemaOf(route.body) } },
        },
      }
    : {}),
  responses: { ...success(route), ...failures(route) },
  ...(route.streaming ? { "x-dormouse-streaming": true } : {}),
  ...(route.resource.includes("+}") ? { "x-dormouse-proxy": true } : {}),
})

/** `GET /agents/{agentId}/versions` → `getAgentsVersions`: unique, and stable as long as the route is. */
const idOf = ({ name, method }: Route) =>
  (method === "ANY" ? "post" : method.toLowerCase()) +
  name
    .split(" ")[1]!
    .split("/")
    .filter(Boolean)
    .map((part) => part.replace(/^\{(\w+)\+?\}$/, "By $1"))
    .flatMap((part) => part.split(/\W+/))
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("")

const tagOf = ({ resource }: Route) =>
  resource
    .split("/")
    .filter((part) => part && !part.startsWith("{"))[1]!
    .replace(/\.\w+$/, "")

function parametersOf(route: Route) {
  const { resource, query } = route
  const headers = headerParameters(route)
  const path = [...resource.matchAll(/\{(\w+)\+?\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }))
  if (!(query instanceof z.ZodObject)) return [...path, ...headers]
  const fields = Object.entries(query.shape as Record<string, z.ZodType>).map(([name, field]) => {
    const { description, ...schema } = schemaOf(field) as { description?: string }
    return { name, in: "query", required: !field.safeParse(undefined).success, ...(description ? { description } : {}), schema }
  })
  return [...path, ...fields, ...headers]
}

function success(route: Route) {
  const [status, body] = route.returns
  const headers = responseHeaders(route)
  const described = { description: "Done", ...(headers ? { headers } : {}) }
  if (body === null) return { [status]: described }
  if (typeof body === "string")
    return {
      [status]: {
        ...described,
        description: "The bytes",
        content: { [body]: { schema: { type: "string", ...binary(body) } } },
      },
    }
  const events = route.eventStream ? { "text/event-stream": { schema: { type: "string" } } } : {}
  return { [status]: { ...described, content: { "application/json": { schema: schemaOf(body) }, ...events } } }
}

const binary = (media: string) => (media === "application/yaml" || media === "text/html" ? {} : { format: "binary" })

/** Problems by status: the codes and their words are the description. */
function failures(route: Route) {
  const codes = new Set<ProblemCode>(problemsOf(route))
  const byStatus = Map.groupBy(codes, (code) => problems[code][0])
  return Object.fromEntries(
    [...byStatus]
      .sort(([a], [b]) => a - b)
      .map(([status, group]) => [
        status,
        {
          description: group.map((code) => `\`${code}\`: ${problems[code][1]}`).join("\n"),
          content: { "application/json": { schema: schemaOf(ErrorBody) } },
        },
      ]),
  )
}

const ErrorBody = z
  .looseObject({
    error: z.looseObject({
      code: z.string().describe("What to program against."),
      message: z.string().describe("For a person; the words may improve."),
      requestId: z.string().optional().describe("Name it when you ask for help."),
    }),
  })
  .meta({ id: "Error" })
