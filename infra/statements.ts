import { every, type Graph, type Of, type Resource } from "./graph.ts"

/** One statement of a policy, with single values made lists. */
export interface Statement {
  /** The role policy, key or bucket policy that holds it. */
  owner: Resource<unknown>
  sid: string
  effect: "Allow" | "Deny"
  actions: string[]
  resources: string[]
  /** `*`, or names by kind: `{Service: ["events.amazonaws.com"]}`. */
  principal?: "*" | Record<string, string[]>
  condition?: Record<string, Record<string, string | string[]>>
}

/** A statement as IAM writes it. */
interface Written {
  Sid?: string
  Effect: "Allow" | "Deny"
  Action: string | string[]
  Resource: string | string[]
  Principal?: "*" | Record<string, string | string[]>
  Condition?: Statement["condition"]
}

/** The statements of every role. */
export const roleStatements = (graph: Graph) => every(graph, "iam/rolePolicy:RolePolicy").flatMap(statementsOf)

/** The statements of everything that has a policy. */
export const allStatements = (graph: Graph) => [
  ...roleStatements(graph),
  ...every(graph, "kms/key:Key").flatMap(statementsOf),
  ...every(graph, "s3/bucketPolicy:BucketPolicy").flatMap(statementsOf),
  ...every(graph, "sqs/queuePolicy:QueuePolicy").flatMap(statementsOf),
]

/** What a role allows. */
export function statementsOfRole(graph: Graph, role: Of<"iam/role:Role">): Statement[] {
  const policies = every(graph, "iam/rolePolicy:RolePolicy")
  return policies.filter((policy) => policy.propertyDependencies.role?.includes(role.urn)).flatMap(statementsOf)
}

/** What the role of this ARN allows. */
export function statementsOfArn(graph: Graph, arn: string): Statement[] {
  const role = every(graph, "iam/role:Role").find(({ state }) => state.arn === arn)
  return role ? statementsOfRole(graph, role) : []
}

function statementsOf(owner: Resource<{ policy?: unknown }>): Statement[] {
  const { Statement } = JSON.parse(String(owner.inputs.policy)) as { Statement: Written[] }
  return Statement.map((written) => ({
    owner,
    sid: written.Sid ?? "",
    effect: written.Effect,
    actions: list(written.Action),
    resources: list(written.Resource),
    ...(written.Principal && { principal: principalOf(written.Principal) }),
    ...(written.Condition && { condition: written.Condition }),
  }))
}

const principalOf = (principal: NonNullable<Written["Principal"]>) =>
  principal === "*" ? principal : Object.fromEntries(Object.entries(principal).map(([kind, names]) => [kind, list(names)]))

const list = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : [value])
