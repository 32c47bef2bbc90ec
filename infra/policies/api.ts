import { arnOf, every, type Graph, nameOf, only, text } from "../graph.ts"
import type { Policy } from "../policies.ts"
import { apiWiring, functionArnIn, type Integrated, integrationsOf } from "../wiring/api.ts"

export const api: Record<string, Policy> = {
  "the gateway may call every function that a route names": (graph) => {
    const api = only(graph, "apigateway/restApi:RestApi")
    const callable = every(graph, "lambda/permission:Permission")
      .filter(({ inputs }) => inputs.principal === "apigateway.amazonaws.com")
      .filter(({ inputs }) => inputs.sourceArn?.startsWith(`${text(api, "executionArn")}/`))
      .map(({ inputs }) => inputs.function)
    return integrationsOf(graph)
      .filter((route) => !callable.includes(nameOf(functionOf(graph, route))))
      .map(describe)
  },

  "a streamed route calls its function so that it can stream": (graph) =>
    integrationsOf(graph)
      .filter(({ integration }) => streams(integration) !== integration.uri.endsWith("/response-streaming-invocations"))
      .map(describe),

  "the gateway waits as long as the function runs, and no longer than it can": (graph) =>
    integrationsOf(graph)
      .filter((route) => {
        const waitsMs = route.integration.timeoutInMillis
        const runsMs = (functionOf(graph, route).inputs.timeout ?? 3) * 1000
        const mostMs = streams(route.integration) ? 900_000 : 29_000
        return waitsMs !== runsMs || waitsMs > mostMs
      })
      .map(describe),

  "a function answers all its routes in the same way": (graph) => {
    const groups = Map.groupBy(integrationsOf(graph), (route) => functionOf(graph, route).name)
    return [...groups]
      .filter(([, routes]) => new Set(routes.map(({ integration }) => streams(integration))).size > 1)
      .map(([name]) => `${name} streams some of its answers and not others`)
  },

  "the gateway itself answers in our envelope": (graph) =>
    Object.entries(apiWiring(graph).gatewayResponses)
      .filter(([, { body, headers }]) => !inEnvelope(body) || headers["x-request-id"] !== "$context.requestId")
      .map(([type]) => type),

  "a changed API is deployed": (graph) => {
    const { name, dependencies, inputs } = only(graph, "apigateway/deployment:Deployment")
    const { urn } = only(graph, "apigateway/restApi:RestApi")
    return inputs.triggers?.body && dependencies.includes(urn) ? [] : [`Deployment ${name} does not follow the API's body`]
  },
}

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
