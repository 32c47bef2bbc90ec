import { createHash } from "node:crypto"
import * as aws from "@pulumi/aws"
import { ComponentResource, type ComponentResourceOptions, interpolate, jsonStringify, type Output } from "@pulumi/pulumi"
import { gatewayResponses } from "./gateway-responses.ts"
import type { Home } from "./home.ts"
import { type Lambdas, lambda, permit } from "./lambda.ts"
import type { Parts } from "./parts.ts"
import { type Route, stage } from "./routes.ts"

/** Longest that the gateway waits for an answer, and for the end of a streamed one. */
const bufferedMs = 29_000
const streamedMs = 900_000

interface Args {
  routes: Route[]
  lambdas: Lambdas
  /** The only way in. Without one the API is on the internet. */
  endpoint?: aws.ec2.VpcEndpoint
}

/** A REST API: routes from the OpenAPI documents, each answered by the Lambda of its file. */
export class Api extends ComponentResource {
  /** Address of the stage: `https://….amazonaws.com/api`. */
  readonly url: Output<string>
  readonly name: Output<string>
  readonly stage: aws.apigateway.Stage

  constructor(id: string, parts: Parts, args: Args, options?: ComponentResourceOptions) {
    super("dormouse:infra:Api", id, {}, options)
    const { home } = parts
    const name = id === "api" ? home.tenant : `${home.tenant}-${id}`
    const api = createRestApi(id, name, args, this)
    const deployment = createDeployment(id, api, this)
    const accessLog = createAccessLog(id, name, parts, this)
    this.stage = createStage(id, api, deployment, accessLog, this)
    throttle(id, home, api, this.stage, this)
    letGatewayCall(id, api, args)
    this.url = this.stage.invokeUrl
    this.name = api.name
    this.registerOutputs()
  }
}

const createRestApi = (id: string, name: string, args: Args, parent: Api) =>
  new aws.apigateway.RestApi(
    id,
    {
      name,
      endpointConfiguration: args.endpoint ? { types: "PRIVATE", vpcEndpointIds: [args.endpoint.id] } : { types: "REGIONAL" },
      failOnWarnings: true,
      putRestApiMode: "overwrite",
      body: bodyOf(name, args),
    },
    { parent },
  )

/** Every body passes as it came, in base64: no content type can be trusted to be text. */
const bodyOf = (name: string, { routes, lambdas, endpoint }: Args) =>
  jsonStringify({
    openapi: "3.0.1",
    info: { title: name, version: "1" },
    ...(endpoint && { "x-amazon-apigateway-policy": onlyThrough(endpoint) }),
    "x-amazon-apigateway-binary-media-types": ["*/*"],
    "x-amazon-apigateway-gateway-responses": gatewayResponses(),
    paths: pathsOf(routes, lambdas),
  })

const pathsOf = (routes: Route[], lambdas: Lambdas) =>
  Object.fromEntries(
    [...Map.groupBy(routes, ({ path }) => path)].map(([path, samePath]) => [
      path,
      Object.fromEntries(samePath.map((route) => [methodKey(route), operationOf(route, lambdas)])),
    ]),
  )

const methodKey = ({ method }: Route) => (method === "ANY" ? "x-amazon-apigateway-any-method" : method.toLowerCase())

const operationOf = (route: Route, lambdas: Lambdas) => ({
  parameters: [...route.path.matchAll(/\{(\w+)\+?\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  })),
  responses: {},
  "x-amazon-apigateway-integration": integrationOf(route, lambdas),
})

function integrationOf({ file, streaming }: Route, lambdas: Lambdas) {
  const { function: fn } = lambda(lambdas, file)
  return {
    type: "aws_proxy",
    httpMethod: "POST",
    uri: streaming ? fn.responseStreamingInvokeArn : fn.invokeArn,
    responseTransferMode: streaming ? "STREAM" : "BUFFERED",
    timeoutInMillis: streaming ? streamedMs : bufferedMs,
  }
}

/** A private API answers nobody until its policy says whom. */
const onlyThrough = (endpoint: aws.ec2.VpcEndpoint) => ({
  Version: "2012-10-17",
  Statement: [
    {
      Effect: "Allow",
      Principal: "*",
      Action: "execute-api:Invoke",
      Resource: "execute-api:/*",
      Condition: { StringEquals: { "aws:SourceVpce": endpoint.id } },
    },
  ],
})

/** A deployment is a copy of the API as it was, so a changed body needs a new one. */
const createDeployment = (id: string, api: aws.apigateway.RestApi, parent: Api) =>
  new aws.apigateway.Deployment(id, { restApi: api.id, triggers: { body: api.body.apply(hash) } }, { parent })

const hash = (body: string | undefined) =>
  createHash("sha256")
    .update(body ?? "")
    .digest("hex")

const createAccessLog = (id: string, name: string, { home, keys }: Parts, parent: Api) =>
  new aws.cloudwatch.LogGroup(
    id,
    { name: `/aws/apigateway/${name}`, retentionInDays: home.logRetentionDays, kmsKeyId: keys.data.arn },
    { parent },
  )

const accessLogFormat = JSON.stringify({
  requestId: "$context.requestId",
  time: "$context.requestTimeEpoch",
  ip: "$context.identity.sourceIp",
  method: "$context.httpMethod",
  path: "$context.path",
  resource: "$context.resourcePath",
  status: "$context.status",
  latencyMs: "$context.responseLatency",
  bytes: "$context.responseLength",
  errorType: "$context.error.responseType",
  integrationError: "$context.integration.error",
})

const createStage = (
  id: string,
  api: aws.apigateway.RestApi,
  deployment: aws.apigateway.Deployment,
  accessLog: aws.cloudwatch.LogGroup,
  parent: Api,
) =>
  new aws.apigateway.Stage(
    id,
    {
      restApi: api.id,
      deployment: deployment.id,
      stageName: stage,
      accessLogSettings: { destinationArn: accessLog.arn, format: accessLogFormat },
    },
    { parent },
  )

const throttle = (id: string, { throttle }: Home, api: aws.apigateway.RestApi, live: aws.apigateway.Stage, parent: Api) =>
  new aws.apigateway.MethodSettings(
    id,
    {
      restApi: api.id,
      stageName: live.stageName,
      methodPath: "*/*",
      settings: { throttlingRateLimit: throttle.rate, throttlingBurstLimit: throttle.burst, dataTraceEnabled: false },
    },
    { parent },
  )

function letGatewayCall(id: string, api: aws.apigateway.RestApi, { routes, lambdas }: Args) {
  for (const file of new Set(routes.map((route) => route.file))) {
    permit(lambda(lambdas, file), id, "apigateway.amazonaws.com", interpolate`${api.executionArn}/*/*`)
  }
}
