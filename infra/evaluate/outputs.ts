import { shapeOf } from "./shape.ts"

/** A resource that is about to be made. */
export interface Made {
  type: string
  name: string
  inputs: Record<string, unknown>
  region: string
  account: string
}

type State = Record<string, unknown>

/** Service and prefix of the ARNs of what the program makes. `global` ones name no region. */
const arns: Record<string, { service: string; prefix: string; global?: true }> = {
  "cloudwatch/eventBus": { service: "events", prefix: "event-bus/" },
  "cloudwatch/eventRule": { service: "events", prefix: "rule/" },
  "cloudwatch/eventArchive": { service: "events", prefix: "archive/" },
  "cloudwatch/logGroup": { service: "logs", prefix: "log-group:" },
  "dynamodb/table": { service: "dynamodb", prefix: "table/" },
  "ecr/repository": { service: "ecr", prefix: "repository/" },
  "ecs/cluster": { service: "ecs", prefix: "cluster/" },
  "iam/role": { service: "iam", prefix: "role/", global: true },
  "kms/alias": { service: "kms", prefix: "" },
  "kms/key": { service: "kms", prefix: "key/" },
  "lambda/function": { service: "lambda", prefix: "function:" },
  "sns/topic": { service: "sns", prefix: "" },
  "wafv2/webAcl": { service: "wafv2", prefix: "regional/webacl/" },
  "scheduler/scheduleGroup": { service: "scheduler", prefix: "schedule-group/" },
  "sqs/queue": { service: "sqs", prefix: "" },
  "sfn/stateMachine": { service: "states", prefix: "stateMachine:" },
}

/** Prefixes of ids that AWS makes up. What has a name of its own is known by it. */
const ids: Record<string, string> = {
  "apigateway/restApi": "",
  "apigateway/deployment": "deployment-",
  "ec2/internetGateway": "igw-",
  "ec2/routeTable": "rtb-",
  "ec2/securityGroup": "sg-",
  "ec2/subnet": "subnet-",
  "ec2/vpc": "vpc-",
  "ec2/vpcEndpoint": "vpce-",
  "route53/resolverFirewallDomainList": "rslvr-fdl-",
  "route53/resolverFirewallRuleGroup": "rslvr-frg-",
  "kms/key": "",
}

/** Marks an output that the evaluation cannot know. No input may come from one. */
export const unknown = "unknown:"

/** Id and state of a resource, as AWS would give them: everything that its type puts out has a value. */
export function outputsOf(made: Made): { id: string; state: State } {
  const path = made.type.split(":")[1] ?? made.type
  const { inputs, outputs } = shapeOf(made.type)
  const named = inputs.has("bucket") && path === "s3/bucket" ? "bucket" : "name"
  const physical = String(made.inputs[named] ?? made.name)
  const id = path in ids ? `${ids[path]}${made.name}` : physical
  const state: State = { ...made.inputs }
  if (inputs.has(named)) state[named] = physical
  if (inputs.has("region")) state.region = made.region
  if (outputs.has("arn") || inputs.has("arn")) state.arn = arnOf(path, made, path in ids ? id : physical)
  Object.assign(state, special[path]?.(made, id, state))
  for (const output of outputs) state[output] ??= `${unknown}${made.name}.${output}`
  return { id, state }
}

function arnOf(path: string, { name, inputs, region, account }: Made, physical: string): string {
  if (path === "s3/bucket") return `arn:aws:s3:::${physical}`
  const parts = arns[path]
  if (!parts) return `${unknown}${name}.arn`
  const bus = path === "cloudwatch/eventRule" && inputs.eventBusName ? `${inputs.eventBusName}/` : ""
  return `arn:aws:${parts.service}:${parts.global ? "" : region}:${account}:${parts.prefix}${bus}${physical}`
}

/** Outputs that are more than an id, a name and an ARN. */
const special: Record<string, (made: Made, id: string, state: State) => State> = {
  "apigateway/restApi": ({ region, account }, id) => ({ executionArn: `arn:aws:execute-api:${region}:${account}:${id}` }),
  "apigateway/domainName": ({ region }) => ({
    regionalDomainName: `d-domain.execute-api.${region}.amazonaws.com`,
    regionalZoneId: "Z-gateway",
  }),
  "apigateway/stage": ({ inputs, region }) => ({
    arn: `arn:aws:apigateway:${region}::/restapis/${inputs.restApi}/stages/${inputs.stageName}`,
    invokeUrl: `https://${inputs.restApi}.execute-api.${region}.amazonaws.com/${inputs.stageName}`,
  }),
  "dynamodb/table": (_, __, { arn }) => ({ streamArn: `${arn}/stream/2026-01-01T00:00:00.000` }),
  "lambda/eventSourceMapping": ({ name }) => ({ uuid: `uuid-${name}` }),
  "ec2/vpcEndpoint": (_, id) => ({ prefixListId: `pl-${id}` }),
  "ecr/repository": ({ region, account }, id) => ({ repositoryUrl: `${account}.dkr.ecr.${region}.amazonaws.com/${id}` }),
  "kms/key": (_, id) => ({ keyId: id }),
  "sqs/queue": ({ region, account }, id) => ({ url: `https://sqs.${region}.amazonaws.com/${account}/${id}` }),
  "lambda/function": ({ region }, _, { arn }) => ({
    invokeArn: invocation(region, arn, "2015-03-31", "invocations"),
    responseStreamingInvokeArn: invocation(region, arn, "2021-11-15", "response-streaming-invocations"),
  }),
}

const invocation = (region: string, arn: unknown, version: string, tail: string) =>
  `arn:aws:apigateway:${region}:lambda:path/${version}/functions/${arn}/${tail}`
