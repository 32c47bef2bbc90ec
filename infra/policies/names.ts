import { unknown } from "../evaluate/outputs.ts"
import { shapeOf } from "../evaluate/shape.ts"
import type { Graph, Resource } from "../graph.ts"
import type { Policy } from "../policies.ts"
import { tenantTag } from "../tags.ts"

export const names: Record<string, Policy> = {
  "every input has a value that AWS could have given": (graph) =>
    graph.resources.flatMap((resource) =>
      texts(resource.inputs)
        .filter((text) => holes.test(text))
        .map((text) => `${label(resource)}: ${text.slice(0, 100)}`),
    ),

  "no two resources of a kind and region have the same name": (graph) => {
    const named = graph.resources.filter((resource) => resource.custom && physicalName(resource))
    const groups = Map.groupBy(named, (resource) => `${resource.type} ${resource.region ?? ""} ${physicalName(resource)}`)
    return [...groups].filter(([, resources]) => resources.length > 1).map(([name]) => name)
  },

  "everything that can carry a tag says whose it is": (graph) => {
    const tenants = tagged(graph).map(({ inputs }) => inputs.tags?.[tenantTag])
    return tagged(graph)
      .filter(({ inputs }) => !inputs.tags?.[tenantTag] || inputs.tags[tenantTag] !== tenants[0])
      .map(label)
  },

  "every ARN names something in the stack": (graph) => {
    const known = arnsOf(graph)
    return graph.resources.flatMap((resource) =>
      texts(resource.inputs)
        .flatMap(arnsIn)
        .filter((arn) => !elsewhere.some((pattern) => pattern.test(arn)))
        .map(owner)
        .filter((arn) => !known.some((prefix) => arn === prefix || arn.startsWith(`${prefix}/`) || arn.startsWith(`${prefix}:`)))
        .map((arn) => `${label(resource)}: ${arn}`),
    )
  },
}

/** Whatever has tags in AWS, by the properties that its type takes. */
const tagged = (graph: Graph) =>
  graph.resources.filter(({ type }) => type.startsWith("aws:") && shapeOf(type).inputs.has("tags")) as Resource<{
    tags?: Record<string, string>
  }>[]

/** What a name is in a kind that has one of its own; two stacks in one account must not share it. */
export const physicalName = ({ inputs }: Resource) =>
  [inputs.name, inputs.bucket].find((name): name is string => typeof name === "string")

/** What a resource is called in a complaint. */
export const label = ({ type, name }: Resource<unknown>) => `${type.split(":").at(-1)} ${name}`

/** An output that nobody knows, the text of something undefined, or that of an output that was not awaited. */
const holes = new RegExp(`${unknown}|(^|[:/"])(undefined|NaN|null)($|[:/"])|Calling \\[toString\\] on an \\[Output`)

/** Every text inside a value. */
const texts = (value: unknown): string[] => {
  if (typeof value === "string") return [value]
  if (Array.isArray(value)) return value.flatMap(texts)
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(texts) : []
}

/** The ARNs inside a text, of which one may hold another. */
const arnsIn = (text: string) =>
  text
    .split(/(?=arn:aws:)/)
    .map((piece) => /^arn:aws:[^\s"\\,\]]+/.exec(piece)?.[0])
    .filter((arn) => arn !== undefined)

/** What is no resource of this stack, and must not be. */
const elsewhere = [
  // An invocation, which holds the function's own ARN.
  /^arn:aws:apigateway:[\w-]+:lambda:path\//,
  // Step Functions' own integrations.
  /^arn:aws:states:::/,
  // AWS's own policies, and the account itself.
  /^arn:aws:iam::aws:policy\//,
  /^arn:aws:iam::\d+:root$/,
  // Every region has a default bus.
  /^arn:aws:events:[\w-]+:\d+:event-bus\/default$/,
  // Task definitions are registered at run time, and images may come from any repository of the account.
  /^arn:aws:ecs:[\w-]+:\d+:task-definition\/[a-z0-9-]+-task-\*$/,
  /^arn:aws:ecr:\*:\d+:repository\/\*$/,
  // The bucket in which ECR keeps the layers of images.
  /^arn:aws:s3:::prod-[\w-]+-starport-layer-bucket\//,
  // A certificate is brought by the settings.
  /^arn:aws:acm:[\w-]+:\d+:certificate\//,
  // What CloudWatch and EventBridge tell KMS that they encrypt for.
  /^arn:aws:logs:[\w-]+:\d+:(log-group:)?\*$/,
  /^arn:aws:events:[\w-]+:\d+:\*$/,
]

/** What belongs to something that has another ARN: executions to their machine, tasks to their cluster, all its rules to a bus. */
const owner = (arn: string) =>
  arn
    .replace(/:execution:([\w-]+):.*/, ":stateMachine:$1")
    .replace(/:task\/([\w-]+)\/.*/, ":cluster/$1")
    .replace(/:schedule\/([\w-]+)\/.*/, ":schedule-group/$1")
    .replace(/:rule\/([\w-]+)\/\*$/, ":event-bus/$1")

const arnsOf = (graph: Graph) =>
  graph.resources.flatMap(({ state }) => [state.arn, state.executionArn]).filter((arn): arn is string => typeof arn === "string")
