import { every, type Graph, type Of, text } from "../graph.ts"
import { functionNamed } from "./functions.ts"
import type { ApiWiring } from "./types.ts"

/** The parts of the imported document that are read here. */
interface Body {
  "x-amazon-apigateway-binary-media-types": string[]
  "x-amazon-apigateway-gateway-responses": Record<string, WrittenResponse>
  paths: Record<string, Record<string, { "x-amazon-apigateway-integration": Integration }>>
}

interface Integration {
  uri: string
  responseTransferMode: "BUFFERED" | "STREAM"
  timeoutInMillis: number
}

interface WrittenResponse {
  statusCode?: number
  responseParameters: Record<string, string>
  responseTemplates: { "application/json": string }
}

/** One integration of the API and the route that it answers. */
export interface Integrated {
  method: string
  path: string
  integration: Integration
}

type RestApi = Of<"apigateway/restApi:RestApi">

/** The gateway that is on the internet: routes, and what it says by itself. */
export function apiWiring(graph: Graph): ApiWiring {
  const api = every(graph, "apigateway/restApi:RestApi").find(({ name }) => name === "api")
  const stage = every(graph, "apigateway/stage:Stage").find(({ name }) => name === "api")
  if (!api || !stage) throw new Error("The stack has no API")
  const body = bodyOf(api)
  return {
    id: text(api, "id"),
    stage: stage.inputs.stageName,
    routes: integrationsOf(api).map(({ method, path, integration }) => ({
      method,
      path,
      function: functionNamed(graph, functionArnIn(integration.uri)),
      streaming: integration.responseTransferMode === "STREAM",
      timeoutSeconds: integration.timeoutInMillis / 1000,
    })),
    gatewayResponses: mapValues(body["x-amazon-apigateway-gateway-responses"], responseOf),
    binaryMediaTypes: body["x-amazon-apigateway-binary-media-types"],
  }
}

/** Every route of an API with its integration. */
export const integrationsOf = (api: RestApi): Integrated[] =>
  Object.entries(bodyOf(api).paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      method: method === "x-amazon-apigateway-any-method" ? "ANY" : method.toUpperCase(),
      path,
      integration: operation["x-amazon-apigateway-integration"],
    })),
  )

/** The function that an integration's URI calls. */
export function functionArnIn(uri: string): string {
  const [, arn] = /\/functions\/(arn:[^/]+)\//.exec(uri) ?? []
  if (!arn) throw new Error(`${uri} calls no function`)
  return arn
}

const bodyOf = ({ inputs }: RestApi) => JSON.parse(inputs.body ?? "") as Body

const responseOf = ({ statusCode, responseParameters, responseTemplates }: WrittenResponse) => ({
  ...(statusCode && { status: statusCode }),
  headers: Object.fromEntries(
    Object.entries(responseParameters).map(([name, value]) => [name.replace("gatewayresponse.header.", ""), headerValue(value)]),
  ),
  body: responseTemplates["application/json"],
})

/** API Gateway quotes what it takes literally. What it fills in stays a variable, written as in the body: `$context.requestId`. */
const headerValue = (value: string) => (value.startsWith("'") ? value.slice(1, -1) : `$${value}`)

const mapValues = <From, To>(record: Record<string, From>, change: (value: From) => To): Record<string, To> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]))
