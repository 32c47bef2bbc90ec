import { createHash } from "node:crypto"
import * as aws from "@pulumi/aws"
import { ComponentResource, type CustomResourceOptions, interpolate, jsonStringify, type Output } from "@pulumi/pulumi"
import { createDomain } from "./domain.ts"
import { createFirewall } from "./firewall.ts"
import { gatewayResponses } from "./gateway-responses.ts"
import type { Home } from "./home.ts"
import { trust } from "./iam.ts"
import { type Lambdas, lambda, permit } from "./lambda.ts"
import type { Parts } from "./parts.ts"
import { type Route, stage } from "./routes.ts"

/** Longest that the gateway waits for an answer, and for the end of a streamed one. */
const bufferedMs = 29_000
const streamedMs = 900_000

/** The REST API: routes from the OpenAPI documents, each answered by the Lambda of its file. */
export class Api extends ComponentResource {
  /** Address of the stage: `https://….amazonaws.com/api`. */
  readonly url: Output<string>
  readonly name: Output<string>

  constructor(parts: Parts, routes: Route[], lambdas: Lambdas) {
    super("dormouse:infra:Api", "api")
    const { home } = parts
    const api = createRestApi(home, routes, lambdas, this)
    const deployment = createDeployment(api, this)
    const accessLog = createAccessLog(parts, this)
    const mayLog = home.setsApiLogRole ? [letGatewayLog(home, this)] : []
    const live = createStage(api, deployment, accessLog, { parent: this, dependsOn: mayLog })
    throttle(home, api, live, this)
    letGatewayCall(api, routes, lambdas)
    if (home.domain) createDomain(home.domain, live, this)
    if (home.firewall) createFirewall(home, live, this)
    this.url = live.invokeUrl
    this.name = api.name
    this.registerOutputs()
  }
}

const createRestApi = (home: Home, routes: Route[], lambdas: Lambdas, parent: Api) =>
  new aws.apigateway.RestApi(
    "api",
    {
      name: home.tenant,
      endpointConfiguration: { types: "REGIONAL" },
      failOnWarnings: true,
      putRestApiMode: "overwrite",
      body: bodyOf(home, routes, lambdas),
    },
    { parent },
  )

/** Every body passes as it came, in base64: no content type can be trusted to be text. */
const bodyOf = (home: Home, routes: Route[], lambdas: Lambdas) =>
  jsonStringify({
    openapi: "3.0.1",
    info: { title: home.tenant, version: "1" },
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

/** A deployment is a copy of the API as it was, so a changed body needs a new one. */
const createDeployment = (api: aws.apigateway.RestApi, parent: Api) =>
  new aws.apigateway.Deployment("api", { restApi: api.id, triggers: { body: api.body.apply(hash) } }, { parent })

const hash = (body: string | undefined) =>
  createHash("sha256")
    .update(body ?? "")
    .digest("hex")

const createAccessLog = ({ home, keys }: Parts, parent: Api) =>
  new aws.cloudwatch.LogGroup(
    "api",
    { name: `/aws/apigateway/${home.tenant}`, retentionInDays: home.logRetentionDays, kmsKeyId: keys.data.arn },
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
  api: aws.apigateway.RestApi,
  deployment: aws.apigateway.Deployment,
  accessLog: aws.cloudwatch.LogGroup,
  options: CustomResourceOptions,
) =>
  new aws.apigateway.Stage(
    "api",
    {
      restApi: api.id,
      deployment: deployment.id,
      stageName: stage,
      accessLogSettings: { destinationArn: accessLog.arn, format: accessLogFormat },
    },
    options,
  )

const throttle = ({ throttle }: Home, api: aws.apigateway.RestApi, live: aws.apigateway.Stage, parent: Api) =>
  new aws.apigateway.MethodSettings(
    "api",
    {
      restApi: api.id,
      stageName: live.stageName,
      methodPath: "*/*",
      settings: { throttlingRateLimit: throttle.rate, throttlingBurstLimit: throttle.burst, dataTraceEnabled: false },
    },
    { parent },
  )

function letGatewayCall(api: aws.apigateway.RestApi, routes: Route[], lambdas: Lambdas) {
  for (const file of new Set(routes.map((route) => route.file))) {
    permit(lambda(lambdas, file), "api", "apigateway.amazonaws.com", interpolate`${api.executionArn}/*/*`)
  }
}

/** API Gateway accepts for its account setting only a role that may write to any log group, so this is AWS's own policy. */
function letGatewayLog(home: Home, parent: Api) {
  const assumeRolePolicy = trust("apigateway.amazonaws.com")
  const role = new aws.iam.Role("api-logs", { name: `${home.tenant}-api-logs`, assumeRolePolicy }, { parent })
  const policyArn = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
  const attachment = new aws.iam.RolePolicyAttachment("api-logs", { role: role.name, policyArn }, { parent })
  return new aws.apigateway.Account("api-logs", { cloudwatchRoleArn: role.arn }, { parent, dependsOn: [attachment] })
}
