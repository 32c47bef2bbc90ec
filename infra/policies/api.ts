import { arnOf, every, type Graph, nameOf, text } from "../graph.ts"
import type { Policy } from "../policies.ts"
import { apiWiring, functionArnIn, type Integrated, integrationsOf } from "../wiring/api.ts"
import { label } from "./names.ts"

export const api: Record<string, Policy> = {
  "the gateway may call every function that a route names": (graph) =>
    every(graph, "apigateway/restApi:RestApi").flatMap((api) => {
      const callable = every(graph, "lambda/permission:Permission")
        .filter(({ inputs }) => inputs.principal === "apigateway.amazonaws.com")
        .filter(({ inputs }) => inputs.sourceArn?.startsWith(`${text(api, "executionArn")}/`))
        .map(({ inputs }) => inputs.function)
      return integrationsOf(api)
        .filter((route) => !callable.includes(nameOf(functionOf(graph, route))))
        .map(describe)
    }),

  "a streamed route calls its function so that it can stream": (graph) =>
    routesOf(graph)
      .filter(({ integration }) => streams(integration) !== integration.uri.endsWith("/response-streaming-invocations"))
      .map(describe),

  "the gateway waits as long as the function runs, and no longer than it can": (graph) =>
    routesOf(graph)
      .filter((route) => {
        const waitsMs = route.integration.timeoutInMillis
        const runsMs = (functionOf(graph, route).inputs.timeout ?? 3) * 1000
        const mostMs = streams(route.integration) ? 900_000 : 29_000
        return waitsMs !== runsMs || waitsMs > mostMs
      })
      .map(describe),

  "a function answers all its routes in the same way": (graph) => {
    const groups = Map.groupBy(routesOf(graph), (route) => functionOf(graph, route).name)
    return [...groups]
      .filter(([, routes]) => new Set(routes.map(({ integration }) => streams(integration))).size > 1)
      .map(([name]) => `${name} streams some of its answers and not others`)
  },

  "the gateway itself answers in our envelope": (graph) =>
    Object.entries(apiWiring(graph).gatewayResponses)
      .filter(([, { body, headers }]) => !inEnvelope(body) || headers["x-request-id"] !== "$context.requestId")
      .map(([type]) => type),

  "a changed API is deployed": (graph) =>
    every(graph, "apigateway/restApi:RestApi")
      .filter(
        ({ urn }) =>
          !every(graph, "apigateway/deployment:Deployment").some(
            ({ dependencies, inputs }) => dependencies.includes(urn) && inputs.triggers?.body,
          ),
      )
      .map((api) => `${label(api)}: no deployment follows its body`),

  "a private API is reached through one endpoint alone, and has no route of a customer": (graph) =>
    every(graph, "apigateway/restApi:RestApi")
      .filter(({ inputs }) => inputs.endpointConfiguration?.types === "PRIVATE")
      .flatMap((api) => {
        const [endpoint, ...others] = api.inputs.endpointConfiguration?.vpcEndpointIds ?? []
        const isClosed =
          endpoint && !others.length && api.inputs.body?.includes(`{"StringEquals":{"aws:SourceVpce":"${endpoint}"}}`)
        const strange = integrationsOf(api).filter(({ path }) => !path.startsWith("/agent/"))
        return [...(isClosed ? [] : [`${label(api)} is open to other networks`]), ...strange.map(describe)]
      }),
}

/** The routes of all APIs. */
const routesOf = (graph: Graph) => every(graph, "apigateway/restApi:RestApi").flatMap(integrationsOf)

const describe = ({ method, path }: Integrated) => `${method} ${path}`

const streams = ({ responseTransferMode }: Integrated["integration"]) => responseTransferMode === "STREAM"

function functionOf(graph: Graph, { integration, ...route }: Integrated) {
  const arn = functionArnIn(integration.uri)
  const found = every(graph, "lambda/function:Function").find((fn) => arnOf(fn) === arn)
  if (!found) throw new Error(`${route.method} ${route.path} calls ${arn}, which is not in the stack`)
  return found
}

function inEnvelope(body: string): boolean {
  const { error } = JSON.parse(body) as { error?: { code?: string; message?: string; requestId?: string } }
  return Boolean(error?.code && error.message && error.requestId === "$context.requestId")
}
